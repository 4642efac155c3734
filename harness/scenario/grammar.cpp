// SPDX-License-Identifier: MIT
#include "document.hpp"
#include "network_keys.hpp"
#include "perturbation_keys.hpp"

#include "explore/obligations.hpp"
#include "explore/workers.hpp"
#include "fault/plan_words.hpp"

#include <mishap/duration.hpp>
#include <mishap/error.hpp>
#include <mishap/invariant.hpp>
#include <mishap/manager.hpp>
#include <mishap/scenario.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace mishap {

namespace {

constexpr int format_version = 1;

using detail::key_row;
using detail::read_contract;
using detail::read_keys;
using detail::reader;
using detail::value;

std::vector<std::string> invariant_names()
{
    std::vector<std::string> names;
    for (const invariant& i : invariants())
        names.emplace_back(i.name);
    return names;
}

/// What may be expected to break: how a process ends is judged wherever it has one of its own.
std::vector<std::string> breakable_names(bool compares)
{
    // Where managers are compared, nothing else is judged.
    auto names = compares ? std::vector<std::string>{"equivalent"} : invariant_names();
    for (const std::string_view death : detail::death_names)
        names.emplace_back(death);
    return names;
}

void check_invariant(const reader& at, const std::string& name, const std::vector<std::string>& names)
{
    if (std::find(names.begin(), names.end(), name) == names.end())
        at.refuse(unknown_word("invariant", name, names));
}

/// `invalid: [fetch_size]`: which settings must be refused.
void read_invalid(const reader& at, fault_plan& into)
{
    std::vector<std::string> given;
    for (const auto& [name, value] : into.settings)
        given.push_back(name);
    at.for_items("invalid", [&](const reader& item) {
        const std::string name = item.text("the name of a setting");
        if (!into.settings.contains(name))
            item.refuse(unknown_word("setting", name, given) + "; say under 'with' which value is invalid");
        if (!into.invalid_settings.insert(name).second)
            item.refuse(fmt::format("the setting '{}' is there twice: remove one", name));
    });
}

struct expectation_draft
{
    expectation& into;
    bool compares;
};

constexpr key_row<expectation_draft> keys_of_expect[] = {
    {"outcome", "returns|throws ERROR|cancelled|hangs|abandoned", "",
        "how client 0 ends; it hangs if it was stuck until its caller gave up",
        [](const value& v, expectation_draft& d) {
            const std::string text = v.text("outcome");
            if (text.starts_with("throws "))
                v.expect_error(text.substr(7));
            else
                v.word("outcome");
            d.into.outcome = text;
        }},
    {"reports", "[ERROR, ...]", "", "the errors that the manager gave to the report sink, in order",
        [](const value& v, expectation_draft& d) { d.into.reports = v.errors(); }},
    {"events", "[OPERATION, ...]", "", "the operations that were started, in order, all of them",
        [](const value& v, expectation_draft& d) {
            d.into.events.emplace();
            v.for_items("events", [&](const reader& item) {
                d.into.events->push_back(item.parse(
                    "an operation", [](const std::string& text) { return parse_operation(text); }));
            });
        }},
    {"violates", "[INVARIANT, ...]", "", "invariants that must break: for managers known to be wrong",
        [](const value& v, expectation_draft& d) {
            v.for_items("violates", [&](const reader& item) {
                const std::string name = item.text("an invariant");
                check_invariant(item, name, breakable_names(d.compares));
                d.into.violates.push_back(name);
            });
            if (v.items("violates").empty())
                v.refuse("violates is empty: leave it out where everything must hold");
        }},
};

std::vector<fault> read_kinds(const reader& at)
{
    std::vector<fault> kinds;
    at.for_items("kinds", [&](const reader& item) {
        kinds.push_back(
            item.parse("a kind of fault", [](const std::string& text) { return parse_kind(text); }));
    });
    if (at.items("kinds").empty())
        at.refuse("kinds is empty: leave it out for the default kinds");
    return kinds;
}

duration read_time_max(const value& v)
{
    const duration given = v.time();
    if (given <= duration(0))
        v.refuse("it is 0s: give it some time, or leave 'for' out");
    return given;
}

constexpr std::string_view about_for =
    "stop after so much real time, and say \"incomplete\"; results then depend on the machine";

constexpr key_row<sweep_options> keys_of_sweep[] = {
    {"perturbations", "0..8", "2", "the maximum number in a run",
        [](const value& v, sweep_options& o) { o.perturbations = v.number<unsigned>(); }},
    {"kinds", "[KIND, ...]",
        "`fail io_error`, `fail foreign`, `fail after effect io_error` (closes and commits), `hang`, "
        "`delay`, `late`, `cancel`, `cancel after effect` and `hang after effect` (begins, acquires, "
        "commits); with a capacity, `fail connection_reset` (uses and pings)",
        "what an operation may do instead; a bare `delay` stands for each deadline T that passes meanwhile "
        "(its own, its client's, and that of those who wait) and 1 us before the nearest, or for a minute at "
        "a use with no deadline; a bare `late` for the nearest T and 1 us after it; `cancel` also for "
        "cancelling any client after any step",
        [](const value& v, sweep_options& o) { o.kinds = read_kinds(v); }},
    {"abandon", "true|false", "false",
        "also abandon every client, and the world, after every step; by default where the contract is "
        "`abandonable`",
        [](const value& v, sweep_options& o) { o.abandon = v.flag(); }},
    {"deviate", "true|false", "false",
        "also let every other client take a step before each operation completes",
        [](const value& v, sweep_options& o) { o.deviate = v.flag(); }},
    {"schedule", "fifo|all BOUND", "fifo",
        "also every schedule with at most so many preemptions: an operation is held back until another "
        "client has taken any number of steps, or until nothing else is ready",
        [](const value& v, sweep_options& o) {
            o.preemptions = v.parse("a schedule",
                [](const std::string& text) { return detail::parse_schedule(text, true).preemptions; });
        }},
    {"check_pruning", "true|false", "false",
        "also run what is left out because a run like it was seen before, and fail if that finds anything "
        "else",
        [](const value& v, sweep_options& o) { o.check_pruning = v.flag(); }},
    {"occurrences_max", "1..1000000", "16",
        "the maximum number struck of the operations that differ only in their number; more make the result "
        "\"incomplete\"",
        [](const value& v, sweep_options& o) { o.occurrences_max = v.number<std::uint32_t>(); }},
    {"runs_max", "1..1000000000", "1000000", "stop here, and say \"incomplete\"",
        [](const value& v, sweep_options& o) { o.runs_max = v.number<std::uint64_t>(); }},
    {"for", "DURATION", "", about_for,
        [](const value& v, sweep_options& o) { o.time_max = read_time_max(v); }},
};

constexpr key_row<random_options> keys_of_random[] = {
    {"cases", "1..1000000000", "1000; with `for` as many as there is time for", "how many plans are drawn",
        [](const value& v, random_options& o) { o.cases = v.number<std::uint64_t>(); }},
    {"for", "DURATION", "", about_for,
        [](const value& v, random_options& o) { o.time_max = read_time_max(v); }},
    {"seed", "0..18446744073709551615", "`MISHAP_SEED`, else `RC_PARAMS`, else 1", "the seed of it all",
        [](const value& v, random_options& o) { o.seed = v.number<std::uint64_t>(); }},
    {"kinds", "[KIND, ...]", "all but `deaf`, `late` and `empty`", "which faults may take part",
        [](const value& v, random_options& o) {
            for (const fault& kind : read_kinds(v))
                o.kinds.push_back(kind.kind);
        }},
    {"abandon", "true|false", "false",
        "also draw clients, and at times the world, to be abandoned; by default where the contract is "
        "`abandonable`",
        [](const value& v, random_options& o) { o.abandon = v.flag(); }},
    {"deviate", "true|false", "false", "also draw departures from first come, first served",
        [](const value& v, random_options& o) { o.deviate = v.flag(); }},
    {"schedule", "fifo|random|pct DEPTH", "fifo",
        "`random` holds one operation in two back, for some steps of another client; `pct 3` gives clients "
        "priorities that change twice, which finds what depends on three orderings with the likelihood that "
        "the report names",
        [](const value& v, random_options& o) {
            o.schedule = v.parse("a schedule",
                [](const std::string& text) { return detail::parse_schedule(text, false).drawn; });
        }},
};

constexpr key_row<scenario> keys_of_explore[] = {
    {"sweep", "{...}", "", "exhaustively: every plan of at most that number of perturbations",
        [](const value& v, scenario& s) { read_keys(v, "sweep", keys_of_sweep, s.sweep.emplace()); }},
    {"random", "{...}", "", "plans that RapidCheck draws",
        [](const value& v, scenario& s) { read_keys(v, "random", keys_of_random, s.random.emplace()); }},
};

constexpr key_row<limits> keys_of_limits[] = {
    {"horizon", "DURATION", "4 times the largest deadline, at least 24h, beyond what the plan delays",
        "virtual time after which a client that still waits is stuck",
        [](const value& v, limits& l) {
            const duration given = v.time();
            if (given <= duration(0))
                v.refuse("the horizon is 0s: a run needs some time");
            l.horizon = given;
        }},
    {"steps_max", "1..1000000000", "100000",
        "handlers that run while time does not pass: at the limit the run breaks `livelock`",
        [](const value& v, limits& l) { l.steps_max = v.number<std::uint64_t>(); }},
};

void read_exploration(const reader& at, scenario& into)
{
    read_keys(at, "explore", keys_of_explore, into);
    if (!into.sweep && !into.random)
        at.refuse("explore says nothing to do: write sweep: {} or random: {}");
}

/// A scenario, while it is read: some keys can be judged only when others are known.
struct draft
{
    scenario s;
    bool has_version = false;
    std::optional<reader> contract, faults, expect, explore, cancel, abandon, schedule, invariants, invalid,
        require;
    network::setup network = {};
    std::optional<value> arrivals;
};

constexpr key_row<draft> keys_of_scenario[] = {
    {"mishap", "1", "required", "the version of the format",
        [](const value& v, draft& d) {
            const std::string version = v.text("the version");
            if (version != std::to_string(format_version))
                v.refuse(fmt::format("this file has format version '{}', but this mishap reads version {}",
                    version, format_version));
            d.has_version = true;
        }},
    {"manager", "MANAGER", "required", "the name of a registered manager",
        [](const value& v, draft& d) {
            d.s.manager =
                v.parse("the manager", [](const std::string& text) { return get_manager(text).name; });
        }},
    {"equivalent_to", "MANAGER", "",
        "the name of another registered manager: both are run under each plan, and must do the same; nothing "
        "else is judged then",
        [](const value& v, draft& d) {
            d.s.equivalent_to =
                v.parse("the other manager", [](const std::string& text) { return get_manager(text).name; });
        }},
    {"about", "TEXT", "", "what this scenario is for, in a sentence",
        [](const value& v, draft& d) { d.s.about = v.text("about"); }},
    {"with", "{NAME: VALUE, ...}", "",
        "settings for the adapter, which reads them with `env.setting<T>(\"name\", otherwise)`",
        [](const value& v, draft& d) {
            v.for_entries("with", [&](const reader& key, const std::string& name, const reader& setting) {
                if (name.empty())
                    key.refuse("a setting needs a name: write name: value");
                // An empty setting is one, too.
                d.s.plan.settings[name] =
                    setting.node().IsScalar() ? setting.node().Scalar() : setting.text("a setting");
                d.s.settings_at[name] = key.place();
            });
        }},
    {"invalid", "[NAME, ...]", "",
        "settings of `with` whose value the manager must refuse before it creates anything; write it as an "
        "example with `faults: {}`, since a refused run has nothing to be hurt",
        [](const value& v, draft& d) { d.invalid.emplace(v); }},
    {"clients", "1..100", "the contract's", "how many clients run, for managers that serve several",
        [](const value& v, draft& d) { d.s.plan.clients = v.number<std::uint32_t>(); }},
    {"arrivals", "together|sequential|relay|{CLIENT: DURATION, ...}", "together",
        "in sequence, each client starts when the one before it has ended; in a relay, the last one when "
        "another has ended; or when single clients start",
        [](const value& v, draft& d) { d.arrivals.emplace(v); }},
    {"cancel", "[OPERATION|{...}, ...]", "",
        "an example: cancels the client while that operation is pending, or as the keys say; see below",
        [](const value& v, draft& d) { d.cancel.emplace(v); }},
    {"abandon", "[OPERATION|{...}, ...]", "",
        "an example: destroys what a client, or the world, has suspended; see below",
        [](const value& v, draft& d) { d.abandon.emplace(v); }},
    {"schedule", "[run CLIENT before OPERATION, ...]", "",
        "an example: lets another client take a step before that operation completes",
        [](const value& v, draft& d) { d.schedule.emplace(v); }},
    {"step_cost", "DURATION", "0",
        "virtual time that each step takes: without it, time stands still while handlers run",
        [](const value& v, draft& d) { d.s.plan.step_cost = v.time(std::chrono::hours(1)); }},
    {"limits", "{...}", "", "the bounds of each run; see below",
        [](const value& v, draft& d) { read_keys(v, "limits", keys_of_limits, d.s.limits); }},
    {"network", "[NETWORK, ...]", "",
        "how bytes travel, and who is not there, for managers that open sockets; see below",
        [](const value& v, draft& d) { detail::read_network(v, d.network); }},
    {"peer", "{PLACE: PEER, ...}", "",
        "what answers at a place, such as `shop.example:443`, step by step; see below",
        [](const value& v, draft& d) { detail::read_peers(v, d.network); }},
    {"contract", "{...}", "the registration's", "terms that replace those of the registration; see below",
        [](const value& v, draft& d) { d.contract.emplace(v); }},
    {"faults", "{OPERATION: FAULT, ...}", "",
        "an example: what happens to which operation; `{}` for a run without any fault",
        [](const value& v, draft& d) { d.faults.emplace(v); }},
    {"expect", "{...}", "", "what must come of it; see below",
        [](const value& v, draft& d) { d.expect.emplace(v); }},
    {"explore", "{...}", "", "instead of `faults`: look for trouble; see below",
        [](const value& v, draft& d) { d.explore.emplace(v); }},
    {"require", "[OBLIGATION, ...]", "",
        "with `explore`: what some run must have reached, else it fails: `session.close: hang`, a fault at "
        "an operation; `session.rollback`, an operation that is started; the text of a `MISHAP_REACHED`; "
        "`'*'`, all of those",
        [](const value& v, draft& d) { d.require.emplace(v); }},
    {"invariants", "[INVARIANT, ...]", "all", "only these are judged, and those that always are; see below",
        [](const value& v, draft& d) { d.invariants.emplace(v); }},
};

void read_invariants(const reader& at, scenario& s)
{
    if (!s.equivalent_to.empty())
        at.refuse("where managers are compared, nothing but 'equivalent' is judged: leave 'invariants' out");
    at.for_items("invariants", [&](const reader& item) {
        const std::string name = item.text("an invariant");
        check_invariant(item, name, invariant_names());
        s.invariants.push_back(name);
    });
    if (at.items("invariants").empty())
        at.refuse("invariants is empty: leave it out to judge by all");
}

/// `require: [session.close: hang, evicted while leased]`.
void read_obligations(const reader& at, scenario& s)
{
    const auto add = [&](const reader& where, const std::string& text) {
        detail::obligations one;
        try {
            one.require({&text, 1});
        } catch (const input_error& e) {
            where.refuse(e.what());
        }
        s.require.push_back(text);
    };
    const auto add_pairs = [&](const reader& map) {
        map.for_entries("require", [&](const reader& key, const std::string& operation, const reader& what) {
            add(key, fmt::format("{}: {}", operation, what.text("a fault")));
        });
    };
    if (at.node().IsMap())
        return add_pairs(at);
    if (at.items("require").empty())
        at.refuse("require is empty: leave it out");
    at.for_items("require", [&](const reader& item) {
        if (item.node().IsMap())
            add_pairs(item);
        else
            add(item, item.text("what must be reached"));
    });
}

/// Nobody can break what is not judged.
void check_that_it_is_judged(const reader& expect, const scenario& s)
{
    const std::vector<const invariant*> judged = select_invariants(s.invariants);
    std::vector<std::string> expected = s.expect.violates;
    std::erase_if(expected, [](const std::string& name) { return detail::is_death(name); });
    for (const invariant* wanted : select_invariants(expected))
        if (!wanted->always && std::find(judged.begin(), judged.end(), wanted) == judged.end())
            expect.refuse(fmt::format(
                "'{}' is expected to break, but it is none of the 'invariants' that are judged here",
                wanted->name));
}

/// The keys whose meaning depends on others. Preconditions: the manager is known.
void read_dependent_keys(const reader& at, draft& d)
{
    scenario& s = d.s;
    s.contract = get_manager(s.manager).promises;
    const auto read_key = [&](auto& from, auto read_it) {
        if (from)
            at.attempt([&] { read_it(*from); });
    };
    at.attempt([&] {
        if (s.equivalent_to == s.manager)
            at.refuse(fmt::format("{} is compared with itself: name another manager", s.manager));
    });
    read_key(d.invalid, [&](const reader& from) { read_invalid(from, s.plan); });
    read_key(d.contract, [&](const reader& from) {
        s.contract_terms = YAML::Dump(from.node());
        read_contract(from, s.contract);
    });
    read_key(d.invariants, [&](const reader& from) { read_invariants(from, s); });
    read_key(d.arrivals, [&](const value& from) { detail::read_arrivals(from, s); });
    if (d.faults && d.explore)
        at.attempt([&] {
            d.explore->refuse("a scenario has faults (an example) or explore, not both: make it two files");
        });
    const auto read_perturbations = [&](const std::optional<reader>& from, const char* key, auto read_it) {
        read_key(from, [&](const reader& given) {
            if (d.explore)
                given.refuse(
                    fmt::format("explore chooses its own: leave '{}' out, or make it an example", key));
            s.where.line = at.line_of(key);
            read_it(given, s);
        });
    };
    read_perturbations(d.schedule, "schedule", detail::read_schedule);
    read_perturbations(d.abandon, "abandon", detail::read_abandonments);
    read_perturbations(d.cancel, "cancel", detail::read_cancellations);
    read_key(d.faults, [&](const reader& from) {
        s.where.line = at.line_of("faults");
        detail::read_faults(from, s);
    });
    read_key(d.expect, [&](const reader& from) {
        expectation_draft expected{s.expect, !s.equivalent_to.empty()};
        read_keys(from, "expect", keys_of_expect, expected);
        if (!s.invariants.empty())
            check_that_it_is_judged(from, s);
        if (d.explore && (s.expect.outcome || s.expect.reports || s.expect.events))
            from.refuse("explore makes many runs, so only 'violates' can be expected of it");
    });
    read_key(d.explore, [&](const reader& from) {
        s.where.line = at.line_of("explore");
        read_exploration(from, s);
    });
    read_key(d.require, [&](const reader& from) {
        if (!d.explore)
            from.refuse("an example either has its faults or is invalid: write 'require' beside explore");
        read_obligations(from, s);
    });
    // A key that is misspelt may have been meant.
    if (!d.faults && !d.explore && !d.cancel && !d.abandon && !d.schedule && at.from().refused.empty())
        at.attempt(
            [&] { at.refuse("nothing to run: write faults (faults: {} for a run without any) or explore"); });
}

scenario read(const YAML::Node& root, const std::string& file)
{
    detail::source from{file};
    const reader at(root, from);
    draft d;
    d.s.where = {file, 1, 1};
    read_keys(at, "a scenario", keys_of_scenario, d);
    if (!d.has_version && from.refused.empty())
        at.refuse(
            fmt::format("the key 'mishap' is missing: begin the file with 'mishap: {}'", format_version));
    if (d.s.manager.empty() && from.refused.empty())
        at.refuse("the key 'manager' is missing: say which registered manager this is about");
    if (!d.s.manager.empty())
        read_dependent_keys(at, d);
    if (!from.refused.empty())
        throw scenario_error(std::move(from.refused));
    if (!d.network.empty())
        d.s.network = std::make_shared<const network::setup>(std::move(d.network));
    return std::move(d.s);
}

} // namespace

std::vector<detail::key_section> detail::key_sections()
{
    return {section_of("", keys_of_scenario), cancel_section(), abandon_section(),
        section_of("expect", keys_of_expect), section_of("explore", keys_of_explore),
        section_of("explore.sweep", keys_of_sweep), section_of("explore.random", keys_of_random),
        section_of("limits", keys_of_limits), contract_section()};
}

std::vector<std::string_view> detail::alternatives(std::string_view form)
{
    std::vector<std::string_view> found;
    int depth = 0;
    std::size_t start = 0;
    for (std::size_t i = 0; i <= form.size(); ++i) {
        if (i == form.size() || (form[i] == '|' && depth == 0)) {
            found.push_back(form.substr(start, i - start));
            start = i + 1;
        } else if (form[i] == '[' || form[i] == '{') {
            ++depth;
        } else if (form[i] == ']' || form[i] == '}') {
            --depth;
        }
    }
    return found;
}

std::string to_string(const file_place& p) { return fmt::format("{}:{}:{}", p.file, p.line, p.column); }

namespace {

/// Nobody mends a thousand mistakes at a time.
constexpr std::size_t told_max = 50;

std::string all_of(std::vector<scenario_error>& several)
{
    std::stable_sort(several.begin(), several.end(), [](const scenario_error& a, const scenario_error& b) {
        return std::pair(a.where().line, a.where().column) < std::pair(b.where().line, b.where().column);
    });
    std::string text;
    for (std::size_t i = 0; i < std::min(several.size(), told_max); ++i)
        text += fmt::format("{}{}", i == 0 ? "" : "\n", several[i].what());
    if (several.size() > told_max)
        text += fmt::format("\n{}: and {} more", several[0].where().file, several.size() - told_max);
    return text;
}

} // namespace

scenario_error::scenario_error(file_place where, const std::string& message)
    : input_error(to_string(where) + ": " + message), where_(std::move(where))
{}

scenario_error::scenario_error(std::vector<scenario_error> several)
    : input_error(all_of(several)), where_(several.front().where())
{}

scenario parse_scenario(const std::string& text, const std::string& file)
{
    return read(detail::parse_document(text, file), file);
}

} // namespace mishap
