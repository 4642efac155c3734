// SPDX-License-Identifier: MIT
#pragma once
/// Reading a YAML node that somebody wrote, with its place in the file for whatever is wrong with it.

#include "keys.hpp"

#include <mishap/duration.hpp>
#include <mishap/error.hpp>
#include <mishap/scenario.hpp>

#include <yaml-cpp/yaml.h>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mishap::detail {

/// A file while it is read, and what was refused of it so far.
struct source
{
    const std::string& file;
    std::vector<scenario_error> refused = {};
};

/// A node, with the way back to its place in the file.
class reader
{
public:
    reader(const YAML::Node& node, source& from) : node_(node), source_(&from) {}

    const YAML::Node& node() const { return node_; }
    const source& from() const { return *source_; }

    file_place place() const
    {
        const YAML::Mark mark = node_.Mark();
        return {source_->file, std::max(mark.line, 0) + 1, std::max(mark.column, 0) + 1};
    }

    [[noreturn]] void refuse(const std::string& why) const { throw scenario_error(place(), why); }

    reader of(const YAML::Node& child) const { return {child, *source_}; }

    /// Reads a part of the file. What is refused of it is kept, so that the rest of the file is read, too.
    template <class Read>
    void attempt(Read read) const
    {
        try {
            read();
        } catch (const scenario_error& e) {
            source_->refused.push_back(e);
        }
    }

    /// The line of a key of this map.
    int line_of(std::string_view name) const
    {
        for (const auto& entry : node_)
            if (entry.first.IsScalar() && entry.first.Scalar() == name)
                return of(entry.first).place().line;
        return place().line;
    }

    template <class Handle>
    void for_entries(std::string_view of_what, Handle handle) const
    {
        if (!node_.IsMap())
            refuse(fmt::format("{} must be a map of keys and values, not {}", of_what, kind()));
        std::set<std::string> seen;
        for (const auto& entry : node_) {
            const reader key = of(entry.first);
            attempt([&] {
                if (!entry.first.IsScalar())
                    key.refuse(fmt::format("a key of {} must be a word, not {}", of_what, key.kind()));
                const std::string& name = entry.first.Scalar();
                if (!seen.insert(name).second)
                    key.refuse(fmt::format("the key '{}' of {} is there twice: remove one", name, of_what));
                handle(key, name, of(entry.second));
            });
        }
    }

    std::string text(std::string_view what) const
    {
        if (!node_.IsScalar() || node_.Scalar().empty())
            refuse(fmt::format("{} must be a text, not {}", what, kind()));
        return node_.Scalar();
    }

    template <class Number>
    Number number(std::string_view what, Number least, Number most) const
    {
        const std::string digits = text(what);
        Number value{};
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
        if (error != std::errc() || end != digits.data() + digits.size() || value < least || value > most)
            refuse(
                fmt::format("{} must be a whole number from {} to {}, not '{}'", what, least, most, digits));
        return value;
    }

    /// A list of words, or one word on its own.
    std::vector<reader> items(std::string_view what) const
    {
        std::vector<reader> found;
        if (node_.IsScalar() && !node_.Scalar().empty()) {
            found.push_back(*this);
        } else if (node_.IsSequence()) {
            for (const auto& item : node_)
                found.push_back(of(item));
        } else {
            refuse(fmt::format("{} must be a list such as [a, b], not {}", what, kind()));
        }
        return found;
    }

    template <class Handle>
    void for_items(std::string_view what, Handle handle) const
    {
        for (const reader& item : items(what))
            attempt([&] { handle(item); });
    }

    /// Runs what parses this node's text, and gives its errors this node's place.
    template <class Parse>
    auto parse(std::string_view what, Parse parse) const
    {
        const std::string value = text(what);
        try {
            return parse(value);
        } catch (const scenario_error&) {
            throw;
        } catch (const input_error& e) {
            file_place at = place();
            at.column += static_cast<int>(std::min(e.offset(), value.size()));
            throw scenario_error(at, e.what());
        }
    }

    std::string kind() const
    {
        switch (node_.Type()) {
        case YAML::NodeType::Undefined:
        case YAML::NodeType::Null:
            return "nothing";
        case YAML::NodeType::Scalar:
            return node_.Scalar().empty() ? "an empty text"
                                          : fmt::format("'{}'", node_.Scalar().substr(0, 60));
        case YAML::NodeType::Sequence:
            return "a list";
        case YAML::NodeType::Map:
            return "a map";
        }
        return "something else";
    }

    void expect_error(const std::string& name) const
    {
        if (!find_error(name))
            refuse(unknown_word("error", name, error_names()));
    }

private:
    YAML::Node node_;
    source* source_;
};

/// The value of a key, which knows what its row says about it.
class value : public reader
{
public:
    value(const reader& at, const key_description& row) : reader(at), row_(row) {}

    /// What stands here, in error messages.
    std::string_view key() const noexcept { return row_.key; }

    /// A whole number within the bounds of the form.
    template <class Number>
    Number number() const
    {
        const auto [least, most] = bounds();
        return static_cast<Number>(reader::number<std::uint64_t>(key(), least, most));
    }

    /// The position of this word among the form's alternatives.
    std::size_t word(std::string_view what) const { return word_of(*this, what, row_.form); }

    /// The positions of the words of a list.
    std::vector<std::size_t> words(std::string_view what) const
    {
        const std::string_view item = row_.form.substr(1, row_.form.find(',') - 1);
        std::vector<std::size_t> found;
        for (const reader& one : items(key()))
            found.push_back(word_of(one, what, item));
        return found;
    }

    bool flag() const
    {
        const std::string given = text(key());
        if (given != "true" && given != "false")
            refuse(fmt::format("{} is true or false, not '{}'", key(), given));
        return given == "true";
    }

    /// Longer times are refused by the run, without a place.
    duration time(duration most = std::chrono::hours(50 * 365 * 24)) const
    {
        const duration given = parse(key(), [](const std::string& text) { return parse_duration(text); });
        if (given > most)
            refuse(fmt::format("{} is {}, but at most {}", key(), to_string(given), to_string(most)));
        return given;
    }

    std::vector<std::string> errors() const
    {
        std::vector<std::string> names;
        for (const reader& one : items(key())) {
            names.push_back(one.text(key()));
            one.expect_error(names.back());
        }
        return names;
    }

private:
    static std::size_t word_of(const reader& at, std::string_view what, std::string_view form)
    {
        const std::string given = at.text(what);
        std::vector<std::string> known;
        for (const std::string_view word : alternatives(form))
            known.emplace_back(word);
        const auto found = std::find(known.begin(), known.end(), given);
        if (found == known.end())
            at.refuse(unknown_word(what, given, known));
        return static_cast<std::size_t>(found - known.begin());
    }

    std::pair<std::uint64_t, std::uint64_t> bounds() const
    {
        std::pair<std::uint64_t, std::uint64_t> found{};
        for (const std::string_view one : alternatives(row_.form))
            if (const auto dots = one.find(".."); dots != std::string_view::npos) {
                std::from_chars(one.data(), one.data() + dots, found.first);
                std::from_chars(one.data() + dots + 2, one.data() + one.size(), found.second);
            }
        return found;
    }

    key_description row_;
};

/// A key, and how its value is read into a `State`.
template <class State>
struct key_row
{
    std::string_view key;
    std::string_view form;
    std::string_view otherwise;
    std::string_view about;
    void (*read)(const value&, State&);
    /// For a term of the contract: the member that it sets.
    std::string_view member = {};

    key_description description() const noexcept { return {key, form, otherwise, about, member}; }
};

/// Reads a map whose keys are these. Duplicate, unknown and non-scalar keys are refused.
template <class State, std::size_t N>
void read_keys(const reader& at, std::string_view of_what, const key_row<State> (&rows)[N], State& into)
{
    at.for_entries(of_what, [&](const reader& key, const std::string& name, const reader& given) {
        const auto row =
            std::find_if(std::begin(rows), std::end(rows), [&](const auto& r) { return r.key == name; });
        if (row == std::end(rows)) {
            std::vector<std::string> known;
            for (const auto& r : rows)
                known.emplace_back(r.key);
            key.refuse(unknown_word(fmt::format("key of {}", of_what), name, known));
        }
        row->read(value(given, row->description()), into);
    });
}

template <class State, std::size_t N>
key_section section_of(std::string_view path, const key_row<State> (&rows)[N])
{
    key_section section{path, {}};
    for (const auto& row : rows)
        section.keys.push_back(row.description());
    return section;
}

/// Replaces the terms that a scenario gives.
void read_contract(const reader& at, contract& into);

} // namespace mishap::detail
