// SPDX-License-Identifier: MIT
#include "network_keys.hpp"

#include "document.hpp"

#include "network/address.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace mishap::detail {

namespace {

/// What a file holds that the scenario names, from the scenario's own folder on.
std::string contents_named(const reader& at, std::string_view what)
{
    const std::string name = at.text(what);
    const std::filesystem::path file = std::filesystem::path(at.from().file).parent_path() / name;
    std::error_code error;
    if (!std::filesystem::is_regular_file(file, error))
        at.refuse(
            fmt::format("there is no file {}: its name is relative to the scenario's folder", file.string()));
    std::ifstream in(file, std::ios::binary);
    std::string all{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    if (in.bad())
        at.refuse(fmt::format("{} cannot be read", file.string()));
    if (all.size() > file_size_max)
        at.refuse(
            fmt::format("{} has {} bytes; at most {} are read", file.string(), all.size(), file_size_max));
    return all;
}

/// Bytes as a text, or those of a file.
network::script::step read_step(const reader& key, const std::string& word, const reader& given)
{
    if (given.node().IsMap()) {
        network::script::step step;
        if (word == "skip" || word == "wait")
            key.refuse(fmt::format("'{}' takes no bytes", word));
        if (word != "expect" && word != "until" && word != "reply")
            key.parse("a step", [](const std::string& verb) { return network::make_step(verb, "?"); });
        bool has_file = false;
        given.for_entries("a step", [&](const reader& name, const std::string& what, const reader& file) {
            if (what != "file")
                name.refuse(unknown_word("key of a step", what, std::vector<std::string>{"file"}));
            step = network::make_step(word, "?");
            step.data = contents_named(file, "the name of a file");
            has_file = true;
        });
        if (!has_file && given.from().refused.empty())
            given.refuse("a step is a text, or {file: NAME}");
        return step;
    }
    const std::string rest = given.text(fmt::format("what follows '{}'", word));
    if (word == "expect" || word == "until" || word == "reply" || word == "skip" || word == "wait")
        return given.parse("a step", [&](const std::string&) { return network::make_step(word, rest); });
    // Unknown, or one that takes nothing: the word is at fault.
    return key.parse("a step", [&](const std::string&) { return network::make_step(word, rest); });
}

network::script read_script(const reader& at)
{
    network::script read;
    if (at.node().IsScalar() && at.node().Scalar().find(' ') == std::string::npos &&
        at.node().Scalar().find('.') != std::string::npos) {
        const std::string text = contents_named(at, "a script");
        try {
            return network::parse_script(text);
        } catch (const input_error& e) {
            at.refuse(fmt::format("{}: {}", at.node().Scalar(), e.what()));
        }
    }
    at.for_items("a peer", [&](const reader& item) {
        if (!item.node().IsMap()) {
            read.steps.push_back(
                item.parse("a step", [](const std::string& line) { return network::parse_step(line); }));
            return;
        }
        if (item.node().size() != 1)
            item.refuse("each step is an item of its own: write [expect: a, reply: b]");
        item.for_entries("a step", [&](const reader& key, const std::string& word, const reader& given) {
            read.steps.push_back(read_step(key, word, given));
        });
    });
    return read;
}

} // namespace

void read_network(const reader& at, network::setup& into)
{
    at.for_items("network", [&](const reader& item) {
        into.statements.push_back(item.parse("a statement about the network",
            [](const std::string& line) { return network::parse_statement(line); }));
    });
    if (at.node().IsSequence() && at.node().size() == 0)
        at.refuse("network is empty: leave it out");
}

void read_peers(const reader& at, network::setup& into)
{
    at.for_entries("peer", [&](const reader& key, const std::string& where, const reader& script) {
        key.parse("a place", [](const std::string& text) { return network::parse_place(text); });
        into.peers.emplace_back(where, std::make_shared<const network::script>(read_script(script)));
    });
    if (at.node().IsMap() && at.node().size() == 0)
        at.refuse("peer is empty: leave it out");
}

} // namespace mishap::detail
