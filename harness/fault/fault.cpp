// SPDX-License-Identifier: MIT
#include "behaviour.hpp"

#include <mishap/duration.hpp>
#include <mishap/error.hpp>
#include <mishap/fault.hpp>
#include <mishap/input_error.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

namespace mishap {

namespace {

constexpr fault_description table[fault_kinds] = {
    {fault_kind::ok, "ok", false, false, false, "succeeds, after one suspension"},
    {fault_kind::ok_now, "ok now", false, false, false, "succeeds without suspending"},
    {fault_kind::fail, "fail", true, true, false,
        "has no effect and fails with the error, at once or in that time, until which it stops when "
        "cancelled; a bare `fail` is `fail io_error`"},
    {fault_kind::fail_after_effect, "fail after effect", true, true, false,
        "takes effect when it ends, then fails with the error: its reply was lost"},
    {fault_kind::delay, "delay", false, true, false, "succeeds after the duration; stops when cancelled"},
    {fault_kind::hang, "hang", false, false, false, "never completes; stops when cancelled"},
    {fault_kind::deaf, "deaf", false, false, false, "never completes, and ignores cancellation"},
    {fault_kind::late, "late", false, true, false,
        "succeeds after the duration, whatever is cancelled meanwhile"},
    {fault_kind::empty, "empty", false, false, false,
        "a create succeeds and yields no resource, as a null handle does"},
    {fault_kind::bad_alloc, "bad_alloc", false, false, false,
        "throws `std::bad_alloc` where it is started; has no effect"},
    {fault_kind::cancel, "cancel", false, false, true,
        "the client is cancelled while this operation is pending: `terminal` (default), `partial` or "
        "`total`"},
    {fault_kind::cancel_after_effect, "cancel after effect", false, false, true,
        "takes effect, and its client is cancelled while it is pending, so that nobody is told"},
    {fault_kind::hang_after_effect, "hang after effect", false, false, false,
        "takes effect, but never completes: its reply was lost; stops when cancelled"},
    {fault_kind::one_byte, "one byte", false, false, false,
        "a send or receive on a socket moves one byte; of anything else it means nothing"},
};

const fault_description& row(fault_kind kind) { return table[static_cast<std::size_t>(kind)]; }

std::string underscored(std::string_view word)
{
    std::string text(word);
    std::replace(text.begin(), text.end(), ' ', '_');
    return text;
}

std::string_view trim(std::string_view text)
{
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos)
        return text.substr(text.size()); // still a part of `text`, so that offsets can be told
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// Splits `word(parameter)` or `word parameter`; the longest known word wins, so that `ok now` is not `ok`.
struct split
{
    const fault_description* row = nullptr;
    std::optional<std::string_view> parameter;
};

split split_fault(std::string_view text)
{
    if (const auto open = text.find('('); open != std::string_view::npos) {
        const std::string_view word = trim(text.substr(0, open));
        if (text.back() != ')')
            throw input_error(fmt::format("'{}' has no closing bracket", text), text.size());
        for (const auto& r : table)
            if (word == r.word || word == underscored(r.word))
                return {&r, trim(text.substr(open + 1, text.size() - open - 2))};
        return {};
    }
    split best;
    std::size_t best_length = 0;
    for (const auto& r : table)
        for (const std::string& word : {std::string(r.word), underscored(r.word)}) {
            const bool matches = text.substr(0, word.size()) == word &&
                                 (text.size() == word.size() || text[word.size()] == ' ');
            if (matches && word.size() > best_length) {
                best_length = word.size();
                best.row = &r;
                const std::string_view rest = trim(text.substr(word.size()));
                best.parameter = rest.empty() ? std::nullopt : std::optional(rest);
            }
        }
    return best;
}

/// Splits `io_error in 3s` or `io_error,3s`.
std::pair<std::string_view, std::optional<std::string_view>> split_error(std::string_view text)
{
    for (const std::string_view between : {std::string_view(","), std::string_view(" in ")})
        if (const auto at = text.find(between); at != std::string_view::npos)
            return {trim(text.substr(0, at)), trim(text.substr(at + between.size()))};
    return {text, std::nullopt};
}

} // namespace

std::string_view parameter_text(const fault_description& row) noexcept
{
    return row.takes_error          ? " ERROR [in DURATION]"
           : row.takes_duration     ? " DURATION"
           : row.takes_cancellation ? " [TYPE]"
                                    : "";
}

std::span<const fault_description, fault_kinds> fault_table() noexcept { return table; }

std::string_view to_string(cancellation type) noexcept
{
    switch (type) {
    case cancellation::terminal:
        return "terminal";
    case cancellation::partial:
        return "partial";
    case cancellation::total:
        return "total";
    }
    return "?";
}

bool fault::hangs() const noexcept { return detail::behaviour_of(kind).when == detail::ends::never; }

bool fault::cancels_client() const noexcept
{
    return detail::behaviour_of(kind).when == detail::ends::after_a_strike;
}

bool fault::loses_reply() const noexcept { return detail::behaviour_of(kind).loses_reply; }

std::string to_string(const fault& f)
{
    const auto& r = row(f.kind);
    std::string text(r.word);
    if (r.takes_error)
        text.append(" ").append(f.error.text());
    if (r.takes_error && f.after != duration(0))
        text.append(" in");
    if (r.takes_duration && (!r.takes_error || f.after != duration(0)))
        text.append(" ").append(to_string(f.after));
    if (r.takes_cancellation && f.type != cancellation::terminal)
        text.append(" ").append(to_string(f.type));
    return text;
}

std::string to_token(const fault& f)
{
    const auto& r = row(f.kind);
    std::string text = underscored(r.word);
    if (r.takes_error)
        text += f.after == duration(0) ? fmt::format("({})", f.error.text())
                                       : fmt::format("({},{})", f.error.text(), to_string(f.after));
    else if (r.takes_duration)
        text += fmt::format("({})", to_string(f.after));
    if (r.takes_cancellation && f.type != cancellation::terminal)
        text += fmt::format("({})", to_string(f.type));
    return text;
}

fault parse_fault(std::string_view untrimmed)
{
    const std::string_view text = trim(untrimmed);
    const split parts = text.empty() ? split{} : split_fault(text);
    if (!parts.row) {
        // What was meant is told by the first word; its parameter may be anything.
        const std::string_view word = text.substr(0, text.find_first_of(" ("));
        std::vector<std::string> words;
        std::vector<std::string> shown;
        for (const auto& r : table) {
            words.emplace_back(r.word);
            shown.push_back(fmt::format("{}{}", r.word, parameter_text(r)));
        }
        const std::string near = nearest(word, words);
        throw input_error(fmt::format("unknown fault '{}'{} (known: {})", text.substr(0, 80),
            near.empty() ? "" : fmt::format("; did you mean '{}'?", near), fmt::join(shown, ", ")));
    }
    const auto& r = *parts.row;
    fault parsed{.kind = r.kind};
    const auto offset =
        parts.parameter ? static_cast<std::size_t>(parts.parameter->data() - untrimmed.data()) : text.size();
    const auto read_duration = [&](std::string_view time) {
        try {
            parsed.after = parse_duration(time);
        } catch (const input_error& e) {
            throw input_error(
                e.what(), static_cast<std::size_t>(time.data() - untrimmed.data()) + e.offset());
        }
    };
    if (r.takes_error) {
        const auto [name, time] = split_error(parts.parameter.value_or("io_error"));
        parsed.error = symbol(name);
        if (!find_error(parsed.error))
            throw input_error(unknown_word("error", name, error_names()), offset);
        if (time)
            read_duration(*time);
    } else if (r.takes_duration) {
        if (!parts.parameter)
            throw input_error(fmt::format("'{}' lacks its duration: write '{} 5s'", text, r.word), offset);
        read_duration(*parts.parameter);
    } else if (r.takes_cancellation) {
        const std::vector<std::string> known{"terminal", "partial", "total"};
        const std::string word(parts.parameter.value_or("terminal"));
        const auto found = std::find(known.begin(), known.end(), word);
        if (found == known.end())
            throw input_error(unknown_word("type of cancellation", word, known), offset);
        parsed.type = static_cast<cancellation>(found - known.begin());
    } else if (parts.parameter) {
        throw input_error(
            fmt::format("'{}' takes no parameter, but '{}' follows it", r.word, *parts.parameter), offset);
    }
    return parsed;
}

fault parse_kind(std::string_view text)
{
    const std::string_view word = trim(text);
    if (word == "delay")
        return fault::delay(duration(0));
    if (word == "late")
        return fault::late(duration(0));
    return parse_fault(text);
}

} // namespace mishap
