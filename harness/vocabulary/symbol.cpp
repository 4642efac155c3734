// SPDX-License-Identifier: MIT
#include <mishap/symbol.hpp>

#include <memory>
#include <mutex>
#include <unordered_map>

namespace mishap {

namespace {

using table = std::unordered_map<std::string_view, const detail::symbol_entry*>;

// FNV-1a: stable across processes and standard libraries, which plans and seeds rely on.
std::size_t hash_text(std::string_view text) noexcept
{
    std::uint64_t hash = 14695981039346656037ull;
    for (const char c : text)
        hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ull;
    return hash;
}

const detail::symbol_entry* intern_for_process(std::string_view text)
{
    static std::mutex mutex;
    static auto& entries = *new table; // never destroyed: symbols outlive every static object
    const std::scoped_lock lock(mutex);
    if (const auto found = entries.find(text); found != entries.end())
        return found->second;
    const auto* entry = new detail::symbol_entry{std::string(text), hash_text(text)};
    entries.emplace(entry->text, entry);
    return entry;
}

/// The last few words that this thread met, found by comparing short texts: a run speaks of a handful.
struct recent
{
    static constexpr std::size_t size = 64;
    const detail::symbol_entry* slots[size] = {};
};

} // namespace

symbol::symbol(std::string_view text)
{
    if (text.empty())
        return;
    thread_local recent cache;
    const auto first = static_cast<unsigned char>(text.front());
    const auto last = static_cast<unsigned char>(text.back());
    auto& slot = cache.slots[(first * 7u + last * 3u + text.size()) % recent::size];
    if (!slot || slot->text != text)
        slot = intern_for_process(text);
    entry_ = slot;
}

} // namespace mishap
