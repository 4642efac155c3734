// SPDX-License-Identifier: MIT
#include "invariants.hpp"
#include "wording.hpp"

#include "vocabulary/expectations.hpp"

#include <mishap/error.hpp>
#include <mishap/input_error.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>

namespace mishap {

namespace {

/// What a violation leaves in its wake: nothing is said then about what follows from it.
enum wake : std::uint8_t
{
    calm = 0,
    first_cause = 1, ///< the client hangs, or its run means nothing any more
    escape = 2,      ///< an exception left a handler of the client's
    thrown_out = 4,  ///< a check of the test itself ended the client
    timeout = 8,     ///< the client kept to no deadline: it has no error to pass on, or another one
};

/// What must have happened for a rule to say anything: most runs are clean, and there most rules need not
/// look.
enum matter : std::uint8_t
{
    anything = 1,
    outside_calls = 2,
    escapes = 4, ///< of exceptions, or from the adapter
    expectations = 8,
    invalid_settings = 16,
    counters = 32,
    probes = 64,
    trouble = 128, ///< something went wrong for somebody, in whatever way
};

/// Whether anything went wrong, or took longer than it may, for anybody. Where nothing did, nobody was told
/// anything, and nobody needed to be.
bool had_trouble(const account& of_run)
{
    const trace& happened = of_run.trace();
    const auto fared_well = [](const outcome& client) {
        return client.ending == ending::returned && !client.error && client.cancelled == none;
    };
    return !happened.strikes.empty() || !happened.cancellations.empty() || !happened.reports.empty() ||
           !happened.values.empty() || (happened.has_adapter && !fared_well(happened.adapter)) ||
           std::any_of(happened.operations.begin(), happened.operations.end(),
               [](const operation_record& op) {
                   return op.result != result::ok || op.error || op.perturbed || op.cancel_requested != none;
               }) ||
           std::any_of(happened.bodies.begin(), happened.bodies.end(),
               [](const body_record& body) { return body.error || body.left == none; }) ||
           !std::all_of(happened.outcomes.begin(), happened.outcomes.end(), fared_well) ||
           std::any_of(happened.outcomes.begin(), happened.outcomes.end(), [&](const outcome& client) {
               return !of_run.client(static_cast<lane>(&client - happened.outcomes.data())).reasons.empty();
           });
}

/// All that happened.
std::uint8_t matters_of(const account& of_run)
{
    const trace& happened = of_run.trace();
    const auto if_any = [](bool any, matter what) { return any ? what : 0; };
    return static_cast<std::uint8_t>(
        anything | if_any(!happened.outside_calls.empty(), outside_calls) |
        if_any(!happened.escapes.empty() || happened.adapter.error, escapes) |
        if_any(!happened.expectations.empty(), expectations) |
        if_any(!of_run.plan().invalid_settings.empty(), invalid_settings) |
        if_any(!happened.statistics.empty(), counters) |
        if_any(!happened.outcomes.empty() && happened.outcomes.back().probe, probes) |
        if_any(had_trouble(of_run), trouble));
}

/// A rule of mishap's own, and how it stands to the others.
struct rule : invariant
{
    /// What its violations leave in the wake of their client.
    std::uint8_t leaves = calm;
    /// In whose wake it says nothing about a client.
    std::uint8_t silenced_by = first_cause | thrown_out;
    /// Its violations leave every client in their wake.
    bool for_all = false;
    /// Judged also where the run was left where it stood: nobody had the time to do what the others ask for.
    bool when_cut_off = false;
    std::uint8_t speaks_of = anything;
    /// What it also judges: what went wrong there had come right in the end, and leaves nothing in its wake.
    void (*judge_repaired)(const evidence&, std::vector<violation>&) = nullptr;
    detail::rule_traits traits = {};
};

constexpr std::uint8_t any_wake = first_cause | thrown_out | timeout;

// In the order of reports: what explains others comes first.
constexpr rule table[] = {
    {{"leaves_the_simulation",
         "nothing is started that runs outside the simulation: threads, real descriptors",
         detail::judge_leaves_the_simulation, true},
        first_cause, calm, true, true, outside_calls},
    {{"blocks_the_thread",
         "nothing blocks the thread: sleeps, waits, `run()` on the simulation's own context",
         detail::judge_blocks_the_thread, true},
        first_cause, calm, false, true, outside_calls},
    {{"no_escape", "no exception leaves a handler into the executor, and nothing calls `std::terminate`",
         detail::judge_no_escape, true},
        first_cause | escape, calm, false, true, escapes},
    {{"livelock", "a run ends within the limit of steps", detail::judge_livelock, true}, first_cause, calm,
        true, true},
    {{"completes",
         "every client ends; it is stuck in nothing but the body's own work or a phase declared unbounded; a "
         "client that waits for its turn is not left asleep while a resource is idle or a slot free, and "
         "goes when it is cancelled",
         detail::judge_completes},
        first_cause, escape, false, true, anything, detail::judge_waits_in_vain, {.about_waiting = true}},
    {{"expectation",
         "no check of the test itself fails inside the run: an `EXPECT_*`, a mock's expectation, "
         "`MISHAP_REQUIRE`; a handler of `from_callback` is called once",
         detail::judge_expectation, true},
        calm, first_cause, false, true, expectations},
    {{"no_stray_work", "nothing is left running when the last client has ended and the grace is over",
        detail::judge_no_stray_work}},
    {{"closes_everything",
        "whatever was created is closed by the end; a close that the client's own cancellation struck does "
        "not count",
        detail::judge_closes_everything}},
    {{"closes_once",
        "nothing is closed twice; a `force_close` after a close that did not succeed is no second close",
        detail::judge_closes_once}},
    {{"closes_only_what_exists", "nothing is closed that never was open",
        detail::judge_closes_only_what_exists}},
    {{"no_use_after_close", "no use starts on a resource that is closing or closed",
        detail::judge_no_use_after_close}},
    {{"one_at_a_time",
        "no operation starts on a resource while another one of it is in flight; a close may, over one that "
        "was asked to stop",
        detail::judge_one_at_a_time}},
    {{"body_runs_once",
        "a client's body runs at most once, or as often as `body_attempts` permits after it failed, and not "
        "at all if its create or acquire failed",
        detail::judge_body_runs_once}},
    {{"closes_in_reverse", "what is lent together by one client is closed last opened first",
        detail::judge_closes_in_reverse}},
    {{"commits_or_rolls_back",
        "a transaction ends by one commit, after the body has returned, or by one rollback, or its session "
        "is dropped",
        detail::judge_commits_or_rolls_back}},
    {{"releases_what_it_acquires",
        "what was acquired on a resource is released by one release, before the resource is closed or lent "
        "to another client; nothing else is released",
        detail::judge_releases_what_it_acquires}},
    {{"validates_first", "a setting that is declared invalid is refused before anything is created",
         detail::judge_validates_first},
        calm, first_cause | thrown_out, false, false, invalid_settings},
    {{"exclusive", "a resource is lent to one client at a time", detail::judge_exclusive}},
    {{"within_capacity", "no more resources exist at once than the capacity allows",
        detail::judge_within_capacity}},
    {{"discards_broken", "a resource that reported a breaking error is not lent again",
         detail::judge_discards_broken},
        calm, first_cause | thrown_out, false, false, trouble},
    {{"fair", "where it is promised, clients are served in the order in which they came",
        detail::judge_fair}},
    {{"honours_timeout",
         "a bounded phase that does not end by itself is given up at its deadline, not before, and with a "
         "timeout error",
         detail::judge_honours_timeout},
        timeout, first_cause | thrown_out, false, false, anything, nullptr,
        {.about_waiting = true, .told_last = true}},
    {{"preserves_error", "the error that the caller sees is the first one, by identity",
         detail::judge_preserves_error},
        calm, any_wake, false, false, trouble},
    {{"swallows_no_error",
         "an error, or that its body was stopped, reaches the caller; a close error alone at least the "
         "report sink",
         detail::judge_swallows_no_error},
        calm, any_wake, false, false, trouble},
    {{"invents_no_error", "where nothing went wrong, the caller sees no error",
         detail::judge_invents_no_error},
        calm, any_wake, false, false, trouble},
    {{"reports_cleanup_errors",
         "where it is promised, a clean-up error that yields to another is given to the report sink",
         detail::judge_reports_cleanup_errors},
        calm, any_wake, false, false, trouble},
    {{"balanced_statistics",
         "counters equal the ledger whenever nothing is ready to run, and nothing is counted in the end",
         detail::judge_balanced_statistics},
        calm, any_wake, false, false, counters},
    {{"recovers",
         "afterwards, as many fresh clients as there is capacity, or one, are served with no fault about",
         detail::judge_recovers},
        calm, any_wake, false, false, probes},
};

constexpr invariant between_runs[] = {
    {"equivalent", "with `equivalent_to`: both managers give the same operations, results, times, reports "
                   "and ends, lane by lane"},
    {"nondeterministic", "equal plans give equal runs"},
    {"crashes", "no run ends its process, by a signal, std::exit and its like, or a sanitizer's report"},
    {"spins", "no run uses more processor time than its limit, nor waits for ever outside the simulation"},
    {"exhausts_memory", "no run takes more memory than its limit"},
};

} // namespace

namespace {

std::vector<invariant>& registry()
{
    static std::vector<invariant> all(std::begin(table), std::end(table));
    return all;
}

std::vector<std::string>& refused()
{
    static std::vector<std::string> errors;
    return errors;
}

bool has_name(const invariant& i, std::string_view name) { return i.name == name; }

} // namespace

std::span<const invariant> invariants() noexcept { return registry(); }

detail::rule_traits detail::traits_of(std::string_view name) noexcept
{
    const auto found =
        std::find_if(std::begin(table), std::end(table), [&](const rule& r) { return has_name(r, name); });
    return found == std::end(table) ? rule_traits() : found->traits;
}

std::span<const invariant> detail::invariants_between_runs() noexcept { return between_runs; }

void register_invariant(const invariant& added)
{
    const auto is_taken = [&](const auto& by) {
        return std::any_of(
            std::begin(by), std::end(by), [&](const invariant& i) { return has_name(i, added.name); });
    };
    const bool is_word = !added.name.empty() && std::all_of(added.name.begin(), added.name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    });
    if (!is_word)
        throw input_error(fmt::format("'{}' cannot be an invariant's name: use a-z, 0-9 and _", added.name));
    if (is_taken(table) || is_taken(between_runs))
        throw input_error(
            fmt::format("'{}' is an invariant of mishap's own: give yours another name", added.name));
    if (is_taken(registry()))
        throw input_error(fmt::format("an invariant named '{}' is registered already", added.name));
    if (added.rule.empty() || !added.judge)
        throw input_error(
            fmt::format("the invariant '{}' has no {}", added.name, added.judge ? "rule" : "function"));
    invariant kept = added;
    // Verdicts refer to these texts, so they must live as long as the process; symbols do.
    kept.name = symbol(added.name).text();
    kept.rule = symbol(added.rule).text();
    registry().push_back(kept);
}

detail::invariant_registration::invariant_registration(
    const invariant& added, std::string_view file, int line)
{
    try {
        register_invariant(added);
    } catch (const input_error& e) {
        refused().push_back(fmt::format("{}:{}: {}", file, line, e.what()));
    }
}

const std::vector<std::string>& detail::invariant_errors() noexcept { return refused(); }

std::vector<const invariant*> select_invariants(std::span<const std::string> names)
{
    std::vector<const invariant*> selected;
    for (const std::string& name : names) {
        const auto all = invariants();
        const auto found =
            std::find_if(all.begin(), all.end(), [&](const invariant& i) { return has_name(i, name); });
        if (found == all.end()) {
            std::vector<std::string> known;
            for (const invariant& i : all)
                known.emplace_back(i.name);
            throw input_error(unknown_word("invariant", name, known));
        }
        selected.push_back(&*found);
    }
    return selected;
}

bool verdict::violates(std::string_view name) const noexcept
{
    const auto found = std::find_if(
        violations.begin(), violations.end(), [&](const violation& v) { return v.invariant == name; });
    if (found != violations.end() && detail::watch && name == detail::expectation_name)
        detail::watch->seen(*found);
    return found != violations.end();
}

bool evidence::excused(lane in) const noexcept
{
    // Of the background, where it is of everybody.
    if (in < 0)
        return !consequence.empty() &&
               std::all_of(consequence.begin(), consequence.end(), [](bool is) { return is; });
    return static_cast<std::size_t>(in) < consequence.size() && consequence[static_cast<std::size_t>(in)];
}

std::string evidence::name_of(const operation_record& op) const { return to_string(trace, op); }

std::string evidence::name_of(const resource_record& r) const
{
    return detail::name_of_resource(*this, static_cast<index>(&r - trace.resources.data()));
}

std::string evidence::name_of_client(lane in) const { return detail::name_of_client(*this, in); }

std::string evidence::name_of(const std::exception_ptr& error) const
{
    return detail::describe_error(*this, error);
}

violation evidence::broken_by(const operation_record& op, std::string sentence) const
{
    return {
        .sentence = std::move(sentence),
        .lane = op.id.lane,
        .resource = op.resource,
        .role = op.role,
        .proof = {{op.started, "here"}},
        .expected = "",
        .actual = "",
    };
}

namespace {

/// A rule that mishap knows nothing of: it may throw, and may speak of what is not in the trace.
void judge_by_users(const invariant& rule, const evidence& e, std::vector<violation>& found, verdict& result)
{
    std::exception_ptr thrown;
    try {
        rule.judge(e, found);
    } catch (...) {
        thrown = std::current_exception();
    }
    for (violation& v : found) {
        if (e.excused(v.lane))
            continue;
        v.invariant = rule.name;
        if (v.resource != none && v.resource >= e.trace.resources.size())
            v.resource = none;
        std::erase_if(v.proof, [&](const auto& proof) { return proof.event >= e.trace.events.size(); });
        result.violations.push_back(std::move(v));
    }
    found.clear();
    if (thrown)
        result.violations.push_back({
            .invariant = rule.name,
            .sentence = fmt::format("the rule itself threw {}", describe(thrown)),
            .expected = "a rule that judges every run",
            .actual = "it threw",
        });
}

} // namespace

namespace {

/// In whose wake each client is.
class wakes
{
public:
    explicit wakes(std::size_t clients) : of_(clients, calm) {}

    void leave(lane in, std::uint8_t what, bool for_all = false)
    {
        any_ |= what;
        if (!for_all && in >= 0 && static_cast<std::size_t>(in) < of_.size())
            of_[static_cast<std::size_t>(in)] |= what;
        else // the adapter's is everybody's
            for (std::uint8_t& mine : of_)
                mine |= what;
    }

    void tell(std::uint8_t silenced_by, std::vector<bool>& consequence) const
    {
        if (!consequence.empty())
            consequence.clear();
        if ((any_ & silenced_by) == 0)
            return;
        for (const std::uint8_t mine : of_)
            consequence.push_back((mine & silenced_by) != 0);
    }

private:
    std::vector<std::uint8_t> of_;
    std::uint8_t any_ = calm;
};

/// The thread's account, used again and again. A rule that judges another run meanwhile gets one of its own.
class borrowed_account
{
public:
    borrowed_account() : lent_(std::exchange(spare(), nullptr))
    {
        if (!lent_)
            lent_ = std::make_unique<account>();
    }
    borrowed_account(const borrowed_account&) = delete;
    borrowed_account& operator=(const borrowed_account&) = delete;
    ~borrowed_account() { spare() = std::move(lent_); }

    account& operator*() const noexcept { return *lent_; }

private:
    static std::unique_ptr<account>& spare()
    {
        static thread_local std::unique_ptr<account> kept;
        return kept;
    }

    std::unique_ptr<account> lent_;
};

} // namespace

verdict judge(const contract& promises, const fault_plan& plan, const trace& happened,
    std::span<const invariant* const> only)
{
    const std::vector<invariant>& all = registry();
    const auto is_asked_for = [&](const invariant& i) {
        return only.empty() || i.always || std::find(only.begin(), only.end(), &i) != only.end();
    };
    const borrowed_account borrowed;
    account& of_run = *borrowed;
    of_run.build(promises, plan, happened);
    verdict result;
    evidence e{promises, plan, happened, of_run, {}};
    std::vector<violation> found;
    wakes in_wake(happened.outcomes.size());
    for (const expectation_record& failed : happened.expectations)
        if (failed.ended_lane)
            in_wake.leave(failed.lane, thrown_out);
    const std::uint8_t matters = matters_of(of_run);
    // Those that nobody asked for are judged, too: what follows from a hang is no violation of another rule.
    for (const rule& judged : table) {
        if ((judged.speaks_of & matters) == 0 || (happened.cut_off != none && !judged.when_cut_off))
            continue;
        const auto take = [&](std::uint8_t leaves) {
            if (found.empty())
                return;
            const bool is_reported = is_asked_for(all[static_cast<std::size_t>(&judged - table)]);
            for (violation& v : found) {
                if (leaves != calm)
                    in_wake.leave(v.lane, leaves, judged.for_all);
                v.invariant = judged.name;
                if (is_reported)
                    result.violations.push_back(std::move(v));
            }
            found.clear();
        };
        in_wake.tell(judged.silenced_by, e.consequence);
        judged.judge(e, found);
        take(judged.leaves);
        if (!judged.judge_repaired)
            continue;
        in_wake.tell(judged.silenced_by | judged.leaves, e.consequence);
        judged.judge_repaired(e, found);
        take(calm);
    }
    in_wake.tell(first_cause, e.consequence);
    for (std::size_t i = std::size(table); i < all.size() && happened.cut_off == none; ++i)
        if (is_asked_for(all[i]))
            judge_by_users(all[i], e, found, result);
    return result;
}

} // namespace mishap
