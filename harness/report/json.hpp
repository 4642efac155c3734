// SPDX-License-Identifier: MIT
#pragma once
/// JSON as results are written in, and as it is read back.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace mishap::detail::json {

/// A string with its quotes; bytes that are no UTF-8 stay as they are.
std::string quoted(std::string_view text);

class value;
using array = std::vector<value>;
using object = std::vector<std::pair<std::string, value>>;

/// A value that was read: whole numbers that fit keep all their digits.
class value
{
public:
    using any = std::variant<std::nullptr_t, bool, std::uint64_t, double, std::string, array, object>;

    value() : what_(nullptr) {}
    explicit value(any what) : what_(std::move(what)) {}

    /// A member of an object; an empty value where there is none.
    const value& operator[](std::string_view name) const noexcept;

    /// What it holds; the empty one where it holds something else.
    bool flag() const noexcept;
    std::uint64_t number() const noexcept;
    const std::string& text() const noexcept;
    const array& items() const noexcept;
    const object& members() const noexcept;

    bool is_null() const noexcept { return std::holds_alternative<std::nullptr_t>(what_); }
    const any& what() const noexcept { return what_; }
    bool is_object() const noexcept { return std::holds_alternative<object>(what_); }

private:
    any what_;
};

/// Errors: throws `input_error` with the offset of what is no JSON.
value parse(std::string_view text);

/// As it would be written.
std::string to_text(const value&);

/// Writes the members of an object one after the other.
class object_writer
{
public:
    object_writer& add(std::string_view name, std::string_view text) { return raw(name, json::quoted(text)); }
    object_writer& add(std::string_view name, const char* text) { return add(name, std::string_view(text)); }
    object_writer& add(std::string_view name, const std::string& text)
    {
        return add(name, std::string_view(text));
    }
    object_writer& add(std::string_view name, bool flag) { return raw(name, flag ? "true" : "false"); }
    object_writer& add(std::string_view name, std::uint64_t number)
    {
        return raw(name, std::to_string(number));
    }
    object_writer& add(std::string_view name, int number) { return raw(name, std::to_string(number)); }
    object_writer& add(std::string_view name, const std::vector<std::string>& texts);
    /// What is JSON already.
    object_writer& raw(std::string_view name, std::string_view json);
    object_writer& raw(std::string_view name, const std::vector<std::string>& array_of_json);

    std::string text() const { return text_.empty() ? "{}" : text_ + "}"; }

private:
    std::string text_;
};

} // namespace mishap::detail::json
