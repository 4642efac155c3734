// SPDX-License-Identifier: MIT
#include "setup.hpp"

#include "address.hpp"

#include <mishap/error.hpp>
#include <mishap/input_error.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

namespace mishap::network {

namespace {

/// The words of a line, one by one, with their offsets.
class words
{
public:
    explicit words(std::string_view line) : line_(line) { skip(); }

    bool done() const noexcept { return at_ == line_.size(); }
    std::size_t offset() const noexcept { return at_; }

    std::string_view next(std::string_view what)
    {
        if (done())
            throw input_error(fmt::format("{} is missing at the end", what), line_.size());
        const std::size_t start = at_;
        at_ = std::min(line_.find(' ', at_), line_.size());
        const std::string_view found = line_.substr(start, at_ - start);
        skip();
        return found;
    }

    void expect(std::string_view word)
    {
        const std::size_t start = at_;
        const std::string_view found = next(fmt::format("'{}'", word));
        if (found != word)
            throw input_error(fmt::format("'{}' stands where '{}' is expected", found, word), start);
    }

    /// Reads the next word, and gives errors their place in the line.
    template <class Read>
    auto read(std::string_view what, Read how)
    {
        const std::size_t start = at_;
        const std::string_view word = next(what);
        try {
            return how(word);
        } catch (const input_error& e) {
            throw input_error(e.what(), start + e.offset());
        }
    }

private:
    void skip() { at_ = std::min(line_.find_first_not_of(" \t", at_), line_.size()); }

    std::string_view line_;
    std::size_t at_ = 0;
};

constexpr std::pair<statement::verb, std::string_view> verbs[] = {{statement::verb::partition, "partition"},
    {statement::verb::route, "route"}, {statement::verb::restart, "restart"},
    {statement::verb::resolve, "resolve"}, {statement::verb::refuse, "refuse"},
    {statement::verb::black_hole, "black_hole"}};

/// No sum of such times overflows.
constexpr duration longest = std::chrono::hours(50 * 365 * 24);

duration read_time(words& from)
{
    return from.read("a time", [](std::string_view word) {
        const duration read = parse_duration(word);
        if (read > longest)
            throw input_error(fmt::format("{} is longer than 50 years", word), 0);
        return read;
    });
}

void read_span(words& from, statement& into)
{
    from.expect("from");
    into.from = read_time(from);
    from.expect("to");
    const std::size_t start = from.offset();
    into.to = read_time(from);
    if (into.to <= into.from)
        throw input_error(fmt::format("it ends at {}, before it begins at {}", mishap::to_string(into.to),
                              mishap::to_string(into.from)),
            start);
}

std::string read_host(words& from)
{
    return from.read("a host", [](std::string_view word) {
        if (word == "|" || word.find(':') != std::string_view::npos)
            throw input_error(
                fmt::format("'{}' is no host: write a name without a port, such as shop.example", word), 0);
        return word == "*" ? std::string() : std::string(word);
    });
}

void read_hosts(words& from, statement& into)
{
    into.a = read_host(from);
    from.expect("|");
    into.b = read_host(from);
}

void read_place(words& from, statement& into)
{
    into.a = from.read("a place", [](std::string_view word) {
        parse_place(word);
        return std::string(word);
    });
}

void read_route(words& from, statement& into)
{
    read_hosts(from, into);
    do {
        const std::size_t start = from.offset();
        const std::string_view what = from.next("'latency', 'jitter' or 'bandwidth'");
        if (what == "latency")
            into.latency = read_time(from);
        else if (what == "jitter")
            into.jitter = read_time(from);
        else if (what == "bandwidth")
            into.bandwidth = from.read("a number of bytes each second", [](std::string_view word) {
                std::uint64_t number = 0;
                const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
                constexpr std::uint64_t most = 1'000'000'000'000;
                if (error != std::errc() || end != word.data() + word.size() || number == 0 || number > most)
                    throw input_error(
                        fmt::format("'{}' is no number of bytes each second: write 1 to {}", word, most), 0);
                return number;
            });
        else
            throw input_error(unknown_word("property of a route", what,
                                  std::vector<std::string>{"latency", "jitter", "bandwidth"}),
                start);
    } while (!from.done());
}

void read_names(words& from, statement& into)
{
    into.a = read_host(from);
    from.expect("to");
    do {
        const std::string one = from.read("an address", [](std::string_view word) {
            if (word != "nothing" && !parse_host(word))
                throw input_error(fmt::format("'{}' is no address: write 10.0.0.7 or fd00::7", word), 0);
            return std::string(word);
        });
        if (one != "nothing")
            into.addresses.push_back(one);
        else
            return;
    } while (!from.done());
}

std::string_view host_word(const std::string& host) { return host.empty() ? "*" : std::string_view(host); }

std::string quoted(std::string_view text)
{
    std::string all = "'";
    for (const char c : text)
        all.append(c == '\'' ? 2 : 1, c);
    return all + '\'';
}

} // namespace

statement parse_statement(std::string_view line)
{
    words from(line);
    const std::size_t start = from.offset();
    const std::string_view word = from.next("what there is to say of the network");
    const auto found =
        std::find_if(std::begin(verbs), std::end(verbs), [&](const auto& one) { return one.second == word; });
    if (found == std::end(verbs)) {
        std::vector<std::string> known;
        for (const auto& [verb, name] : verbs)
            known.emplace_back(name);
        throw input_error(unknown_word("statement about a network", word, known), start);
    }
    statement read{.what = found->first};
    switch (read.what) {
    case statement::verb::partition:
        read_hosts(from, read);
        read_span(from, read);
        break;
    case statement::verb::route:
        read_route(from, read);
        break;
    case statement::verb::restart:
        read_place(from, read);
        read_span(from, read);
        break;
    case statement::verb::resolve:
        read_names(from, read);
        break;
    case statement::verb::refuse:
    case statement::verb::black_hole:
        read_place(from, read);
        break;
    }
    if (!from.done())
        throw input_error(
            fmt::format("nothing follows here: remove '{}'", line.substr(from.offset())), from.offset());
    return read;
}

std::string to_string(const statement& one)
{
    std::string text;
    for (const auto& [verb, name] : verbs)
        if (verb == one.what)
            text = name;
    const bool hosts = one.what == statement::verb::partition || one.what == statement::verb::route;
    text += hosts ? fmt::format(" {} | {}", host_word(one.a), host_word(one.b)) : ' ' + one.a;
    if (one.what == statement::verb::partition || one.what == statement::verb::restart)
        text += fmt::format(" from {} to {}", mishap::to_string(one.from), mishap::to_string(one.to));
    if (one.what == statement::verb::route) {
        text += fmt::format(" latency {}", mishap::to_string(one.latency));
        if (one.jitter > duration(0))
            text += fmt::format(" jitter {}", mishap::to_string(one.jitter));
        if (one.bandwidth != 0)
            text += fmt::format(" bandwidth {}", one.bandwidth);
    }
    if (one.what == statement::verb::resolve)
        text += one.addresses.empty() ? std::string(" to nothing")
                                      : fmt::format(" to {}", fmt::join(one.addresses, " "));
    return text;
}

std::string to_yaml(const setup& all)
{
    std::string text;
    if (!all.statements.empty())
        text += "network:\n";
    for (const statement& one : all.statements)
        text += fmt::format("  - {}\n", quoted(to_string(one)));
    if (!all.peers.empty())
        text += "peer:\n";
    for (const auto& [where, script] : all.peers) {
        text += fmt::format("  {}:\n", quoted(where));
        for (const script::step& step : script->steps)
            text += fmt::format("    - {}\n", quoted(to_string(step)));
    }
    return text;
}

} // namespace mishap::network
