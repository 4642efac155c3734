// SPDX-License-Identifier: MIT
#include "run.hpp"

#include "last_words.hpp"
#include "misuse.hpp"
#include "running.hpp"
#include "world.hpp"

#include "fault/fired.hpp"
#include "vocabulary/deadlines.hpp"
#include "vocabulary/expectations.hpp"
#include "vocabulary/mix.hpp"

#include <mishap/duration.hpp>
#include <mishap/input_error.hpp>

#include <fmt/format.h>

#include <charconv>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <utility>
#include <vector>

namespace mishap {

namespace detail {

namespace {

/// Destroys a world, unless its last run was left where it stood, or is under way because a manager calls
/// `std::exit`: what it holds may then neither be destroyed nor be called a leak.
struct unless_lost
{
    void operator()(world* gone) const
    {
        if (gone->usable() && world::current() != gone) {
            delete gone;
            return;
        }
        static std::mutex mutex;
        static auto* const lost = new std::vector<world*>;
        const std::scoped_lock lock(mutex);
        lost->push_back(gone);
    }
};

const char* manager_of_running()
{
    const manager* const running = running_manager();
    return !running ? "" : running->name.empty() ? "a manager without a name" : running->name.c_str();
}

const char* line_of_running()
{
    static thread_local std::string line;
    line = describe_running();
    return line.c_str();
}

std::uint64_t progress_of_running()
{
    world* const here = world::current();
    return here && here->happened() ? mix(here->run_number(), here->happened()->steps) | 1 : 0;
}

/// The thread's world, reused by every run on it.
world& thread_world()
{
    thread_local std::unique_ptr<world, unless_lost> mine;
    if (!mine || !mine->usable()) {
        name_what_dies(
            {.manager = &manager_of_running, .describe = &line_of_running, .progress = &progress_of_running});
        mine.reset(new world);
    }
    return *mine;
}

} // namespace

runner::runner(const manager& under_test, contract promises, limits bounds, chooser* order,
    std::span<const std::string> only)
    : manager_(&under_test), order_(order), only_(select_invariants(only))
{
    if (!invariant_errors().empty())
        throw std::logic_error(invariant_errors().front());
    if (!under_test.run)
        throw std::logic_error("this manager has no adapter to run: give its `run` a coroutine");
    if (const std::string why = contradiction(promises); !why.empty())
        throw std::logic_error("the contract of " +
                               (under_test.name.empty() ? "this manager" : under_test.name) +
                               " contradicts itself: " + why);
    if (!virtual_time_is_linked())
        throw std::runtime_error("virtual time is not linked in: clock_gettime, timerfd_settime or "
                                 "epoll_wait of this program are not mishap's. Link mishap::mishap into the "
                                 "program itself, and define none of these functions elsewhere");
    result_.manager = under_test.name;
    capacity_ = promises.capacity.resources;
    result_.contract = std::move(promises);
    result_.limits = bounds;
}

/// Sums of a few times must not overflow, nor those of all steps.
static void check_times(const fault_plan& plan)
{
    constexpr duration step_cost_max = std::chrono::hours(1);
    constexpr duration longest = std::chrono::hours(50 * 365 * 24);
    if (plan.step_cost < duration(0) || plan.step_cost > step_cost_max)
        throw input_error(fmt::format("step_cost is {}, but a step takes from 0s to {}",
            to_string(plan.step_cost), to_string(step_cost_max)));
    const auto check = [&](duration one) {
        if (one < duration(0) || one > longest)
            throw input_error(fmt::format("the plan has a time of {}, but times go from 0s to {}: 50 years",
                to_string(one), to_string(longest)));
    };
    for (const auto& [client, when] : plan.arrivals)
        check(when);
    for (const perturbation& p : plan.perturbations)
        check(p.fault().after);
}

/// Bad input must not pass for a verdict.
void runner::check_usage()
{
    usage& seen = usage_of_run();
    settings_read_.merge(seen.settings_read);
    // An adapter that gives up because of a fault may well serve nobody.
    const trace& happened = result_.trace;
    if (seen.mistakes.empty() && happened.has_adapter && happened.outcomes.empty() &&
        result_.fired.perturbations.empty() && result_.plan.invalid_settings.empty() &&
        happened.adapter.ending == ending::returned)
        seen.mistakes.push_back({"it is to serve several clients, but its adapter returned without a call of "
                                 "environment::clients: call it, or leave 'capacity' and 'clients' out",
            {}});
    if (seen.mistakes.empty())
        return;
    const usage::mistake first = std::move(seen.mistakes.front());
    seen.mistakes.clear();
    std::string who = manager_->name.empty() ? "this manager" : manager_->name;
    if (!manager_->file.empty())
        who += fmt::format(" ({}:{})", manager_->file, manager_->line);
    throw misuse_error(fmt::format("{}: {}", who, first.why), first.setting);
}

std::string runner::unread_setting(const fault_plan& plan) const
{
    for (const auto& [name, value] : plan.settings)
        if (!settings_read_.contains(name))
            return name;
    return {};
}

std::string runner::about_unread(const std::string& setting) const
{
    const std::vector<std::string> read(settings_read_.begin(), settings_read_.end());
    return fmt::format("{} never asked for a setting: {}",
        manager_->name.empty() ? "this manager" : manager_->name, unknown_word("setting", setting, read));
}

/// A pool that is told how large it is promises no more than that.
std::optional<std::uint32_t> runner::capacity_of(const fault_plan& plan) const
{
    const auto told = plan.settings.find("capacity");
    if (!capacity_ || told == plan.settings.end() || plan.invalid_settings.contains("capacity"))
        return capacity_;
    std::uint32_t number = 0;
    const char* const end = told->second.data() + told->second.size();
    const auto [stopped, error] = std::from_chars(told->second.data(), end, number);
    return error == std::errc() && stopped == end && number > 0 ? number : capacity_;
}

run_result& runner::run(const fault_plan& plan)
{
    if (world::current())
        misused<std::logic_error>(
            "mishap::run was called inside a run: a manager under test must not start one");
    inert_.clear();
    check_times(plan);
    for (const std::string& name : plan.invalid_settings)
        if (!plan.settings.contains(name))
            throw input_error("the setting " + name +
                              " is to be refused, but the plan gives it no value: add it to `settings`");
    if (&plan != &result_.plan)
        result_.plan = plan;
    result_.contract.capacity.resources = capacity_of(result_.plan);
    usage_of_run() = {.gives_settings = !result_.plan.settings.empty()};
    bounds_ = result_.limits;
    bounds_.horizon = horizon_of(bounds_, result_.contract, result_.plan);
    world& here = thread_world();
    watch_waits();
    here.run(*manager_, result_.contract, bounds_, order_, result_.plan, result_.trace, inert_);
    const bool any_order = result_.contract.work.executor == executor_model::concurrent;
    collect_fired(result_.trace, result_.plan, any_order, result_.fired);
    if (is_told_to_end())
        end_as_told(to_string(replay_token{manager_->name, result_.fired}));
    check_usage();
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
