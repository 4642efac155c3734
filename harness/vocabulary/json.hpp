// SPDX-License-Identifier: MIT
#pragma once
/// JSON, as text that also stands safely inside a page of HTML.

#include <cstdint>
#include <string>
#include <string_view>

namespace mishap::detail {

/// A text, quoted. `<` is written as an escape, so that no `</script>` ends a page; bytes that are no UTF-8
/// become U+FFFD.
std::string json_text(std::string_view text);

/// Builds an object, member by member, or an array, item by item.
class json_builder
{
public:
    static json_builder object() { return json_builder('{', '}'); }
    static json_builder array() { return json_builder('[', ']'); }

    json_builder& add(std::string_view name, const json_builder& value) { return put(name, value.str()); }
    json_builder& add(std::string_view name, std::string_view text) { return put(name, json_text(text)); }
    json_builder& add(std::string_view name, const char* text) { return put(name, json_text(text)); }
    json_builder& add(std::string_view name, bool value) { return put(name, value ? "true" : "false"); }
    json_builder& add(std::string_view name, std::int64_t value) { return put(name, std::to_string(value)); }
    json_builder& add_nothing(std::string_view name) { return put(name, "null"); }
    json_builder& add_written(std::string_view name, std::string_view json) { return put(name, json); }

    json_builder& push(const json_builder& value) { return put({}, value.str()); }
    json_builder& push(std::string_view text) { return put({}, json_text(text)); }
    json_builder& push(std::int64_t value) { return put({}, std::to_string(value)); }
    json_builder& push_nothing() { return put({}, "null"); }
    json_builder& push_written(std::string_view json) { return put({}, json); }

    std::string str() const { return text_ + close_; }

private:
    json_builder(char open, char close) : text_(1, open), close_(close) {}
    json_builder& put(std::string_view name, std::string_view value);

    std::string text_;
    char close_;
};

} // namespace mishap::detail
