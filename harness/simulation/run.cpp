#include "run.hpp"

#include "world.hpp"

#include "vocabulary/expectations.hpp"

#include <mishap/input_error.hpp>

#include <memory>
#include <mutex>
#include <stdexcept>
#include <vector>

namespace mishap {

namespace detail {

namespace {

/// Destroys a world, unless its last run was left where it stood: what it holds may then neither be destroyed
/// nor be called a leak.
struct unless_lost
{
    void operator()(world* gone) const
    {
        if (gone->usable()) {
            delete gone;
            return;
        }
        static std::mutex mutex;
        static auto* const lost = new std::vector<world*>;
        const std::scoped_lock lock(mutex);
        lost->push_back(gone);
    }
};

/// The thread's world, reused by every run on it.
world& thread_world()
{
    thread_local std::unique_ptr<world, unless_lost> mine;
    if (!mine || !mine->usable())
        mine.reset(new world);
    return *mine;
}

void collect_fired(const trace& happened, const fault_plan& plan, fault_plan& fired)
{
    fired.perturbations.clear();
    // A pattern that struck many operations is told as one.
    constexpr std::size_t told_singly = 8;
    std::vector<std::size_t> struck(plan.perturbations.size());
    const auto pattern_of = [&](const operation_record& op) {
        const perturbation* by = plan.find(op.id);
        return by && by->repeats ? static_cast<std::size_t>(by - plan.perturbations.data()) : struck.size();
    };
    for (const operation_record& op : happened.operations)
        if (const std::size_t by = op.perturbed ? pattern_of(op) : struck.size(); by != struck.size())
            ++struck[by];
    for (const operation_record& op : happened.operations) {
        if (!op.perturbed)
            continue;
        const std::size_t by = pattern_of(op);
        if (by == struck.size() || struck[by] <= told_singly)
            fired.perturbations.push_back({.at = op.id,
                .fault = op.fault,
                .fails_body = op.fails_body,
                .fails_before = op.fails_before});
        else if (std::find(fired.perturbations.begin(), fired.perturbations.end(), plan.perturbations[by]) ==
                 fired.perturbations.end())
            fired.perturbations.push_back(plan.perturbations[by]);
    }
    for (const strike_record& strike : happened.strikes)
        fired.perturbations.push_back(strike.what);
    fired.clients = plan.clients;
    fired.sequential = plan.sequential;
    fired.relay = plan.relay;
    fired.arrivals = plan.arrivals;
    fired.lazy.reset();
    fired.step_cost = plan.step_cost;
    fired.settings = plan.settings;
    fired.invalid_settings = plan.invalid_settings;
}

} // namespace

runner::runner(const manager& under_test, contract promises, limits bounds, chooser* order,
    std::span<const std::string> only)
    : manager_(&under_test), bounds_(bounds), order_(order), only_(select_invariants(only))
{
    if (!invariant_errors().empty())
        throw std::logic_error(invariant_errors().front());
    if (!under_test.run)
        throw std::logic_error("this manager has no adapter to run");
    if (const std::string why = contradiction(promises); !why.empty())
        throw std::logic_error("the contract of " +
                               (under_test.name.empty() ? "this manager" : under_test.name) +
                               " contradicts itself: " + why);
    if (!world::virtual_time_is_linked())
        throw std::runtime_error("virtual time is not linked in: clock_gettime, timerfd_settime or "
                                 "epoll_wait of this program are not "
                                 "mishap's. Link mishap::mishap into the program itself, and define none of "
                                 "these functions elsewhere");
    result_.manager = under_test.name;
    result_.contract = std::move(promises);
}

run_result& runner::run(const fault_plan& plan)
{
    inert_.clear();
    for (const std::string& name : plan.invalid_settings)
        if (!plan.settings.contains(name))
            throw input_error("the setting " + name +
                              " is to be refused, but the plan gives it no value: add it to `settings`");
    if (&plan != &result_.plan)
        result_.plan = plan;
    thread_world().run(*manager_, result_.contract, bounds_, order_, result_.plan, result_.trace, inert_);
    collect_fired(result_.trace, result_.plan, result_.fired);
    result_.verdict = judge(result_.contract, result_.plan, result_.trace, only_);
    return result_;
}

} // namespace detail

run_result run(const manager& under_test, const fault_plan& plan, const run_options& options)
{
    detail::runner once(under_test, options.contract.value_or(under_test.promises), options.limits,
        options.chooser, options.invariants);
    run_result& done = once.run(plan);
    if (detail::watch)
        for (const violation& v : done.verdict.violations)
            if (v.invariant == detail::expectation_name)
                detail::watch->broke(v);
    return std::move(done);
}

} // namespace mishap
