// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace mishap {

namespace detail {
struct symbol_entry
{
    std::string text;
    std::size_t hash;
};
} // namespace detail

/// An interned word: the kind of a resource, the name of an operation, the name of an error.
///
/// Two symbols are equal exactly when their texts are; comparing them compares two pointers, so plans and
/// traces can be matched inside the run loop without touching text.
///
/// Lifetimes: the text lives until the process ends.
/// Thread safety: all members may be called from any thread.
/// Complexity: construction looks the text up in a table of the calling thread; only a text that this thread
/// meets for the first time takes a lock.
class symbol
{
public:
    /// The empty word.
    symbol() noexcept = default;
    symbol(std::string_view text);
    symbol(const char* text) : symbol(std::string_view(text)) {}
    symbol(const std::string& text) : symbol(std::string_view(text)) {}

    std::string_view text() const noexcept
    {
        return entry_ ? std::string_view(entry_->text) : std::string_view();
    }
    const char* c_str() const noexcept { return entry_ ? entry_->text.c_str() : ""; }
    bool empty() const noexcept { return entry_ == nullptr; }

    /// A number that depends on the text only, so that it is the same in every process.
    std::size_t stable_hash() const noexcept { return entry_ ? entry_->hash : 0; }

    friend bool operator==(symbol, symbol) noexcept = default;
    /// Alphabetical.
    friend bool operator<(symbol a, symbol b) noexcept { return a.text() < b.text(); }

private:
    const detail::symbol_entry* entry_ = nullptr;
};

} // namespace mishap
