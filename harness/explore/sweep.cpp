// SPDX-License-Identifier: MIT
#include "campaign.hpp"
#include "menu.hpp"
#include "seen.hpp"

#include "simulation/scheduler.hpp"
#include "vocabulary/printable.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

namespace mishap {

namespace {

class sweeper
{
public:
    sweeper(detail::campaign& campaign, const sweep_options& options, const contract& promises, bool prunes)
        : campaign_(campaign), options_(options), promises_(promises), prunes_(prunes),
          menu_(options, promises)
    {}

    void sweep()
    {
        fault_plan plan;
        plan.settings = options_.settings;
        plan.invalid_settings = options_.invalid_settings;
        plan.step_cost = options_.step_cost;
        plan.clients = options_.clients;
        plan.arrivals = options_.arrivals;
        if ((promises_.serves_clients() || options_.clients > 1) && clients() > 1)
            visit_in_turns(plan);
        visit_all(
            plan, {options_.perturbations, options_.preemptions}, options_.runs_max, "all clients at once");
        if (options_.perturbations == 0)
            campaign_.wants_no_faults();
    }

    bool is_complete() const
    {
        return !bounded_ && !repeated_ && limited_ == 0 && !campaign_.nondeterministic();
    }

    /// What was tried, and why not all of it.
    std::string covered(bool complete) const
    {
        std::string text = fmt::format("{} plan{} of at most {}{}",
            complete ? "complete: every" : "incomplete:", complete ? "" : "s",
            detail::counted(options_.perturbations, "perturbation"), menu_.beyond_the_default());
        if (options_.preemptions != 0)
            text += fmt::format(
                ", under schedules of at most {}", detail::counted(options_.preemptions, "preemption"));
        if (bounded_)
            text += !campaign_.why_stopped().empty() ? "; " + campaign_.why_stopped()
                    : lost_ >= detail::lost_max
                        ? fmt::format("; stopped after {} runs that had to be left where they stood", lost_)
                        : fmt::format("; stopped at {} runs", options_.runs_max);
        if (repeated_)
            text += fmt::format("; of equal operations only the first {}", options_.occurrences_max);
        if (limited_)
            text += fmt::format("; {} runs were cut short by the limit of steps", limited_);
        return text;
    }

    /// What finds bugs and was not asked for.
    std::string untried() const
    {
        return menu_.abandons() || !menu_.is_default()
                   ? std::string()
                   : "abandoning clients, other schedules: `abandonable: true` in the contract, or "
                     "`--also abandon,deviate`";
    }

private:
    /// How many more there may be.
    struct budget
    {
        unsigned perturbations;
        unsigned preemptions;

        bool is_empty() const noexcept { return perturbations == 0 && preemptions == 0; }
    };

    /// The same clients one after the other. Where runs are limited, no way to come may take them all: the
    /// smallest go first, and whatever they leave is for all clients at once.
    void visit_in_turns(fault_plan plan)
    {
        const auto visit_within = [&](unsigned share, const char* what) {
            const std::uint64_t used = campaign_.result().runs;
            visit_all(plan, {options_.perturbations, 0},
                used + (options_.runs_max - std::min(used, options_.runs_max)) / share, what);
        };
        plan.arrivals.clear();
        // The last one comes when what the others left has lain idle for a while, be it whole or broken: so
        // long that whatever waits for a time has come to its end.
        after_gap_ = true;
        const auto last = static_cast<lane>(clients() - 1);
        const auto visit_after = [&](duration idle, const char* what) {
            // Times are often round numbers: what was begun at one is under way when the client comes.
            plan.arrivals[last] = std::min<duration>(
                idle + std::chrono::seconds(1), options_.limits.horizon.value_or(std::chrono::hours(24)) / 2);
            visit_within(4, what);
        };
        visit_after(menu_.a_while(), "one client comes late");
        if (const duration longer = longer_gap(); longer > menu_.a_while())
            visit_after(longer, "one client comes after the longest wait");
        after_gap_ = false;
        plan.arrivals.clear();
        // A newcomer comes just when something is given back for which others wait.
        plan.relay = true;
        if (clients() > 2)
            visit_within(3, "a newcomer when one leaves");
        plan.relay = false;
        // All of them reuse what the first ones left.
        plan.sequential = true;
        visit_within(2, "one client after the other");
    }

    /// A plan and all that extend it, here or in other processes.
    void visit_all(const fault_plan& base, budget left, std::uint64_t runs_max, std::string what)
    {
        fault_plan plan = base;
        runs_max_ = runs_max;
        if (!campaign_.is_conducted()) {
            visit(plan, 0, left, nullptr);
            return;
        }
        if (campaign_.nondeterministic())
            return;
        detail::campaign::parts all;
        all.has_root = true;
        all.runs_max = runs_max;
        all.what = std::move(what);
        all.base = plan;
        // The first part is the run itself; each of the others is what extends it at one of its places.
        std::optional<outlook> root;
        all.serve = [&](const detail::part_request& asked, detail::campaign_part& part) {
            runs_max_ = asked.runs_max;
            bounded_ = repeated_ = false;
            const auto looks = [&](const run_result& done) { return look(done, plan, 0, left, nullptr); };
            if (asked.part != 0 && !root)
                root = campaign_.peek(plan, looks);
            lost_ = limited_ = 0;
            if (asked.part == 0) {
                root = campaign_.run(plan, looks);
                repeated_ = root->where.repeated;
            } else {
                seen_ = {};
                visit_beyond(plan, *root, asked.part - 1, left);
            }
            part.parts = 1 + root->ways(left);
            part.lost = lost_;
            part.limited = limited_;
            part.bounded = bounded_;
            part.repeated = repeated_;
            part.longest_wait = longest_wait_.count();
            part.tick = tick_.count();
        };
        bool bounded = bounded_, repeated = repeated_;
        all.learn = [&](const detail::campaign_part& part) {
            all.count = part.parts;
            lost_ += part.lost;
            limited_ += part.limited;
            bounded = bounded || part.bounded;
            repeated = repeated || part.repeated;
            longest_wait_ = std::max(longest_wait_, duration(part.longest_wait));
            tick_ = std::max(tick_, duration(part.tick));
            return lost_ < detail::lost_max;
        };
        const bool whole = campaign_.conduct(all);
        bounded_ = bounded || !whole;
        repeated_ = repeated;
    }

    /// How long everything has to lie idle until whatever was waiting for a time has seen it come; zero where
    /// a while is enough.
    duration longer_gap() const
    {
        // Asio asks for no more than five minutes at a time, so nobody can tell what is meant by them.
        if (longest_wait_ >= std::chrono::minutes(5))
            return std::chrono::hours(1);
        // What ticks may count, or look at a clock, as something does that closes what nobody used for long.
        if (tick_ != duration(0))
            return std::clamp<duration>(100 * tick_, std::chrono::minutes(10), std::chrono::hours(1));
        return longest_wait_;
    }

    std::uint32_t clients() const
    {
        return options_.clients != 0 ? options_.clients : promises_.default_clients();
    }

    /// What whoever added the last perturbation learns of the run.
    struct run_seen
    {
        /// When the run woke up while that kept its operation under way, from its start.
        std::vector<duration> instants = {};
        std::uint64_t hash = 0;
    };

    /// What a sweep keeps of a run.
    struct outlook
    {
        bool ends_here = false;
        std::uint64_t hash = 0;
        std::optional<trace> diverged = {}; ///< what came before the new fault is not as in the parent's run
        detail::places where = {};
        std::vector<detail::menu::outage> outages = {};
        index arrival = none; ///< of the client that comes later than all others
        /// When the run woke up while the new fault kept its operation under way, from its start.
        std::vector<duration> instants = {};

        /// In how many ways the plan is extended: with each outage, and at each place by a perturbation or a
        /// preemption.
        std::size_t ways(budget left) const noexcept
        {
            if (ends_here)
                return 0;
            return (left.perturbations != 0 ? outages.size() + where.all.size() : 0) +
                   (left.preemptions != 0 ? where.all.size() : 0);
        }
    };

    outlook look(
        const run_result& done, const fault_plan& plan, index from, budget left, const detail::place* branch)
    {
        outlook ahead;
        ahead.hash = done.trace.hash;
        if (detail::has_died(done)) {
            ahead.ends_here = true;
            return ahead;
        }
        if (branch && !branch->boundary) {
            const auto& ops = done.trace.operations;
            const bool same = std::any_of(ops.begin(), ops.end(), [&](const operation_record& op) {
                return op.id == branch->id && op.prefix_hash == branch->prefix_hash;
            });
            if (!same) {
                ahead.diverged = done.trace;
                return ahead;
            }
        }
        if (after_gap_) {
            const auto& all = done.trace.outcomes;
            ahead.arrival =
                all.empty() ? none : all[std::min<std::size_t>(clients(), all.size()) - 1].started;
            if (ahead.arrival == none) { // it never came
                ahead.ends_here = true;
                return ahead;
            }
            if (plan.perturbations.empty()) {
                longest_wait_ = std::max(longest_wait_, done.trace.longest_wait);
                tick_ = tick_of(done.trace, done.trace.time_of(ahead.arrival));
            }
            if (from == none)
                from = ahead.arrival;
        }
        if (branch && plan.perturbations.size() == 1)
            ahead.instants = instants_of(done.trace, branch->id);
        limited_ += done.violates("livelock");
        lost_ += done.trace.cut_off != none;
        ahead.ends_here = left.is_empty();
        if (ahead.ends_here)
            return ahead;
        // What was seen before has children that were seen before.
        if (prunes_ && !after_gap_ && seen_.covers(done, plan, from, left.perturbations, left.preemptions)) {
            ahead.ends_here = true;
            ++campaign_.result().pruned;
            return ahead;
        }
        ahead.where = detail::list_places(
            done.trace, plan, promises_, from, options_.occurrences_max, menu_.interrupts(), ahead.arrival);
        if (left.perturbations != 0)
            ahead.outages = menu_.outages(plan, done.trace, from, ahead.arrival);
        return ahead;
    }

    /// The distance of the last two instants at which something happened while all lay idle until then; zero
    /// where nothing went on.
    static duration tick_of(const trace& happened, duration until)
    {
        const auto& all = happened.instants;
        const auto end = std::lower_bound(all.begin(), all.end(), until);
        return end - all.begin() < 2 ? duration(0) : *(end - 1) - *(end - 2);
    }

    /// The first two that the clock was advanced to while that operation was under way.
    static std::vector<duration> instants_of(const trace& happened, const operation_id& id)
    {
        constexpr std::size_t at_most = 2;
        std::vector<duration> found;
        for (const operation_record& op : happened.operations) {
            if (!(op.id == id) || op.started == none || !op.fault.hangs())
                continue;
            const duration from = happened.time_of(op.started);
            const duration to = op.completed == none ? from : happened.time_of(op.completed);
            for (const duration when : happened.instants)
                if (when > from && when <= to && found.size() < at_most)
                    found.push_back(when - from);
            break;
        }
        return found;
    }

    /// Runs a plan, then every plan that adds one perturbation at or after `from` in this run's own trace;
    /// from `none`, at or after the arrival of the last client.
    run_seen visit(fault_plan& plan, index from, budget left, const detail::place* branch)
    {
        if (campaign_.nondeterministic())
            return {};
        if (campaign_.result().runs >= runs_max_ || lost_ >= detail::lost_max || !campaign_.may_go_on()) {
            bounded_ = true;
            return {};
        }
        outlook ahead =
            campaign_.run(plan, [&](const run_result& done) { return look(done, plan, from, left, branch); });
        if (ahead.diverged) {
            if (campaign_.repeats(plan, *ahead.diverged))
                campaign_.found_nondeterminism(
                    plan, fmt::format("with one more fault, at {}, what came before it changed",
                              to_string(branch->id)));
            return {};
        }
        if (ahead.ends_here)
            return {std::move(ahead.instants), ahead.hash};
        repeated_ = repeated_ || ahead.where.repeated;
        for (std::size_t way = 0; way < ahead.ways(left); ++way) {
            if (!branch)
                seen_ = {}; // as in a process that is given this way alone
            visit_beyond(plan, ahead, way, left);
        }
        return {std::move(ahead.instants), ahead.hash};
    }

    /// Every plan that extends this one in one of the ways that its run showed.
    void visit_beyond(fault_plan& plan, const outlook& ahead, std::size_t way, budget left)
    {
        const std::size_t places = ahead.where.all.size();
        const std::size_t perturbed = left.perturbations != 0 ? ahead.outages.size() + places : 0;
        if (way >= perturbed) {
            preempt(plan, left, ahead.where.all[way - perturbed], ahead.hash);
            return;
        }
        const bool first = plan.perturbations.empty();
        const auto is_early = [&](const detail::place& here) {
            return first && after_gap_ && here.position < ahead.arrival;
        };
        const auto add = [&](const std::vector<perturbation>& more, const detail::place& here) {
            const std::size_t before = plan.perturbations.size();
            plan.perturbations.insert(plan.perturbations.end(), more.begin(), more.end());
            // What follows a failure, a while later, is what this way of coming is for.
            const index next = is_early(here)            ? none
                               : more.front().is_fault() ? here.position + 1
                                                         : here.position;
            auto instants = visit(plan, next, {left.perturbations - 1, left.preemptions}, &here).instants;
            plan.perturbations.resize(before);
            return instants;
        };
        if (way < ahead.outages.size()) {
            add(ahead.outages[way].what, ahead.outages[way].where);
            return;
        }
        const detail::place& here = ahead.where.all[way - ahead.outages.size()];
        std::vector<duration> instants;
        const auto choices =
            is_early(here) ? menu_.plain_choices(here, plan) : menu_.choices(here, ahead.where.clients, plan);
        for (const perturbation& one : choices)
            if (auto woken = add({one}, here); !woken.empty())
                instants = std::move(woken);
        if (first && menu_.is_default() && !is_early(here))
            for (const perturbation& one : menu_.choices_at(here, instants, plan))
                add({one}, here);
    }

    /// Holds one more operation back: until nothing else is ready, and, where that makes a difference, until
    /// each other lane has taken a step, two steps, and so on, as long as that is sooner.
    void preempt(fault_plan& plan, budget left, const detail::place& here, std::uint64_t parent)
    {
        const auto is_held = [&](const perturbation& p) { return p.yields() && p.at == here.id; };
        if (here.boundary || here.blocking || clients() < 2 ||
            std::any_of(plan.perturbations.begin(), plan.perturbations.end(), is_held))
            return;
        const auto hold = [&](lane first, std::uint32_t steps) {
            plan.perturbations.push_back({.at = here.id, .what = deviation{.first = first, .steps = steps}});
            const std::uint64_t hash =
                visit(plan, here.position, {left.perturbations, left.preemptions - 1}, &here).hash;
            plan.perturbations.pop_back();
            return hash;
        };
        const lane any = here.id.lane == 0 ? lane(1) : lane(0);
        const std::uint64_t longest = hold(any, detail::until_nothing_is_ready);
        if (longest == parent)
            return;
        constexpr std::uint32_t steps_max = 64;
        for (lane first = 0; static_cast<std::uint32_t>(first) < clients(); ++first) {
            if (first == here.id.lane)
                continue;
            std::uint32_t steps = 1;
            while (steps <= steps_max && !bounded_ && hold(first, steps) != longest)
                ++steps;
            bounded_ = bounded_ || steps > steps_max;
        }
    }

    detail::campaign& campaign_;
    const sweep_options& options_;
    const contract& promises_;
    bool prunes_;
    detail::menu menu_;
    detail::seen_runs seen_;
    std::uint64_t runs_max_ = options_.runs_max;
    bool after_gap_ = false; ///< the last client comes later than all others
    duration tick_{0};       ///< of what goes on in the background meanwhile
    duration longest_wait_{0};
    bool bounded_ = false;
    bool repeated_ = false;
    std::uint64_t lost_ = 0;
    std::uint64_t limited_ = 0;
};

} // namespace

void detail::sweep_into(campaign& into, const sweep_options& options, bool prunes)
{
    const contract& promises = into.promises();
    into.require(options.require);
    into.stops_after(options.time_max);
    sweeper all(into, options, promises, prunes);
    bool complete = true;
    std::string also;
    // What three things going wrong find where there are two of something, one finds where there is only one.
    const bool several =
        promises.capacity.resources.value_or(1) > 1 && !options.settings.contains("capacity");
    if (several && into.reads("capacity", "1")) {
        contract of_one = promises;
        of_one.capacity.resources = 1;
        sweep_options alone = options;
        alone.settings.insert_or_assign("capacity", std::to_string(*of_one.capacity.resources));
        alone.runs_max = options.runs_max / 3;
        sweeper small(into, alone, of_one, prunes);
        small.sweep();
        complete = small.is_complete();
        also = complete ? "; with a capacity of 1, too" : "; with a capacity of 1, too, as far as it went";
    }
    all.sweep();
    campaign_result& result = into.result();
    result.complete = complete && all.is_complete() && !into.is_shard();
    result.covered = all.covered(result.complete) + also + into.which_shard();
    result.untried = all.untried();
}

namespace {

campaign_result sweep_once(const manager& under_test, const sweep_options& options, bool prunes)
{
    detail::campaign campaign(under_test, options.contract, options.limits, options.name, options.invariants);
    if (!campaign.replayed())
        detail::sweep_into(campaign, options, prunes);
    return campaign.finish();
}

std::vector<std::string> bugs_of(const campaign_result& result)
{
    std::vector<std::string> bugs;
    for (const counterexample& c : result.counterexamples)
        bugs.push_back(fmt::format("{} under {}", c.invariant, to_string(c.minimal.fired)));
    return bugs;
}

} // namespace

campaign_result sweep(const manager& under_test, const sweep_options& options)
{
    campaign_result result = sweep_once(under_test, options, true);
    if (!options.check_pruning || result.replayed)
        return result;
    campaign_result whole = sweep_once(under_test, options, false);
    const std::string figures = fmt::format("{} runs with pruning, {} without", result.runs, whole.runs);
    if (const auto some = bugs_of(result), all = bugs_of(whole); some != all)
        whole.invalid = fmt::format("pruning changed what was found ({}): with it {}; without it {}", figures,
            fmt::join(some, "; "), fmt::join(all, "; "));
    else
        whole.covered += fmt::format("; pruning changes nothing: {}", figures);
    return whole;
}

} // namespace mishap
