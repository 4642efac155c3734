// SPDX-License-Identifier: MIT
#include "argument_reader.hpp"
#include "plan_words.hpp"

#include <mishap/duration.hpp>
#include <mishap/error.hpp>
#include <mishap/plan.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>
#include <map>

namespace mishap {

using namespace detail;

namespace {

bool shows_clients(const fault_plan& plan)
{
    return std::any_of(plan.perturbations.begin(), plan.perturbations.end(), [](const perturbation& p) {
        return p.at.lane > 0 || (p.interrupts() && p.interrupts()->client > 0) || p.yields();
    });
}

std::string without_first(std::string text)
{
    // "#1" is what no occurrence means.
    if (text.ends_with("#1"))
        text.resize(text.size() - 2);
    return text;
}

/// `session.query`, `c1/session.query#2`, or a pattern such as `*/session.query#2..`.
std::string target_of(const perturbation& p, bool show_client)
{
    const repetition* many = p.repeats();
    if (!many)
        return without_first(to_string(p.at, show_client));
    operation_id first = p.at;
    if (many->every_lane)
        first.lane = 0;
    std::string text = to_string(first, show_client && !many->every_lane);
    if (many->every_lane)
        text.insert(0, "*/");
    if (many->last == first.occurrence)
        return without_first(text);
    if (many->last != std::numeric_limits<std::uint32_t>::max())
        return text + fmt::format("..{}", many->last);
    if (first.occurrence == 1)
        return text.substr(0, text.rfind('#')) + "#*";
    return text + "..";
}

std::string whom(lane client) { return client == whole_world ? "world" : lane_name(client); }

/// `cancel(c1 queued c0/session.use#1 +2 partial)`, or `abandon(world after 7 steps)`.
std::string to_word(const operation_id& at, const interruption& i)
{
    std::string text = i.what == interruption::action::cancel ? "cancel" : "abandon";
    text += i.when == moment::steps
                ? fmt::format("({} after {} steps", whom(i.client), i.steps)
                : fmt::format("({} {} {}", whom(i.client), to_string(i.when), to_string(at, true));
    if (i.when != moment::steps && i.steps != 0)
        text += fmt::format(" +{}", i.steps);
    if (i.type != cancellation::terminal)
        text.append(" ").append(to_string(i.type));
    return text + ')';
}

/// `run(c1 before c0/session.close#1 +2)`: the lane takes two steps more first.
std::string to_word(const operation_id& at, const deviation& d)
{
    return fmt::format("run({} before {}{})", lane_name(d.first), to_string(at, true),
        d.steps == 1 ? "" : fmt::format(" +{}", d.steps));
}

/// As many kinds as the first lines knew, with `ok`.
constexpr std::size_t first_kinds = 11;

std::string to_word(const lazy_faults& lazy)
{
    // Kinds that came later are written where they take part, so that old lines keep their meaning.
    std::size_t kinds = fault_kinds;
    while (kinds > first_kinds && lazy.weights[kinds - 1] == 0)
        --kinds;
    std::string weights;
    for (std::size_t kind = 1; kind < kinds; ++kind)
        weights += fmt::format("{}{}", kind == 1 ? "" : ":", lazy.weights[kind]);
    return fmt::format("random({:016x},{},{},{})", lazy.seed, lazy.per_mille, weights, lazy.at_most);
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
    if (weights.size() < first_kinds - 1 || weights.size() >= fault_kinds)
        throw input_error(
            fmt::format("'{}' needs {} weights", parts[2].text, first_kinds - 1), parts[2].offset);
    for (std::size_t i = 0; i < weights.size(); ++i)
        lazy.weights[i + 1] = parse_number<std::uint8_t>(weights[i].text, weights[i].offset);
    lazy.at_most = parse_number<std::uint32_t>(parts[3].text, parts[3].offset);
    return lazy;
}

constexpr std::string_view schedule_words[] = {"fifo", "random", "pct"};

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
    const operation_pattern pattern = at_offset(target.offset, [&] { return parse_pattern(target.text); });
    const operation_id& at = pattern.first;
    if (const auto failure = at_offset(what.offset, [&] { return parse_body_failure(what.text, at.lane); })) {
        if (pattern.repeats || at != body_operation(at.lane))
            throw input_error(
                fmt::format("'{}': only a body fails before or after an operation", w.text), w.offset);
        return *failure;
    }
    const fault does = at_offset(what.offset, [&] { return parse_fault(what.text); });
    return {.at = at, .what = operation_fault{.fault = does, .repeats = pattern.repeats}};
}

perturbation parse_interruption(const word& arguments, interruption::action what)
{
    const bool cancels = what == interruption::action::cancel;
    argument_reader in(arguments, cancels ? "cancel" : "abandon",
        cancels ? "cancel(c0 queued session.query#2) or cancel(c0 after 7 steps)"
                : "abandon(c0 queued session.query#2) or abandon(world after 7 steps)");
    operation_id at;
    interruption i{.what = what};
    bool during = false;
    if (!cancels && in.take_if("world")) {
        i.client = whole_world;
    } else {
        const word client = in.take("a client, a moment and an operation");
        i.client = parse_client(client.text, client.offset);
    }
    if (in.peek() == "after" && in.peek(2) == "steps") {
        in.take_if("after");
        i.when = moment::steps;
        i.steps = in.take_number("a number of steps");
        in.take_if("steps");
    } else {
        const std::string_view when = in.take("a moment").text;
        during = when == "during";
        if (!cancels && (during || when == "before"))
            in.refuse("a client is abandoned where it is suspended, queued or after an operation", 1);
        if (when == "before")
            i.when = moment::before;
        else if (when == "queued" || during)
            i.when = moment::queued;
        else if (when == "after")
            i.when = moment::after;
        else
            in.refuse(
                fmt::format("the moment is one of {}queued, after", cancels ? "before, during, " : ""), 1);
        at = in.take_operation();
        if (during && at.lane != i.client)
            in.refuse("'during' is for the client's own operation", 2);
        if (!during)
            i.steps = in.take_steps(0);
    }
    if (cancels && !in.done()) {
        if (in.take_if("partial"))
            i.type = cancellation::partial;
        else if (in.take_if("total"))
            i.type = cancellation::total;
        else if (!in.take_if("terminal"))
            in.refuse("the type is one of terminal, partial, total");
    }
    in.expect_end();
    if (during) // the same thing has one name only
        return {.at = at, .what = operation_fault{fault::cancel(i.type)}};
    return {.at = at, .what = i};
}

} // namespace

operation_pattern parse_pattern(std::string_view text)
{
    operation_pattern pattern;
    std::string plain(text);
    std::size_t cut = 0;
    repetition many{.last = 0};
    if (plain.starts_with("*/")) {
        many.every_lane = true;
        plain.erase(0, 2);
        cut = 2;
    }
    constexpr std::uint32_t all = std::numeric_limits<std::uint32_t>::max();
    const auto hash = plain.find('#');
    if (hash != std::string::npos) {
        const std::string_view count = std::string_view(plain).substr(hash + 1);
        const auto dots = count.find("..");
        if (count == "*") {
            many.last = all;
            plain.resize(hash);
        } else if (dots != std::string_view::npos) {
            const std::string_view last = count.substr(dots + 2);
            many.last = last.empty() ? all : parse_number<std::uint32_t>(last, cut + hash + 1 + dots + 2);
            plain.resize(hash + 1 + dots);
        }
    }
    pattern.first = at_offset(cut, [&] { return parse_operation(plain); });
    if (many.last != 0 && many.last < pattern.first.occurrence)
        throw input_error(
            fmt::format("'{}': its last occurrence comes before its first", text), cut + hash + 1);
    if (many.last == 0)
        many.last = pattern.first.occurrence;
    if (many.every_lane || many.last != pattern.first.occurrence)
        pattern.repeats = many;
    return pattern;
}

std::string to_string(const fault_plan& plan)
{
    const bool clients = shows_clients(plan);
    std::vector<std::string> words;
    for (const perturbation& p : plan.perturbations) {
        if (const auto* struck = p.interrupts())
            words.push_back(to_word(p.at, *struck));
        else if (const auto* held_back = p.yields())
            words.push_back(to_word(p.at, *held_back));
        else if (const auto* failure = p.fails_body())
            words.push_back(
                fmt::format("{}=fail({} {} {})", without_first(to_string(body_operation(p.at.lane), clients)),
                    failure->error.text(), failure->before ? "before" : "after", to_string(p.at, clients)));
        else
            words.push_back(fmt::format("{}={}", target_of(p, clients), to_token(p.fault())));
    }
    if (plan.clients != 0)
        words.push_back(fmt::format("clients({})", plan.clients));
    if (plan.sequential)
        words.push_back("sequential");
    if (plan.relay)
        words.push_back("relay");
    for (const auto& [client, when] : plan.arrivals)
        words.push_back(fmt::format("arrive({} {})", lane_name(client), to_string(when)));
    if (plan.step_cost != duration(0))
        words.push_back(fmt::format("step_cost({})", to_string(plan.step_cost)));
    if (plan.lazy)
        words.push_back(to_word(*plan.lazy));
    if (plan.schedule && plan.schedule->kind != schedule_kind::fifo)
        words.push_back(fmt::format("schedule({})", detail::text_of_drawn(*plan.schedule)));
    for (const auto& [name, value] : plan.settings)
        words.push_back(fmt::format("with({}={})", quote(name), quote(value)));
    for (const std::string& name : plan.invalid_settings)
        words.push_back(fmt::format("invalid({})", quote(name)));
    return fmt::format("{}", fmt::join(words, " "));
}

/// `pct,SEED,DEPTH,OPERATIONS`, `random,SEED`.
std::string detail::text_of_drawn(const drawn_schedule& s)
{
    const std::string_view word = schedule_words[static_cast<std::size_t>(s.kind)];
    return s.kind == schedule_kind::pct ? fmt::format("{},{:016x},{},{}", word, s.seed, s.depth, s.operations)
                                        : fmt::format("{},{:016x}", word, s.seed);
}

drawn_schedule detail::parse_drawn(const word& arguments)
{
    const auto parts = split_at(arguments.text, ',', arguments.offset);
    const bool is_pct = parts[0].text == "pct";
    if ((!is_pct && parts[0].text != "random") || parts.size() != (is_pct ? 4u : 2u))
        throw input_error(
            fmt::format("'schedule({})' is no schedule that was drawn: random and a seed, or pct, a seed, a "
                        "depth and a number of operations",
                arguments.text),
            arguments.offset);
    drawn_schedule drawn{.kind = is_pct ? schedule_kind::pct : schedule_kind::random};
    drawn.seed = parse_number<std::uint64_t>(parts[1].text, parts[1].offset, 16);
    if (is_pct) {
        drawn.depth = parse_number<std::uint32_t>(parts[2].text, parts[2].offset);
        drawn.operations = parse_number<std::uint32_t>(parts[3].text, parts[3].offset);
        if (drawn.depth == 0 || drawn.depth > depth_max)
            throw input_error(
                fmt::format("'{}' is no depth: 1 to {}", parts[2].text, depth_max), parts[2].offset);
    }
    return drawn;
}

std::string to_string(const drawn_schedule& s)
{
    const std::string word(schedule_words[static_cast<std::size_t>(s.kind)]);
    return s.kind == schedule_kind::pct ? fmt::format("{} {}", word, s.depth) : word;
}

detail::asked_schedule detail::parse_schedule(std::string_view text, bool of_sweep)
{
    const auto space = std::min(text.find(' '), text.size());
    const std::string_view name = text.substr(0, space);
    const std::string_view number = text.substr(std::min(space + 1, text.size()));
    const std::vector<std::string> known = of_sweep ? std::vector<std::string>{"fifo", "all"}
                                                    : std::vector<std::string>{"fifo", "random", "pct"};
    if (std::find(known.begin(), known.end(), name) == known.end())
        throw input_error(of_sweep && (name == "random" || name == "pct")
                              ? fmt::format("a schedule '{}' is drawn, so it is one of random campaigns; a "
                                            "sweep takes fifo, or all 2",
                                    name)
                          : name == "all" ? std::string("every schedule is what a sweep tries; a random "
                                                        "campaign takes fifo, random, or pct 3")
                                          : unknown_word("schedule", name, known));
    asked_schedule asked;
    if (name == "all" || name == "pct") {
        const unsigned most = name == "all" ? 8 : depth_max;
        const auto given = number.empty() ? 0u : parse_number<unsigned>(number, space + 1);
        if (given == 0 || given > most)
            throw input_error(
                fmt::format("'{}' needs a number from 1 to {}, such as {} 2", name, most, name), space);
        if (name == "all")
            asked.preemptions = given;
        else
            asked.drawn = {.kind = schedule_kind::pct, .depth = given};
    } else if (space != text.size()) {
        throw input_error(fmt::format("'{}' takes no number", name), space);
    } else if (name == "random") {
        asked.drawn.kind = schedule_kind::random;
    }
    return asked;
}

fault_plan parse_plan(std::string_view line)
{
    fault_plan plan;
    std::map<std::string, std::size_t> invalid_at;
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
        } else if (const auto refused = arguments_of(w, "invalid")) {
            std::string name = unquote(refused->text, refused->offset);
            if (invalid_at.contains(name))
                throw input_error(fmt::format("the setting '{}' is invalid twice", name), w.offset);
            invalid_at[std::move(name)] = w.offset;
        } else if (const auto clients = arguments_of(w, "clients")) {
            plan.clients = parse_number<std::uint32_t>(clients->text, clients->offset);
            if (plan.clients == 0 || plan.clients > clients_max)
                throw input_error(
                    fmt::format("'{}' is no number of clients: 1 to {}", clients->text, clients_max),
                    clients->offset);
        } else if (w.text == "sequential") {
            plan.sequential = true;
        } else if (w.text == "relay") {
            plan.relay = true;
        } else if (const auto cancelled = arguments_of(w, "cancel")) {
            plan.perturbations.push_back(parse_interruption(*cancelled, interruption::action::cancel));
        } else if (const auto abandoned = arguments_of(w, "abandon")) {
            plan.perturbations.push_back(parse_interruption(*abandoned, interruption::action::abandon));
        } else if (const auto deviates = arguments_of(w, "run")) {
            plan.perturbations.push_back(parse_deviation(*deviates, notation::plan));
        } else if (const auto arrives = arguments_of(w, "arrive")) {
            argument_reader in(*arrives, "arrive", "arrive(c1 2s)");
            const word client = in.take("a client and a time");
            const word when = in.take("a time");
            in.expect_end();
            const lane who = parse_client(client.text, client.offset);
            if (!plan.arrivals.emplace(who, at_offset(when.offset, [&] { return parse_duration(when.text); }))
                     .second)
                throw input_error(fmt::format("{} arrives twice", lane_name(who)), w.offset);
        } else if (const auto cost = arguments_of(w, "step_cost")) {
            plan.step_cost = at_offset(cost->offset, [&] { return parse_duration(cost->text); });
        } else if (const auto lazy = arguments_of(w, "random")) {
            if (plan.lazy)
                throw input_error(
                    fmt::format("'{}' is there twice: a plan has one random part", w.text), w.offset);
            plan.lazy = parse_lazy(*lazy);
        } else if (const auto drawn = arguments_of(w, "schedule")) {
            if (plan.schedule)
                throw input_error(
                    fmt::format("'{}' is there twice: a plan has one schedule", w.text), w.offset);
            plan.schedule = detail::parse_drawn(*drawn);
        } else {
            const perturbation p = parse_perturbation(w);
            if (plan.find(p.at))
                throw input_error(fmt::format("'{}' is perturbed twice", to_string(p.at)), w.offset);
            plan.perturbations.push_back(p);
        }
    }
    for (const auto& [name, offset] : invalid_at) {
        if (!plan.settings.contains(name))
            throw input_error(
                fmt::format(
                    "the setting '{}' is invalid, but has no value here; write with({}=...) too", name, name),
                offset);
        plan.invalid_settings.insert(name);
    }
    return plan;
}

} // namespace mishap
