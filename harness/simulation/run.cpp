#include "run.hpp"

#include "world.hpp"

#include "fault/fired.hpp"
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
