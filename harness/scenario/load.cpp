#include "reader.hpp"

#include <mishap/duration.hpp>
#include <mishap/error.hpp>
#include <mishap/invariant.hpp>
#include <mishap/manager.hpp>
#include <mishap/scenario.hpp>

#include <yaml-cpp/depthguard.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

namespace mishap {

namespace {

constexpr std::size_t file_size_max = 1'000'000;
constexpr int format_version = 1;

using detail::clients_max;
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

void check_invariant(const reader& at, const std::string& name, bool compares)
{
    // Where managers are compared, nothing else is judged.
    const auto names = compares ? std::vector<std::string>{"equivalent"} : invariant_names();
    if (std::find(names.begin(), names.end(), name) == names.end())
        at.refuse(unknown_word("invariant", name, names));
}

/// `body: fail io_error after session.query#2`
perturbation read_body_fault(const reader& at, const operation_id& body)
{
    return at.parse("a fault of the body", [&](const std::string& text) -> perturbation {
        const bool before = text.find(" before ") != std::string::npos;
        const std::string_view relation = before ? " before " : " after ";
        if (const auto after = text.find(relation); after != std::string::npos) {
            const fault failure = parse_fault(text.substr(0, after));
            perturbation p{.at = {}, .what = body_failure{.error = failure.error, .before = before}};
            if (failure.kind != fault_kind::fail || failure.takes_time())
                throw input_error("before and after an operation a body can only fail, and at once");
            const std::size_t start = after + relation.size();
            try {
                p.at = parse_operation(std::string_view(text).substr(start));
            } catch (const input_error& e) {
                throw input_error(e.what(), start + e.offset());
            }
            if (p.at.lane != body.lane)
                throw input_error("a body fails at an operation of its own, not of another client's", start);
            return p;
        }
        return {.at = body, .what = operation_fault{parse_fault(text)}};
    });
}

void read_faults(const reader& at, scenario& into)
{
    at.for_entries("faults", [&](const reader& key, const std::string& name, const reader& given) {
        const operation_pattern pattern =
            key.parse("an operation", [](const std::string& text) { return parse_pattern(text); });
        static const symbol body("body");
        const operation_id& id = pattern.first;
        perturbation p =
            id.kind == body && id.name.empty() && !pattern.repeats
                ? read_body_fault(given, id)
                : perturbation{.at = id,
                      .what = operation_fault{
                          given.parse("a fault", [](const std::string& text) { return parse_fault(text); }),
                          pattern.repeats}};
        // The first that fits an operation strikes: a single operation may stand before a pattern.
        if (!pattern.repeats && into.plan.find(p.at))
            key.refuse(fmt::format("'{}' names {}, which has a fault already", name, to_string(p.at)));
        into.plan.perturbations.push_back(p);
        into.written_at.push_back(key.place());
    });
}

/// A cancellation or an abandonment, while it is read.
struct interruption_draft
{
    interruption::action what;
    perturbation p = {};
    interruption i = {};
    bool during = false;
    bool anchored = false;
    std::optional<lane> client = {};
};

void read_anchor(const reader& at, interruption_draft& d)
{
    d.p.at = at.parse("an operation", [](const std::string& text) { return parse_operation(text); });
    d.anchored = true;
}

void read_client(const value& v, interruption_draft& d)
{
    d.client = static_cast<lane>(v.number<std::uint32_t>());
}

void read_steps(const value& v, interruption_draft& d) { d.i.steps = v.number<std::uint32_t>(); }

constexpr key_row<interruption_draft> keys_of_cancel[] = {
    {"at", "OPERATION", "", "the operation that the moment is relative to",
        [](const value& v, interruption_draft& d) { read_anchor(v, d); }},
    {"when", "before|during|queued|after|steps", "during",
        "before it starts, during it, queued (it has completed, its handler has not run), after its handler "
        "ran, or steps (of the run)",
        [](const value& v, interruption_draft& d) {
            constexpr moment moments[] = {
                moment::before, moment::queued, moment::queued, moment::after, moment::steps};
            const std::size_t word = v.word("moment");
            d.i.when = moments[word];
            d.during = word == 1;
        }},
    {"client", "0..99", "the client of `at`", "who is cancelled", &read_client},
    {"type", "terminal|partial|total", "terminal", "how much may have been done, as Asio has it",
        [](const value& v, interruption_draft& d) {
            d.i.type = static_cast<cancellation>(v.word("type of cancellation"));
        }},
    {"steps", "0..1000000", "0", "so many steps later; with `when: steps`, the number of the step",
        &read_steps},
};

constexpr key_row<interruption_draft> keys_of_abandon[] = {
    {"at", "OPERATION", "", "as in `cancel`",
        [](const value& v, interruption_draft& d) { read_anchor(v, d); }},
    {"when", "queued|after|steps", "queued", "as in `cancel`",
        [](const value& v, interruption_draft& d) {
            constexpr moment moments[] = {moment::queued, moment::after, moment::steps};
            d.i.when = moments[v.word("moment")];
        }},
    {"client", "world|0..99", "the client of `at`",
        "whose suspended coroutines are destroyed; the whole world is what a shut-down destroys",
        [](const value& v, interruption_draft& d) {
            if (v.node().IsScalar() && v.node().Scalar() == "world")
                d.client = whole_world;
            else
                read_client(v, d);
        }},
    {"steps", "0..1000000", "0", "as in `cancel`", &read_steps},
};

/// `cancel: session.query`, or `cancel: {at: session.query, when: queued, type: partial, client: 1}`;
/// `abandon` likewise, without a type, and with `client: world`.
void read_interruption(const reader& at, interruption::action what, scenario& into)
{
    const bool cancels = what == interruption::action::cancel;
    const std::string_view key = cancels ? "cancel" : "abandon";
    interruption_draft d{.what = what};
    d.i.what = what;
    d.during = cancels;
    if (at.node().IsScalar())
        read_anchor(at, d);
    else if (cancels)
        read_keys(at, key, keys_of_cancel, d);
    else
        read_keys(at, key, keys_of_abandon, d);
    if (!d.anchored && d.i.when != moment::steps)
        at.refuse(fmt::format(
            "{} needs 'at', the operation that it is relative to (or when: steps, and steps: 7)", key));
    if (d.during) {
        if (d.client && *d.client != d.p.at.lane)
            at.refuse("'during' is for the client's own operation: write 'queued' or 'after'");
        d.p.what = operation_fault{fault::cancel(d.i.type)};
    } else {
        d.i.client = d.client.value_or(std::max<lane>(d.p.at.lane, 0));
        d.p.what = d.i;
    }
    into.plan.perturbations.push_back(d.p);
    into.written_at.push_back(at.place());
}

/// `schedule: run c1 before c0/session.close`
void read_deviation(const reader& at, scenario& into)
{
    into.plan.perturbations.push_back(at.parse("a deviation of the schedule", [](const std::string& text) {
        if (!text.starts_with("run "))
            throw input_error(
                fmt::format("'{}' is no deviation: write run c1 before c0/session.close", text));
        // The same words as in a plan, where brackets stand around them.
        const fault_plan plan = parse_plan("run(" + text.substr(4) + ')');
        if (plan.perturbations.size() != 1 || !plan.perturbations[0].yields())
            throw input_error(
                fmt::format("'{}' is no deviation: write run c1 before c0/session.close", text));
        return plan.perturbations[0];
    }));
    into.written_at.push_back(at.place());
}

/// `arrivals: sequential` or `relay`, or when single clients come: `arrivals: {c1: 2s}`.
void read_arrivals(const value& at, fault_plan& into)
{
    if (!at.node().IsMap()) {
        const std::size_t way = at.word("way to arrive");
        into.sequential = way == 1;
        into.relay = way == 2;
        return;
    }
    at.for_entries("arrivals", [&](const reader& key, const std::string& name, const reader& given) {
        const auto when = given.parse("the time at which a client arrives",
            [](const std::string& text) { return parse_duration(text); });
        try {
            into.arrivals.merge(parse_plan(fmt::format("arrive({} {})", name, to_string(when))).arrivals);
        } catch (const input_error&) {
            key.refuse(fmt::format("'{}' is no client (c0 to c{})", name, clients_max - 1));
        }
    });
}

/// `invalid: [fetch_size]`: which settings must be refused.
void read_invalid(const reader& at, fault_plan& into)
{
    std::vector<std::string> given;
    for (const auto& [name, value] : into.settings)
        given.push_back(name);
    for (const reader& item : at.items("invalid")) {
        const std::string name = item.text("the name of a setting");
        if (!into.settings.contains(name))
            item.refuse(unknown_word("setting", name, given) + "; say under 'with' which value is invalid");
        if (!into.invalid_settings.insert(name).second)
            item.refuse(fmt::format("the setting '{}' is there twice: remove one", name));
    }
}

/// Reads one, or a list of them.
template <class Read>
void read_some(const reader& at, std::string_view key, Read read)
{
    if (at.node().IsSequence())
        for (const reader& item : at.items(key))
            read(item);
    else
        read(at);
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
            for (const reader& item : v.items("events"))
                d.into.events->push_back(item.parse(
                    "an operation", [](const std::string& text) { return parse_operation(text); }));
        }},
    {"violates", "[INVARIANT, ...]", "", "invariants that must break: for managers known to be wrong",
        [](const value& v, expectation_draft& d) {
            for (const reader& item : v.items("violates")) {
                d.into.violates.push_back(item.text("an invariant"));
                check_invariant(item, d.into.violates.back(), d.compares);
            }
        }},
};

std::vector<fault> read_kinds(const reader& at)
{
    std::vector<fault> kinds;
    for (const reader& item : at.items("kinds")) {
        // A bare `delay` stands for the contract's deadlines.
        if (item.text("a kind of fault") == "delay")
            kinds.push_back(fault::delay(duration(0)));
        else
            kinds.push_back(
                item.parse("a kind of fault", [](const std::string& text) { return parse_fault(text); }));
    }
    if (kinds.empty())
        at.refuse("kinds is empty: leave it out for the default kinds");
    return kinds;
}

constexpr key_row<sweep_options> keys_of_sweep[] = {
    {"perturbations", "0..8", "2", "at most so many in a run",
        [](const value& v, sweep_options& o) { o.perturbations = v.number<unsigned>(); }},
    {"kinds", "[KIND, ...]",
        "`fail io_error`, `fail foreign`, `fail after effect io_error` (closes and commits), `hang`, "
        "`delay`, "
        "`late`, `cancel`; with a capacity, `fail connection_reset` (uses and pings)",
        "what an operation may do instead; a bare `delay` stands for each deadline T that passes meanwhile "
        "(its own, its client's, and that of those who wait) and 1 us before the nearest, or for a minute at "
        "a "
        "use with no deadline; a bare `late` for the nearest T and 1 us after it; `cancel` also for "
        "cancelling any client after any step",
        [](const value& v, sweep_options& o) { o.kinds = read_kinds(v); }},
    {"abandon", "true|false", "false", "also abandon every client, and the world, after every step",
        [](const value& v, sweep_options& o) { o.abandon = v.flag(); }},
    {"deviate", "true|false", "false",
        "also let every other client take a step before each operation completes",
        [](const value& v, sweep_options& o) { o.deviate = v.flag(); }},
    {"occurrences_max", "1..1000000", "16",
        "strike so many of the operations that differ only in their number, and say \"incomplete\" if there "
        "are more",
        [](const value& v, sweep_options& o) { o.occurrences_max = v.number<std::uint32_t>(); }},
    {"runs_max", "1..1000000000", "1000000", "stop here, and say \"incomplete\"",
        [](const value& v, sweep_options& o) { o.runs_max = v.number<std::uint64_t>(); }},
};

constexpr key_row<random_options> keys_of_random[] = {
    {"cases", "1..1000000000", "1000", "how many plans are drawn",
        [](const value& v, random_options& o) { o.cases = v.number<std::uint64_t>(); }},
    {"seed", "0..18446744073709551615", "`MISHAP_SEED`, else `RC_PARAMS`, else 1", "the seed of it all",
        [](const value& v, random_options& o) { o.seed = v.number<std::uint64_t>(); }},
    {"kinds", "[KIND, ...]", "all but `deaf`, `late` and `empty`", "which faults may take part",
        [](const value& v, random_options& o) {
            for (const fault& kind : read_kinds(v))
                o.kinds.push_back(kind.kind);
        }},
    {"abandon", "true|false", "false", "also draw clients, and at times the world, to be abandoned",
        [](const value& v, random_options& o) { o.abandon = v.flag(); }},
    {"deviate", "true|false", "false", "also draw departures from first come, first served",
        [](const value& v, random_options& o) { o.deviate = v.flag(); }},
};

constexpr key_row<scenario> keys_of_explore[] = {
    {"sweep", "{...}", "", "exhaustively: every plan of at most so many perturbations",
        [](const value& v, scenario& s) { read_keys(v, "sweep", keys_of_sweep, s.sweep.emplace()); }},
    {"random", "{...}", "", "plans that RapidCheck draws",
        [](const value& v, scenario& s) { read_keys(v, "random", keys_of_random, s.random.emplace()); }},
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
    std::optional<reader> contract, faults, expect, explore, cancel, abandon, schedule, invariants, invalid;
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
            v.for_entries("with", [&](const reader&, const std::string& name, const reader& setting) {
                // An empty setting is one, too.
                d.s.plan.settings[name] =
                    setting.node().IsScalar() ? setting.node().Scalar() : setting.text("a setting");
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
        [](const value& v, draft& d) { read_arrivals(v, d.s.plan); }},
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
        "virtual time that each step takes: without it, time stands still while "
        "handlers run",
        [](const value& v, draft& d) { d.s.plan.step_cost = v.time(); }},
    {"contract", "{...}", "the registration's", "terms that replace those of the registration; see below",
        [](const value& v, draft& d) { d.contract.emplace(v); }},
    {"faults", "{OPERATION: FAULT, ...}", "",
        "an example: what happens to which operation; `{}` for a run without any fault",
        [](const value& v, draft& d) { d.faults.emplace(v); }},
    {"expect", "{...}", "", "what must come of it; see below",
        [](const value& v, draft& d) { d.expect.emplace(v); }},
    {"explore", "{...}", "", "instead of `faults`: look for trouble; see below",
        [](const value& v, draft& d) { d.explore.emplace(v); }},
    {"invariants", "[INVARIANT, ...]", "all", "only these are judged, and those that always are; see below",
        [](const value& v, draft& d) { d.invariants.emplace(v); }},
};

void read_invariants(const reader& at, scenario& s)
{
    if (!s.equivalent_to.empty())
        at.refuse("where managers are compared, nothing but 'equivalent' is judged: leave 'invariants' out");
    for (const reader& item : at.items("invariants")) {
        s.invariants.push_back(item.text("an invariant"));
        check_invariant(item, s.invariants.back(), false);
    }
    if (s.invariants.empty())
        at.refuse("invariants is empty: leave it out to judge by all");
}

/// Nobody can break what is not judged.
void check_that_it_is_judged(const reader& expect, const scenario& s)
{
    const std::vector<const invariant*> judged = select_invariants(s.invariants);
    for (const invariant* wanted : select_invariants(s.expect.violates))
        if (!wanted->always && std::find(judged.begin(), judged.end(), wanted) == judged.end())
            expect.refuse(fmt::format(
                "'{}' is expected to break, but it is none of the 'invariants' that are judged here",
                wanted->name));
}

scenario read(const YAML::Node& root, const std::string& file)
{
    const reader at(root, file);
    draft d;
    scenario& s = d.s;
    s.where = {file, 1, 1};
    read_keys(at, "a scenario", keys_of_scenario, d);
    auto& [ignored, has_version, contract_at, faults_at, expect_at, explore_at, cancel_at, abandon_at,
        schedule_at, invariants_at, invalid_at] = d;
    if (!has_version)
        at.refuse(
            fmt::format("the key 'mishap' is missing: begin the file with 'mishap: {}'", format_version));
    if (s.manager.empty())
        at.refuse("the key 'manager' is missing: say which registered manager this is about");
    if (s.equivalent_to == s.manager)
        at.refuse(fmt::format("{} is compared with itself: name another manager", s.manager));
    if (invalid_at)
        read_invalid(*invalid_at, s.plan);
    s.contract = get_manager(s.manager).promises;
    if (contract_at) {
        read_contract(*contract_at, s.contract);
        s.contract_terms = YAML::Dump(contract_at->node());
    }
    if (invariants_at)
        read_invariants(*invariants_at, s);
    if (faults_at && explore_at)
        explore_at->refuse("a scenario has faults (an example) or explore, not both: make it two files");
    const auto read_perturbations = [&](std::optional<reader>& from, const char* key, auto read_one) {
        if (!from)
            return;
        if (explore_at)
            from->refuse(fmt::format("explore chooses its own: leave '{}' out, or make it an example", key));
        read_some(*from, key, read_one);
        s.where.line = at.line_of(key);
    };
    read_perturbations(schedule_at, "schedule", [&](const reader& v) { read_deviation(v, s); });
    read_perturbations(abandon_at, "abandon",
        [&](const reader& v) { read_interruption(v, interruption::action::abandon, s); });
    read_perturbations(
        cancel_at, "cancel", [&](const reader& v) { read_interruption(v, interruption::action::cancel, s); });
    if (faults_at) {
        read_faults(*faults_at, s);
        s.where.line = at.line_of("faults");
    }
    if (expect_at) {
        expectation_draft expected{s.expect, !s.equivalent_to.empty()};
        read_keys(*expect_at, "expect", keys_of_expect, expected);
        if (!s.invariants.empty())
            check_that_it_is_judged(*expect_at, s);
        if (explore_at && (s.expect.outcome || s.expect.reports || s.expect.events))
            expect_at->refuse("explore makes many runs, so only 'violates' can be expected of it");
    }
    if (explore_at) {
        read_exploration(*explore_at, s);
        s.where.line = at.line_of("explore");
    }
    if (!faults_at && !explore_at && !cancel_at && !abandon_at && !schedule_at)
        at.refuse("nothing to run: write faults (faults: {} for a run without any) or explore");
    return s;
}

/// What YAML refuses, in words that say more than its own where those hide the mistake.
scenario_error no_yaml(const std::string& text, const std::string& file, const YAML::Exception& e)
{
    file_place at{file, std::max(e.mark.line, 0) + 1, std::max(e.mark.column, 0) + 1};
    std::istringstream lines(text);
    std::string line;
    for (int i = 0; i < at.line; ++i)
        std::getline(lines, line);
    const auto tab = line.find('\t');
    if (tab != std::string::npos && line.find_first_not_of(" \t") > tab) {
        // The commonest mistake of all.
        at.column = static_cast<int>(tab) + 1;
        return {at, "no YAML: a tab is no indentation in YAML: use spaces"};
    }
    if (dynamic_cast<const YAML::DeepRecursion*>(&e))
        return {at, "no YAML: lists and maps are nested too deeply here"};
    constexpr std::size_t shown = 40;
    const std::string rest =
        line.substr(std::min(line.size(), static_cast<std::size_t>(at.column) - 1), shown);
    return {at, fmt::format("no YAML: {}{}", e.msg, rest.empty() ? "" : fmt::format(", at '{}'", rest))};
}

/// Notes where documents begin, and nothing else.
class document_starts : public YAML::EventHandler
{
public:
    std::vector<YAML::Mark> marks;

    void OnDocumentStart(const YAML::Mark& mark) override { marks.push_back(mark); }
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
    void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
    void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
    void OnSequenceStart(
        const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override
    {}
    void OnSequenceEnd() override {}
    void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override
    {}
    void OnMapEnd() override {}
};

/// Refuses a second document, and what yaml-cpp takes for documents without end: YAML::LoadAll reads a stray
/// comma or closing bracket between documents as an empty document, again and again, until memory is used up.
void expect_one_document(const std::string& text, const std::string& file)
{
    std::istringstream in(text);
    YAML::Parser parser(in);
    document_starts starts;
    while (starts.marks.size() < 2 && parser.HandleNextDocument(starts)) {
    }
    for (const YAML::Mark& mark : starts.marks) {
        const auto at = static_cast<std::size_t>(std::max(mark.pos, 0));
        if (at < text.size() && std::string_view(",]}").find(text[at]) != std::string_view::npos)
            throw scenario_error({file, mark.line + 1, mark.column + 1},
                fmt::format("no YAML: the '{}' belongs to no list or map", text[at]));
    }
    if (starts.marks.size() > 1)
        throw scenario_error({file, starts.marks[1].line + 1, starts.marks[1].column + 1},
            "a second document begins here, but one file is one test: split it at '---'");
}

} // namespace

std::vector<detail::key_section> detail::key_sections()
{
    return {section_of("", keys_of_scenario), section_of("cancel", keys_of_cancel),
        section_of("abandon", keys_of_abandon), section_of("expect", keys_of_expect),
        section_of("explore", keys_of_explore), section_of("explore.sweep", keys_of_sweep),
        section_of("explore.random", keys_of_random), contract_section()};
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

scenario parse_scenario(const std::string& text, const std::string& file)
{
    const auto is_blank = [](char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; };
    if (std::all_of(text.begin(), text.end(), is_blank))
        throw scenario_error({file, 1, 1}, "the file is empty: a scenario begins with 'mishap: 1'");
    if (text.size() > file_size_max)
        throw scenario_error({file, 1, 1},
            fmt::format("the file has {} bytes; a scenario has at most {}", text.size(), file_size_max));
    if (const auto zero = text.find('\0'); zero != std::string::npos)
        throw scenario_error({file, 1, 1}, fmt::format("byte {} is zero: this is no text file", zero + 1));
    try {
        expect_one_document(text, file);
        const YAML::Node document = YAML::Load(text);
        if (document.IsNull())
            throw scenario_error({file, 1, 1}, "the file is empty: a scenario begins with 'mishap: 1'");
        return read(document, file);
    } catch (const YAML::Exception& e) {
        throw no_yaml(text, file, e);
    }
}

scenario load_scenario(const std::string& file)
{
    namespace fs = std::filesystem;
    std::error_code error;
    if (!fs::exists(file, error))
        throw scenario_error({file, 1, 1}, "there is no such file");
    if (fs::is_directory(file, error))
        throw scenario_error({file, 1, 1}, "this is a folder, not a file");
    if (fs::file_size(file, error) > file_size_max && !error)
        throw scenario_error({file, 1, 1}, fmt::format("the file is larger than {} bytes", file_size_max));
    if (const std::string why = check_file_name(file); !why.empty())
        throw scenario_error({file, 1, 1}, why);
    std::ifstream in(file, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    if (!in)
        throw scenario_error({file, 1, 1}, "the file cannot be read");
    return parse_scenario(text.str(), file);
}

std::string check_file_name(const std::string& file)
{
    const std::string name = std::filesystem::path(file).filename().string();
    const std::string stem = std::filesystem::path(file).stem().string();
    const bool is_word = !stem.empty() && std::all_of(stem.begin(), stem.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    });
    if (is_word && name == stem + ".yaml")
        return {};
    return fmt::format(
        "'{}' cannot be a test's name: name the file with a-z, 0-9 and _, ending in .yaml", name);
}

std::vector<std::string> find_scenarios(const std::string& path)
{
    namespace fs = std::filesystem;
    std::error_code error;
    if (!fs::exists(path, error))
        throw input_error(fmt::format("{}: there is no such file or folder", path));
    if (!fs::is_directory(path, error))
        return {path};
    std::vector<std::string> files;
    for (auto it = fs::recursive_directory_iterator(path, error);
         !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
        const auto extension = it->path().extension();
        if (it->is_regular_file() && (extension == ".yaml" || extension == ".yml"))
            files.push_back(it->path().string());
    }
    std::sort(files.begin(), files.end());
    return files;
}

std::vector<std::string>& detail::scenario_folders()
{
    static std::vector<std::string> folders;
    return folders;
}

} // namespace mishap
