#include <mishap/duration.hpp>
#include <mishap/error.hpp>
#include <mishap/input_error.hpp>
#include <mishap/plan.hpp>

#include <boost/crc.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

namespace mishap {

namespace {

constexpr std::string_view format_version = "1";
constexpr std::uint32_t clients_max = 100;

bool shows_clients(const fault_plan& plan)
{
    return std::any_of(plan.perturbations.begin(), plan.perturbations.end(),
        [](const perturbation& p) { return p.at.lane > 0 || (p.cancels && p.cancels->client > 0); });
}

std::string without_first(std::string text)
{
    // "#1" is what no occurrence means.
    if (text.ends_with("#1"))
        text.resize(text.size() - 2);
    return text;
}

/// `c1 queued c0/session.use#1 +2 partial`, or `c1 after 7 steps`.
std::string to_words(const perturbation& p)
{
    const cancellation_point& c = *p.cancels;
    std::string text =
        c.when == moment::steps
            ? fmt::format("{} after {} steps", lane_name(c.client), c.steps)
            : fmt::format("{} {} {}", lane_name(c.client), to_string(c.when), to_string(p.at, true));
    if (c.when != moment::steps && c.steps != 0)
        text += fmt::format(" +{}", c.steps);
    if (c.type != cancellation::terminal)
        text.append(" ").append(to_string(c.type));
    return text;
}

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

struct word
{
    std::string_view text;
    std::size_t offset;
};

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

std::string to_word(const lazy_faults& lazy)
{
    std::string weights;
    for (std::size_t kind = 1; kind < fault_kinds; ++kind)
        weights += fmt::format("{}{}", kind == 1 ? "" : ":", lazy.weights[kind]);
    return fmt::format("random({:016x},{},{},{})", lazy.seed, lazy.per_mille, weights, lazy.at_most);
}

template <class Number>
Number parse_number(std::string_view text, std::size_t offset, int base = 10)
{
    Number value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (text.empty() || error != std::errc() || end != text.data() + text.size())
        throw input_error(fmt::format("'{}' is no number that fits here", text), offset);
    return value;
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

lazy_faults parse_lazy(const word& arguments)
{
    const auto parts = split_at(arguments.text, ',', arguments.offset);
    if (parts.size() != 4)
        throw input_error(
            fmt::format("'random({})' needs a seed, a rate, weights and a bound", arguments.text),
            arguments.offset);
    lazy_faults lazy;
    lazy.seed = parse_number<std::uint64_t>(parts[0].text, parts[0].offset, 16);
    lazy.per_mille = parse_number<std::uint32_t>(parts[1].text, parts[1].offset);
    if (lazy.per_mille > 1000)
        throw input_error(
            fmt::format("'{}' is no rate: it counts in a thousand", parts[1].text), parts[1].offset);
    const auto weights = split_at(parts[2].text, ':', parts[2].offset);
    if (weights.size() != fault_kinds - 1)
        throw input_error(
            fmt::format("'{}' needs {} weights", parts[2].text, fault_kinds - 1), parts[2].offset);
    for (std::size_t i = 0; i < weights.size(); ++i)
        lazy.weights[i + 1] = parse_number<std::uint8_t>(weights[i].text, weights[i].offset);
    lazy.at_most = parse_number<std::uint32_t>(parts[3].text, parts[3].offset);
    return lazy;
}

template <class Parse>
auto at_offset(std::size_t offset, Parse parse)
{
    try {
        return parse();
    } catch (const input_error& e) {
        throw input_error(e.what(), offset + e.offset());
    }
}

perturbation parse_perturbation(const word& w)
{
    const auto equals = w.text.find('=');
    if (equals == std::string_view::npos)
        throw input_error(
            fmt::format(
                "'{}' is no part of a plan; write operation=fault, such as session.query#2=hang", w.text),
            w.offset);
    const word target{w.text.substr(0, equals), w.offset};
    const word what{w.text.substr(equals + 1), w.offset + equals + 1};
    perturbation p;
    // body=fail(io_error after session.query#2)
    if (const auto after = what.text.find(" after "); after != std::string_view::npos) {
        if (what.text.back() != ')')
            throw input_error(fmt::format("'{}' has no closing bracket", w.text), w.offset);
        const operation_id body = at_offset(target.offset, [&] { return parse_operation(target.text); });
        if (body != body_operation(body.lane))
            throw input_error(fmt::format("'{}': only a body fails after an operation", w.text), w.offset);
        const std::string_view anchor = what.text.substr(after + 7, what.text.size() - after - 8);
        p.at = at_offset(what.offset + after + 7, [&] { return parse_operation(anchor); });
        p.fault = at_offset(
            what.offset, [&] { return parse_fault(std::string(what.text.substr(0, after)) + ')'); });
        p.fails_body = true;
        if (p.at.lane != body.lane)
            throw input_error(
                fmt::format(
                    "'{}': a body fails after an operation of its own, not of another client's", w.text),
                w.offset);
        if (p.fault.kind != fault_kind::fail)
            throw input_error(fmt::format("'{}': after an operation a body can only fail", w.text), w.offset);
        return p;
    }
    p.at = at_offset(target.offset, [&] { return parse_operation(target.text); });
    p.fault = at_offset(what.offset, [&] { return parse_fault(what.text); });
    return p;
}

lane parse_client(std::string_view text, std::size_t offset)
{
    unsigned client = 0;
    const auto [end, error] = std::from_chars(
        text.data() + std::min<std::size_t>(1, text.size()), text.data() + text.size(), client);
    if (text.size() < 2 || text[0] != 'c' || error != std::errc() || end != text.data() + text.size() ||
        client > 999)
        throw input_error(fmt::format("'{}' is no client (c0, c1, ...)", text), offset);
    return static_cast<lane>(client);
}

perturbation parse_cancellation(const word& arguments)
{
    std::vector<word> words;
    for (const word& w : split_at(arguments.text, ' ', arguments.offset))
        if (!w.text.empty())
            words.push_back(w);
    const auto refuse = [&](std::size_t at, std::string_view why) {
        return input_error(
            fmt::format("'cancel({})': {}; write cancel(c0 queued session.query#2) or cancel(c0 after 7 "
                        "steps)",
                arguments.text, why),
            at < words.size() ? words[at].offset : arguments.offset);
    };
    if (words.size() < 3)
        throw refuse(0, "it needs a client, a moment and an operation");
    perturbation p;
    cancellation_point& c = p.cancels.emplace();
    c.client = parse_client(words[0].text, words[0].offset);
    std::size_t next = 3;
    const std::string_view when = words[1].text;
    if (when == "after" && words.size() > 3 && words[3].text == "steps") {
        c.when = moment::steps;
        c.steps = parse_number<std::uint32_t>(words[2].text, words[2].offset);
        next = 4;
    } else {
        if (when == "during") {
            // The same thing has one name only.
            p.at = at_offset(words[2].offset, [&] { return parse_operation(words[2].text); });
            if (p.at.lane != c.client)
                throw refuse(1, "'during' is for the client's own operation");
            p.fault = fault::cancel();
            p.cancels.reset();
            return p;
        }
        if (when == "before")
            c.when = moment::before;
        else if (when == "queued")
            c.when = moment::queued;
        else if (when == "after")
            c.when = moment::after;
        else
            throw refuse(1, "the moment is one of before, during, queued, after");
        p.at = at_offset(words[2].offset, [&] { return parse_operation(words[2].text); });
        if (next < words.size() && words[next].text.starts_with("+")) {
            c.steps = parse_number<std::uint32_t>(words[next].text.substr(1), words[next].offset + 1);
            ++next;
        }
    }
    if (next < words.size()) {
        if (words[next].text == "partial")
            c.type = cancellation::partial;
        else if (words[next].text == "total")
            c.type = cancellation::total;
        else if (words[next].text != "terminal")
            throw refuse(next, "the type is one of terminal, partial, total");
        ++next;
    }
    if (next != words.size())
        throw refuse(next, "this is one word too many");
    return p;
}

std::uint16_t checksum(std::string_view text)
{
    boost::crc_ccitt_type crc;
    crc.process_bytes(text.data(), text.size());
    return crc.checksum();
}

} // namespace

std::string_view to_string(moment when) noexcept
{
    switch (when) {
    case moment::before:
        return "before";
    case moment::queued:
        return "queued";
    case moment::after:
        return "after";
    case moment::steps:
        return "steps";
    }
    return "?";
}

const perturbation* fault_plan::find(const operation_id& id) const noexcept
{
    for (const perturbation& p : perturbations)
        if (!p.cancels && p.at == id)
            return &p;
    return nullptr;
}

fault_plan& fault_plan::at(std::string_view operation, fault what)
{
    perturbations.push_back({.at = parse_operation(operation), .fault = what});
    return *this;
}

std::string to_string(const fault_plan& plan)
{
    const bool clients = shows_clients(plan);
    std::vector<std::string> words;
    for (const perturbation& p : plan.perturbations) {
        if (p.cancels)
            words.push_back(fmt::format("cancel({})", to_words(p)));
        else if (p.fails_body)
            words.push_back(fmt::format("{}=fail({} after {})",
                without_first(to_string(body_operation(p.at.lane), clients)), p.fault.error.text(),
                to_string(p.at, clients)));
        else
            words.push_back(fmt::format("{}={}", without_first(to_string(p.at, clients)), to_token(p.fault)));
    }
    if (plan.clients != 0)
        words.push_back(fmt::format("clients({})", plan.clients));
    if (plan.sequential)
        words.push_back("sequential");
    if (plan.step_cost != duration(0))
        words.push_back(fmt::format("step_cost({})", to_string(plan.step_cost)));
    if (plan.lazy)
        words.push_back(to_word(*plan.lazy));
    for (const auto& [name, value] : plan.settings)
        words.push_back(fmt::format("with({}={})", quote(name), quote(value)));
    return fmt::format("{}", fmt::join(words, " "));
}

fault_plan parse_plan(std::string_view line)
{
    fault_plan plan;
    for (const word& w : split_words(line)) {
        if (const auto setting = arguments_of(w, "with")) {
            const auto equals = setting->text.find('=');
            if (equals == std::string_view::npos)
                throw input_error(fmt::format("'{}' has no '='", w.text), w.offset);
            const std::string name = unquote(setting->text.substr(0, equals), setting->offset);
            if (name.empty())
                throw input_error(fmt::format("the setting '{}' has no name", w.text), w.offset);
            const auto added = plan.settings.emplace(
                name, unquote(setting->text.substr(equals + 1), setting->offset + equals + 1));
            if (!added.second)
                throw input_error(fmt::format("the setting '{}' is set twice", name), w.offset);
        } else if (const auto clients = arguments_of(w, "clients")) {
            plan.clients = parse_number<std::uint32_t>(clients->text, clients->offset);
            if (plan.clients == 0 || plan.clients > clients_max)
                throw input_error(
                    fmt::format("'{}' is no number of clients: 1 to {}", clients->text, clients_max),
                    clients->offset);
        } else if (w.text == "sequential") {
            plan.sequential = true;
        } else if (const auto cancelled = arguments_of(w, "cancel")) {
            plan.perturbations.push_back(parse_cancellation(*cancelled));
        } else if (const auto cost = arguments_of(w, "step_cost")) {
            plan.step_cost = at_offset(cost->offset, [&] { return parse_duration(cost->text); });
        } else if (const auto lazy = arguments_of(w, "random")) {
            if (plan.lazy)
                throw input_error(
                    fmt::format("'{}' is there twice: a plan has one random part", w.text), w.offset);
            plan.lazy = parse_lazy(*lazy);
        } else {
            const perturbation p = parse_perturbation(w);
            if (plan.find(p.at))
                throw input_error(fmt::format("'{}' is perturbed twice", to_string(p.at)), w.offset);
            plan.perturbations.push_back(p);
        }
    }
    return plan;
}

std::string to_string(const replay_token& token)
{
    std::string text = fmt::format("{} {}", format_version, quote(token.manager));
    if (const std::string plan = to_string(token.plan); !plan.empty())
        text += ' ' + plan;
    return fmt::format("{} ~{:04x}", text, checksum(text));
}

replay_token parse_token(std::string_view token)
{
    while (!token.empty() && (token.back() == '\n' || token.back() == ' '))
        token.remove_suffix(1);
    const auto tilde = token.rfind(" ~");
    if (tilde == std::string_view::npos)
        throw input_error(
            "this token does not end in a checksum such as ' ~7f3a': copy the whole line", token.size());
    const std::string_view text = token.substr(0, tilde);
    const std::string_view sum = token.substr(tilde + 2);
    if (sum != fmt::format("{:04x}", checksum(text)))
        throw input_error(
            fmt::format("the checksum ~{} does not fit this token: it was changed or cut; copy the "
                        "whole line from the report",
                sum),
            tilde + 2);
    const auto words = split_words(text);
    if (words.size() < 2)
        throw input_error("a token has a version, a manager and a plan", 0);
    if (words[0].text != format_version)
        throw input_error(fmt::format("this token has format version '{}', but this mishap reads version {}",
                              words[0].text, format_version),
            0);
    replay_token parsed;
    parsed.manager = unquote(words[1].text, words[1].offset);
    const std::size_t plan_at = words[1].offset + words[1].text.size();
    parsed.plan = at_offset(plan_at, [&] { return parse_plan(text.substr(plan_at)); });
    return parsed;
}

} // namespace mishap
