// SPDX-License-Identifier: MIT
#include "plan_words.hpp"

#include "argument_reader.hpp"

#include <algorithm>

namespace mishap::detail {

std::string quote(std::string_view value)
{
    // Settings are the only free text in a plan: everything that could be structure is written as %XX.
    std::string text;
    for (const char c : value) {
        const auto u = static_cast<unsigned char>(c);
        const bool plain = (u >= 'a' && u <= 'z') || (u >= 'A' && u <= 'Z') || (u >= '0' && u <= '9') ||
                           c == '_' || c == '.' || c == '-' || c == '/' || c == ':';
        text += plain ? std::string(1, c) : fmt::format("%{:02x}", u);
    }
    return text;
}

std::string unquote(std::string_view text, std::size_t offset)
{
    std::string value;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            value += text[i];
            continue;
        }
        unsigned code = 0;
        const char* begin = text.data() + i + 1;
        const char* end = text.data() + std::min(i + 3, text.size());
        if (end - begin != 2 || std::from_chars(begin, end, code, 16).ptr != end)
            throw input_error(fmt::format("'{}' has a broken % escape", text), offset + i);
        value += static_cast<char>(code);
        i += 2;
    }
    return value;
}

/// Words are separated by spaces outside brackets.
std::vector<word> split_words(std::string_view line)
{
    std::vector<word> words;
    std::size_t begin = std::string_view::npos;
    int depth = 0;
    for (std::size_t i = 0; i <= line.size(); ++i) {
        const char c = i < line.size() ? line[i] : ' ';
        if (c == '(')
            ++depth;
        else if (c == ')')
            --depth;
        const bool space = c == ' ' && depth <= 0;
        if (!space && begin == std::string_view::npos)
            begin = i;
        if ((space || i == line.size()) && begin != std::string_view::npos) {
            words.push_back({line.substr(begin, i - begin), begin});
            begin = std::string_view::npos;
        }
    }
    return words;
}

std::vector<word> split_at(std::string_view text, char separator, std::size_t offset)
{
    std::vector<word> parts;
    std::size_t begin = 0;
    for (std::size_t i = 0; i <= text.size(); ++i)
        if (i == text.size() || text[i] == separator) {
            parts.push_back({text.substr(begin, i - begin), offset + begin});
            begin = i + 1;
        }
    return parts;
}

/// What stands between the brackets of `name(...)`, or nothing.
std::optional<word> arguments_of(const word& w, std::string_view name)
{
    if (!w.text.starts_with(name) || w.text.size() < name.size() + 2 || w.text[name.size()] != '(')
        return std::nullopt;
    if (w.text.back() != ')')
        throw input_error(fmt::format("'{}' has no closing bracket", w.text), w.offset);
    return word{w.text.substr(name.size() + 1, w.text.size() - name.size() - 2), w.offset + name.size() + 1};
}

lane parse_client(std::string_view text, std::size_t offset)
{
    unsigned client = 0;
    const auto [end, error] = std::from_chars(
        text.data() + std::min<std::size_t>(1, text.size()), text.data() + text.size(), client);
    if (text.size() < 2 || text[0] != 'c' || error != std::errc() || end != text.data() + text.size() ||
        client >= clients_max)
        throw input_error(fmt::format("'{}' is no client (c0 to c{})", text, clients_max - 1), offset);
    return static_cast<lane>(client);
}

std::optional<perturbation> parse_body_failure(std::string_view text, lane of_body)
{
    // "fail after effect" is a fault of its own.
    const bool before = text.find(" before ") != std::string_view::npos;
    const std::string_view relation = before ? " before " : " after ";
    const auto at = text.starts_with("fail after effect") ? std::string_view::npos : text.find(relation);
    if (at == std::string_view::npos)
        return std::nullopt;
    std::string what(text.substr(0, at));
    const std::size_t start = at + relation.size();
    std::string_view anchor = text.substr(start);
    if (what.find('(') != std::string::npos) {
        if (!anchor.ends_with(')'))
            throw input_error(fmt::format("'{}' has no closing bracket", text), text.size());
        anchor.remove_suffix(1);
        what += ')';
    }
    const fault failure = parse_fault(what);
    if (failure.kind != fault_kind::fail || failure.takes_time())
        throw input_error(
            fmt::format("'{}': before and after an operation a body can only fail, and at once", text));
    const operation_id where = at_offset(start, [&] { return parse_operation(anchor); });
    if (where.lane != of_body)
        throw input_error(
            fmt::format("'{}': a body fails at an operation of its own, not of another client's", text),
            start);
    return perturbation{.at = where, .what = body_failure{.error = failure.error, .before = before}};
}

perturbation parse_deviation(const word& arguments, notation written)
{
    argument_reader in(arguments, "run",
        written == notation::plan ? "run(c1 before c0/session.close)" : "run c1 before c0/session.close",
        written);
    deviation d;
    const word first = in.take("a lane");
    d.first = first.text == "bg" ? background_lane : parse_client(first.text, first.offset);
    if (!in.take_if("before"))
        in.refuse("'before' comes next");
    std::optional<word> other;
    if (in.peek(1) == "at") {
        other = in.take("a lane");
        in.take_if("at");
    }
    const operation_id at = in.take_operation();
    if (other && other->text != lane_name(at.lane))
        in.refuse(fmt::format("the operation is not one of {}", other->text), 1);
    if (at.lane == d.first)
        in.refuse("an operation cannot wait for a step of its own lane", 1);
    d.steps = in.take_steps(1);
    if (d.steps == 0)
        in.refuse("it waits for one step at least", 1);
    in.expect_end();
    return {.at = at, .what = d};
}

} // namespace mishap::detail
