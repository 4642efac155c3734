#include "invariants.hpp"

#include "vocabulary/expectations.hpp"

#include <algorithm>

namespace mishap {

namespace {

// The first ones explain what follows them, so they come first.
constexpr invariant table[] = {
    {"leaves_the_simulation", "nothing is started that runs outside the simulation",
        detail::judge_leaves_the_simulation},
    {"blocks_the_thread", "nothing blocks the thread", detail::judge_blocks_the_thread},
    {"no_escape", "no exception leaves a handler into the executor", detail::judge_no_escape},
    {"livelock", "a run ends within the limit of steps", detail::judge_livelock},
    {"completes",
        "every client ends; it is stuck in nothing but the body's own work or a phase declared unbounded",
        detail::judge_completes},
    {"expectation", "no check of the test itself fails inside the run: an EXPECT_*, a mock's, MISHAP_REQUIRE",
        detail::judge_expectation},
    {"no_stray_work", "nothing is left running when the last client has ended and the grace is over",
        detail::judge_no_stray_work},
    {"closes_everything", "whatever was created is closed by the end", detail::judge_closes_everything},
    {"closes_once", "nothing is closed twice", detail::judge_closes_once},
    {"closes_only_what_exists", "nothing is closed that never was open",
        detail::judge_closes_only_what_exists},
    {"no_use_after_close", "no use starts on a resource that is closing or closed",
        detail::judge_no_use_after_close},
    {"one_at_a_time", "no operation starts on a resource while another one of it is in flight",
        detail::judge_one_at_a_time},
    {"body_runs_once", "the body runs at most once, and not at all if create failed",
        detail::judge_body_runs_once},
    {"closes_in_reverse", "what is lent together by one client is closed last opened first",
        detail::judge_closes_in_reverse},
    {"commits_or_rolls_back",
        "a transaction ends by one commit, after the body has returned, or by one rollback, or its session "
        "is dropped",
        detail::judge_commits_or_rolls_back},
    {"validates_first", "a setting that is declared invalid is refused before anything is created",
        detail::judge_validates_first},
    {"exclusive", "a resource is lent to one client at a time", detail::judge_exclusive},
    {"within_capacity", "no more resources exist at once than the capacity allows",
        detail::judge_within_capacity},
    {"discards_broken", "a resource that reported a breaking error is not lent again",
        detail::judge_discards_broken},
    {"fair", "where it is promised, clients are served in the order in which they came", detail::judge_fair},
    {"honours_timeout", "a bounded phase that does not end by itself is given up at its deadline",
        detail::judge_honours_timeout},
    {"preserves_error", "the error that the caller sees is the first one", detail::judge_preserves_error},
    {"swallows_no_error", "an error reaches the caller; a close error alone at least the report sink",
        detail::judge_swallows_no_error},
    {"invents_no_error", "where nothing went wrong, the caller sees no error",
        detail::judge_invents_no_error},
    {"reports_cleanup_errors",
        "where it is promised, a clean-up error that yields to another is given to the report sink",
        detail::judge_reports_cleanup_errors},
    {"balanced_statistics",
        "counters equal the ledger whenever nothing is ready to run, and nothing is counted in the end",
        detail::judge_balanced_statistics},
    {"recovers", "afterwards, as many fresh clients as there is capacity are served at once",
        detail::judge_recovers},
};

constexpr std::size_t first_causes = 5;

} // namespace

std::span<const invariant> invariants() noexcept { return table; }

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
    return in >= 0 && static_cast<std::size_t>(in) < consequence.size() &&
           consequence[static_cast<std::size_t>(in)];
}

namespace {

/// What happened in that lane is consequence from now on; of the adapter's own, everything is.
void excuse(evidence& e, lane in)
{
    e.consequence.resize(e.trace.outcomes.size(), false);
    if (in < 0 || static_cast<std::size_t>(in) >= e.consequence.size())
        e.consequence.assign(e.trace.outcomes.size(), true);
    else
        e.consequence[static_cast<std::size_t>(in)] = true;
}

} // namespace

verdict judge(const contract& promises, const fault_plan& plan, const trace& happened)
{
    verdict result;
    evidence e{promises, plan, happened, {}};
    std::vector<violation> found;
    for (std::size_t i = 0; i < std::size(table); ++i) {
        if (i == first_causes && !result.violations.empty()) {
            e.consequence.assign(happened.outcomes.size(), false);
            for (const violation& v : result.violations)
                if (v.invariant == "livelock" || v.invariant == "leaves_the_simulation" || v.lane < 0 ||
                    static_cast<std::size_t>(v.lane) >= e.consequence.size())
                    e.consequence.assign(happened.outcomes.size(), true);
                else
                    e.consequence[static_cast<std::size_t>(v.lane)] = true;
        }
        // Who kept to no deadline has no error to pass on, or another one: that is the same fault once more.
        if (table[i].name == "preserves_error") {
            e.consequence.resize(happened.outcomes.size(), false);
            for (const violation& v : result.violations)
                if (v.invariant == "honours_timeout" && v.lane >= 0 &&
                    static_cast<std::size_t>(v.lane) < e.consequence.size())
                    e.consequence[static_cast<std::size_t>(v.lane)] = true;
        }
        // Who was thrown out by a check of the test leaves things undone: that is no fault of the manager's.
        if (table[i].name == "no_stray_work")
            for (const expectation_record& failed : happened.expectations)
                if (failed.ended_lane)
                    excuse(e, failed.lane);
        table[i].judge(e, found);
        for (violation& v : found) {
            v.invariant = table[i].name;
            result.violations.push_back(std::move(v));
        }
        found.clear();
    }
    return result;
}

} // namespace mishap
