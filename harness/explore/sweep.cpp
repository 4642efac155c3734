#include "campaign.hpp"

#include <mishap/duration.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace mishap {

namespace {

/// An operation of a run at which a child run may differ.
struct site
{
    index position;
    operation_id id;
    role what;
    std::uint64_t prefix_hash;
};

std::vector<fault> default_kinds()
{
    return {fault::fail("io_error"), fault::fail("foreign"), fault::hang(), fault::delay(duration(0))};
}

class sweeper
{
public:
    sweeper(detail::campaign& campaign, const sweep_options& options)
        : campaign_(campaign), options_(options),
          kinds_(options.kinds.empty() ? default_kinds() : options.kinds)
    {}

    void sweep()
    {
        fault_plan plan;
        plan.settings = options_.settings;
        plan.step_cost = options_.step_cost;
        visit(plan, 0, options_.perturbations, nullptr);
        campaign_result& result = campaign_.result();
        result.complete = !bounded_ && !campaign_.nondeterministic();
        result.covered = fmt::format("{} for at most {} of: {}; schedule: fifo",
            result.complete ? "complete" : "incomplete", options_.perturbations, describe_kinds());
        if (bounded_)
            result.covered += fmt::format("; stopped at {} runs", options_.runs_max);
        if (limited_)
            result.covered += fmt::format("; {} runs were cut short by the limit of steps", limited_);
    }

private:
    /// Runs a plan, then every plan that adds one perturbation at or after `from` in this run's own trace.
    void visit(fault_plan& plan, index from, unsigned left, const site* branch)
    {
        if (campaign_.nondeterministic())
            return;
        if (campaign_.result().runs >= options_.runs_max) {
            bounded_ = true;
            return;
        }
        const run_result& done = campaign_.run(plan);
        if (branch) {
            // Everything before the new perturbation must be as in the parent's run.
            const auto& ops = done.trace.operations;
            const bool same = branch->position < ops.size() && ops[branch->position].id == branch->id &&
                              ops[branch->position].prefix_hash == branch->prefix_hash;
            if (!same) {
                const trace before = done.trace;
                if (campaign_.repeats(plan, before))
                    campaign_.found_nondeterminism(
                        plan, fmt::format("with one more fault, at {}, what came before it changed",
                                  to_string(branch->id)));
                return;
            }
        }
        limited_ += done.violates("livelock");
        if (left == 0)
            return;
        std::vector<site> sites;
        for (index i = from; i < done.trace.operations.size(); ++i) {
            const operation_record& op = done.trace.operations[i];
            if (op.role != role::force_close && !plan.find(op.id))
                sites.push_back({i, op.id, op.role, op.prefix_hash});
        }
        for (const site& here : sites)
            for (const fault& kind : kinds_)
                for (const fault& fitted : fit(kind, here.what)) {
                    plan.perturbations.push_back({.at = here.id, .fault = fitted});
                    visit(plan, here.position + 1, left - 1, &here);
                    plan.perturbations.pop_back();
                }
    }

    /// What a kind means at an operation of that role; nothing where it means nothing.
    std::vector<fault> fit(const fault& kind, role what) const
    {
        if (kind.kind == fault_kind::ok)
            return {};
        if (kind.kind != fault_kind::delay || kind.after != duration(0))
            return {kind};
        const contract& promises = campaign_.promises();
        const auto& timeout = what == role::create  ? promises.create_timeout
                              : what == role::close ? promises.close_timeout
                                                    : std::optional<duration>();
        if (!timeout)
            return {};
        return {fault::delay(*timeout - std::chrono::microseconds(1)), fault::delay(*timeout)};
    }

    std::string describe_kinds() const
    {
        std::vector<std::string> words;
        for (const fault& kind : kinds_)
            words.push_back(kind.kind == fault_kind::delay && kind.after == duration(0)
                                ? "delay by the deadlines"
                                : to_string(kind));
        return fmt::format("{}", fmt::join(words, ", "));
    }

    detail::campaign& campaign_;
    const sweep_options& options_;
    std::vector<fault> kinds_;
    bool bounded_ = false;
    std::uint64_t limited_ = 0;
};

} // namespace

campaign_result sweep(const manager& under_test, const sweep_options& options)
{
    detail::campaign campaign(under_test, options.contract, options.limits, options.name);
    if (!campaign.replayed())
        sweeper(campaign, options).sweep();
    return campaign.finish();
}

} // namespace mishap
