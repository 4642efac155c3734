// SPDX-License-Identifier: MIT
#include "json.hpp"

#include <mishap/input_error.hpp>

#include <fmt/format.h>

#include <charconv>

namespace mishap::detail::json {

std::string quoted(std::string_view text)
{
    std::string out;
    out.reserve(text.size() + 2);
    out += '"';
    for (const char c : text) {
        switch (c) {
        case '"':
            out += "\\\"";
            break;
        case '\\':
            out += "\\\\";
            break;
        case '\n':
            out += "\\n";
            break;
        case '\t':
            out += "\\t";
            break;
        default:
            if (static_cast<unsigned char>(c) < 0x20)
                out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
            else
                out += c;
        }
    }
    out += '"';
    return out;
}

namespace {

template <class Wanted, class Any>
const Wanted& held_or_empty(const Any& any) noexcept
{
    static const Wanted empty{};
    const Wanted* held = std::get_if<Wanted>(&any);
    return held ? *held : empty;
}

std::string list_of(const std::vector<std::string>& items, bool quotes)
{
    std::string text = "[";
    for (const std::string& item : items) {
        if (text.size() > 1)
            text += ',';
        text += quotes ? json::quoted(item) : item;
    }
    text += ']';
    return text;
}

class reader
{
public:
    explicit reader(std::string_view text) : text_(text) {}

    value whole()
    {
        value read = any(0);
        skip_blanks();
        if (at_ != text_.size())
            refuse("there is more after its end");
        return read;
    }

private:
    [[noreturn]] void refuse(const char* why) const
    {
        throw input_error(fmt::format("this is no JSON: {}, at byte {}", why, at_ + 1), at_);
    }

    void skip_blanks() { at_ = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size()); }

    char next() const { return at_ < text_.size() ? text_[at_] : '\0'; }

    bool take(std::string_view word)
    {
        if (text_.substr(at_, word.size()) != word)
            return false;
        at_ += word.size();
        return true;
    }

    value any(int depth)
    {
        constexpr int deepest = 64;
        if (depth > deepest)
            refuse("it is nested too deeply");
        skip_blanks();
        if (next() == '"')
            return value(string());
        if (take("{"))
            return value(members(depth));
        if (take("["))
            return value(items(depth));
        if (take("true"))
            return value(true);
        if (take("false"))
            return value(false);
        if (take("null"))
            return value();
        return number();
    }

    object members(int depth)
    {
        object all;
        skip_blanks();
        if (take("}"))
            return all;
        for (;;) {
            skip_blanks();
            if (next() != '"')
                refuse("a member needs a name in quotes");
            std::string name = string();
            skip_blanks();
            if (!take(":"))
                refuse("a colon is missing");
            all.emplace_back(std::move(name), any(depth + 1));
            skip_blanks();
            if (take("}"))
                return all;
            if (!take(","))
                refuse("a comma or a brace is missing");
        }
    }

    array items(int depth)
    {
        array all;
        skip_blanks();
        if (take("]"))
            return all;
        for (;;) {
            all.push_back(any(depth + 1));
            skip_blanks();
            if (take("]"))
                return all;
            if (!take(","))
                refuse("a comma or a bracket is missing");
        }
    }

    value number()
    {
        const char* const begin = text_.data() + at_;
        const char* const end = text_.data() + text_.size();
        std::uint64_t whole = 0;
        if (const auto [stopped, error] = std::from_chars(begin, end, whole);
            error == std::errc() &&
            (stopped == end || (*stopped != '.' && *stopped != 'e' && *stopped != 'E'))) {
            at_ += static_cast<std::size_t>(stopped - begin);
            return value(whole);
        }
        double real = 0;
        const auto [stopped, error] = std::from_chars(begin, end, real);
        if (error != std::errc())
            refuse("a value is missing");
        at_ += static_cast<std::size_t>(stopped - begin);
        return value(real);
    }

    std::uint32_t four_digits()
    {
        std::uint32_t code = 0;
        const std::string_view digits = text_.substr(std::min(at_, text_.size()), 4);
        const auto [stopped, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
        if (digits.size() != 4 || error != std::errc() || stopped != digits.data() + 4)
            refuse("four hexadecimal digits are missing");
        at_ += 4;
        return code;
    }

    static void append_utf8(std::string& to, std::uint32_t code)
    {
        const auto byte = [&](std::uint32_t bits) { to += static_cast<char>(bits); };
        if (code < 0x80) {
            byte(code);
        } else if (code < 0x800) {
            byte(0xc0 | code >> 6);
            byte(0x80 | (code & 0x3f));
        } else if (code < 0x10000) {
            byte(0xe0 | code >> 12);
            byte(0x80 | (code >> 6 & 0x3f));
            byte(0x80 | (code & 0x3f));
        } else {
            byte(0xf0 | code >> 18);
            byte(0x80 | (code >> 12 & 0x3f));
            byte(0x80 | (code >> 6 & 0x3f));
            byte(0x80 | (code & 0x3f));
        }
    }

    std::string string()
    {
        std::string out;
        for (++at_; at_ < text_.size(); ++at_) {
            const char c = text_[at_];
            if (c == '"') {
                ++at_;
                return out;
            }
            if (c != '\\') {
                out += c;
                continue;
            }
            ++at_;
            switch (next()) {
            case 'n':
                out += '\n';
                break;
            case 't':
                out += '\t';
                break;
            case 'r':
                out += '\r';
                break;
            case 'b':
                out += '\b';
                break;
            case 'f':
                out += '\f';
                break;
            case 'u': {
                ++at_;
                std::uint32_t code = four_digits();
                if (code >= 0xd800 && code < 0xdc00 && take("\\u"))
                    code = 0x10000 + ((code - 0xd800) << 10) + ((four_digits() - 0xdc00) & 0x3ff);
                append_utf8(out, code);
                --at_;
                break;
            }
            case '"':
            case '\\':
            case '/':
                out += next();
                break;
            default:
                refuse("this is no escape");
            }
        }
        refuse("a string does not end");
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

} // namespace

const value& value::operator[](std::string_view name) const noexcept
{
    static const value nothing;
    for (const auto& [known, member] : members())
        if (known == name)
            return member;
    return nothing;
}

bool value::flag() const noexcept { return held_or_empty<bool>(what_); }
std::uint64_t value::number() const noexcept { return held_or_empty<std::uint64_t>(what_); }
const std::string& value::text() const noexcept { return held_or_empty<std::string>(what_); }
const array& value::items() const noexcept { return held_or_empty<array>(what_); }
const object& value::members() const noexcept { return held_or_empty<object>(what_); }

value parse(std::string_view text) { return reader(text).whole(); }

std::string to_text(const value& one)
{
    struct writer
    {
        std::string operator()(std::nullptr_t) const { return "null"; }
        std::string operator()(bool flag) const { return flag ? "true" : "false"; }
        std::string operator()(std::uint64_t number) const { return std::to_string(number); }
        std::string operator()(double number) const { return fmt::format("{}", number); }
        std::string operator()(const std::string& text) const { return json::quoted(text); }
        std::string operator()(const array& items) const
        {
            std::vector<std::string> texts;
            for (const value& item : items)
                texts.push_back(to_text(item));
            return list_of(texts, false);
        }
        std::string operator()(const object& members) const
        {
            object_writer out;
            for (const auto& [name, member] : members)
                out.raw(name, to_text(member));
            return out.text();
        }
    };
    return std::visit(writer{}, one.what());
}

object_writer& object_writer::add(std::string_view name, const std::vector<std::string>& texts)
{
    return raw(name, list_of(texts, true));
}

object_writer& object_writer::raw(std::string_view name, std::string_view json)
{
    text_ += text_.empty() ? '{' : ',';
    text_ += json::quoted(name);
    text_ += ':';
    text_ += json;
    return *this;
}

object_writer& object_writer::raw(std::string_view name, const std::vector<std::string>& array_of_json)
{
    return raw(name, list_of(array_of_json, false));
}

} // namespace mishap::detail::json
