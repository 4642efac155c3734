// SPDX-License-Identifier: MIT
#include "campaign.hpp"
#include "menu.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace mishap {

namespace {

class sweeper
{
public:
    sweeper(detail::campaign& campaign, const sweep_options& options)
        : campaign_(campaign), options_(options), menu_(options, campaign.promises())
    {}

    void sweep()
    {
        fault_plan plan;
        plan.settings = options_.settings;
        plan.invalid_settings = options_.invalid_settings;
        plan.step_cost = options_.step_cost;
        plan.clients = options_.clients;
        plan.arrivals = options_.arrivals;
        if ((campaign_.promises().serves_clients() || options_.clients > 1) && clients() > 1)
            visit_in_turns(plan);
        visit(plan, 0, options_.perturbations, nullptr);
        if (options_.perturbations == 0)
            campaign_.wants_no_faults();
        campaign_result& result = campaign_.result();
        result.complete = !bounded_ && !repeated_ && limited_ == 0 && !campaign_.nondeterministic();
        result.covered = fmt::format("{} for at most {} of: {}; schedule: fifo{}",
            result.complete ? "complete" : "incomplete", options_.perturbations, description(),
            options_.deviate ? " and deviations by a step" : "");
        if (bounded_)
            result.covered +=
                lost_ >= detail::lost_max
                    ? fmt::format("; stopped after {} runs that had to be left where they stood", lost_)
                    : fmt::format("; stopped at {} runs", options_.runs_max);
        if (repeated_)
            result.covered +=
                fmt::format("; of equal operations only the first {}", options_.occurrences_max);
        if (limited_)
            result.covered += fmt::format("; {} runs were cut short by the limit of steps", limited_);
    }

private:
    /// The same clients one after the other. Where runs are limited, no way to come may take them all: the
    /// smallest go first, and whatever they leave is for all clients at once.
    void visit_in_turns(fault_plan plan)
    {
        const auto visit_within = [&](unsigned share, index from) {
            const std::uint64_t used = campaign_.result().runs;
            runs_max_ = used + (options_.runs_max - std::min(used, options_.runs_max)) / share;
            visit(plan, from, options_.perturbations, nullptr);
            runs_max_ = options_.runs_max;
        };
        plan.arrivals.clear();
        // The last one comes when what the others left has lain idle for a while: from then on things go
        // wrong.
        plan.arrivals[static_cast<lane>(clients() - 1)] = menu_.a_while();
        visit_within(4, none);
        plan.arrivals.clear();
        // A newcomer comes just when something is given back for which others wait.
        plan.relay = true;
        if (clients() > 2)
            visit_within(3, 0);
        plan.relay = false;
        // All of them reuse what the first ones left.
        plan.sequential = true;
        visit_within(2, 0);
    }

    std::uint32_t clients() const
    {
        return options_.clients != 0 ? options_.clients : campaign_.promises().default_clients();
    }

    /// What a sweep keeps of a run.
    struct outlook
    {
        bool ends_here = false;
        std::optional<trace> diverged = {}; ///< what came before the new fault is not as in the parent's run
        detail::places where = {};
        std::optional<std::pair<detail::place, perturbation>> outage = {};
    };

    outlook look(const run_result& done, const fault_plan& plan, index from, unsigned left,
        const detail::place* branch)
    {
        outlook ahead;
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
        if (from == none) {
            const auto& all = done.trace.outcomes;
            from = all.empty() ? 0 : all[std::min<std::size_t>(clients(), all.size()) - 1].started;
            if (from == none) { // it never came
                ahead.ends_here = true;
                return ahead;
            }
        }
        limited_ += done.violates("livelock");
        lost_ += done.trace.cut_off != none;
        ahead.ends_here = left == 0;
        if (ahead.ends_here)
            return ahead;
        ahead.where = detail::list_places(
            done.trace, plan, campaign_.promises(), from, options_.occurrences_max, menu_.interrupts());
        ahead.outage = menu_.outage(plan, done.trace, from);
        return ahead;
    }

    /// Runs a plan, then every plan that adds one perturbation at or after `from` in this run's own trace;
    /// from `none`, at or after the arrival of the last client.
    void visit(fault_plan& plan, index from, unsigned left, const detail::place* branch)
    {
        if (campaign_.nondeterministic())
            return;
        if (campaign_.result().runs >= runs_max_ || lost_ >= detail::lost_max) {
            bounded_ = true;
            return;
        }
        const outlook ahead =
            campaign_.run(plan, [&](const run_result& done) { return look(done, plan, from, left, branch); });
        if (ahead.diverged) {
            if (campaign_.repeats(plan, *ahead.diverged))
                campaign_.found_nondeterminism(
                    plan, fmt::format("with one more fault, at {}, what came before it changed",
                              to_string(branch->id)));
            return;
        }
        if (ahead.ends_here)
            return;
        repeated_ = repeated_ || ahead.where.repeated;
        const auto add = [&](const perturbation& one, const detail::place& here) {
            plan.perturbations.push_back(one);
            visit(plan, one.is_fault() ? here.position + 1 : here.position, left - 1, &here);
            plan.perturbations.pop_back();
        };
        if (ahead.outage) {
            tried_outage_ = true;
            add(ahead.outage->second, ahead.outage->first);
        }
        for (const detail::place& here : ahead.where.all)
            for (const perturbation& one : menu_.choices(here, ahead.where.clients, plan))
                add(one, here);
    }

    std::string description() const
    {
        std::string text = menu_.description();
        if (tried_outage_)
            text += ", an outage in which every create fails";
        if (options_.abandon)
            text += ", abandonment of any client, and of the world, at any step";
        return text;
    }

    detail::campaign& campaign_;
    const sweep_options& options_;
    detail::menu menu_;
    std::uint64_t runs_max_ = options_.runs_max;
    bool bounded_ = false;
    bool tried_outage_ = false;
    bool repeated_ = false;
    std::uint64_t lost_ = 0;
    std::uint64_t limited_ = 0;
};

} // namespace

void detail::sweep_into(campaign& into, const sweep_options& options) { sweeper(into, options).sweep(); }

campaign_result sweep(const manager& under_test, const sweep_options& options)
{
    detail::campaign campaign(under_test, options.contract, options.limits, options.name, options.invariants);
    if (!campaign.replayed())
        detail::sweep_into(campaign, options);
    return campaign.finish();
}

} // namespace mishap
