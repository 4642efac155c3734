// SPDX-License-Identifier: MIT
#include "campaign.hpp"

#include "conductor.hpp"
#include "default_name.hpp"

#include "report/page.hpp"
#include "report/told.hpp"
#include "simulation/misuse.hpp"
#include "vocabulary/printable.hpp"

#include <mishap/duration.hpp>
#include <mishap/replay.hpp>
#include <mishap/report.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace mishap {

bool campaign_result::violates(std::string_view invariant) const noexcept
{
    return std::any_of(counterexamples.begin(), counterexamples.end(),
        [&](const counterexample& c) { return c.invariant == invariant; });
}

namespace detail {

std::string (*default_campaign_name)() = nullptr;

campaign::campaign(const manager& under_test, const std::optional<contract>& promises, const limits& bounds,
    std::string name, std::span<const std::string> only)
    : under_test_(under_test), promises_(promises.value_or(under_test.promises)),
      runner_(under_test, promises_, bounds, nullptr, only),
      bugs_(promises_, [this](const fault_plan& plan) -> run_result& { return judged(plan); }),
      conducts_(conducted() && !requested_replay()), began_(real_now())
{
    if (conducts_)
        number_ = ++conducted()->campaigns;
    result_.manager = !name.empty() ? std::move(name) : under_test.name;
    if (result_.manager.empty())
        result_.manager = default_campaign_name ? default_campaign_name() : "manager";
}

run_result& campaign::judged(const fault_plan& plan)
{
    if (work_.row) {
        const std::uint64_t number = ++work_.begun;
        work_.row->run.store(number, std::memory_order_relaxed);
        work_.row->runs.fetch_add(1, std::memory_order_relaxed);
        if (const auto died = work_.deaths.find(number); died != work_.deaths.end())
            return dead(plan, died->second);
        if (work_.alone)
            if (const auto died = (*work_.alone)(to_string(plan)))
                return dead(plan, *died);
    }
    run_result& done = runner_.run(plan);
    if (judge_also_)
        judge_also_(done);
    return done;
}

void campaign::keep_settings(const fault_plan& first)
{
    settings_.settings = first.settings;
    settings_.invalid_settings = first.invalid_settings;
    settings_.clients = first.clients;
}

run_result& campaign::accounted(const fault_plan& plan)
{
    run_result& done = judged(plan);
    if (result_.runs == 0)
        keep_settings(plan);
    ++result_.runs;
    count(done);
    obligations_.see(done);
    if (work_.row) {
        work_.row->fired.store(result_.fired, std::memory_order_relaxed);
        if (!done.holds())
            work_.row->violating.fetch_add(1, std::memory_order_relaxed);
    }
    if (!done.holds()) {
        if (++result_.violating_runs == 1)
            result_.first_violation = result_.runs;
        bugs_.see(done);
    }
    return done;
}

void campaign::count(const run_result& done)
{
    const auto cell_of = [&](const operation_id& id, const fault& what) -> coverage_cell& {
        auto found = std::find_if(cells_.begin(), cells_.end(),
            [&](const auto& c) { return c.kind == id.kind && c.name == id.name; });
        if (found == cells_.end())
            found = cells_.insert(cells_.end(), {id.kind, id.name, {}});
        return found->by_fault[static_cast<std::size_t>(what.kind)];
    };
    // Of a run that ended its process, all that is known is which faults had fired by then.
    if (has_died(done))
        for (const perturbation& p : done.fired.perturbations) {
            ++result_.fired;
            if (!p.is_fault())
                continue;
            coverage_cell& at = cell_of(p.at, p.fault());
            ++at.fired;
            at.planned += done.plan.find(p.at) == nullptr;
        }
    entered_ = entered_ || !done.trace.bodies.empty();
    asked_ = asked_ || done.trace.asked_for_body;
    result_.fired += done.trace.strikes.size();
    for (const perturbation& p : done.plan.perturbations)
        if (p.is_fault())
            ++cell_of(p.at, p.fault()).planned;
    std::vector<index> sources; // of the clients' errors
    for (const outcome& client : done.trace.outcomes)
        sources.push_back(client.error ? find_source(done.trace, client.error) : none);
    for (const operation_record& op : done.trace.operations) {
        if (!op.perturbed)
            continue;
        ++result_.fired;
        coverage_cell& at = cell_of(op.id, op.fault);
        ++at.fired;
        at.planned += done.plan.find(op.id) == nullptr; // drawn when it was asked for
        if (op.result == result::failed)
            at.seen += static_cast<std::uint64_t>(std::count(
                sources.begin(), sources.end(), static_cast<index>(&op - done.trace.operations.data())));
    }
}

bool campaign::replayed()
{
    const auto& requested = requested_replay();
    if (!requested || requested->manager != result_.manager)
        return false;
    take_replay();
    result_.replayed = true;
    result_.covered = "the one run that MISHAP_REPLAY asks for";
    accounted(requested->plan);
    if (!runner_.inert().empty()) {
        const perturbation& p = requested->plan.perturbations[runner_.inert().front()];
        result_.invalid =
            fmt::format("the replayed plan is stale: {} never came up in this run", to_string(p.at));
    }
    return true;
}

bool campaign::repeats(const fault_plan& plan, const trace& before)
{
    const run_result& again = accounted(plan);
    if (again.trace.hash == before.hash)
        return true;
    found_nondeterminism(plan, first_difference(before, again.trace));
    return false;
}

/// No body is entered, even where nothing goes wrong, although the adapter serves clients or asked for one.
bool campaign::serves_nobody()
{
    return (promises_.serves_clients() || asked_) && !entered_ && settings_.invalid_settings.empty() &&
           judged(settings_).trace.bodies.empty();
}

std::string campaign::told() const
{
    if (tells_timeline_)
        return "its events:\n" + timeline(runner_.under_way());
    std::string text = fmt::format("the campaign {}: {}, {} with a violation", result_.manager,
        counted(result_.runs, "run"), result_.violating_runs);
    bugs_.for_each([&](std::string_view invariant, const fault_plan& plan) {
        text += fmt::format("\n  breaks {}: {}", invariant, to_string(replay_token{under_test_.name, plan}));
    });
    return text;
}

void campaign::found_nondeterminism(const fault_plan& plan, const std::string& difference)
{
    nondeterministic_ = true;
    bugs_.see_nondeterminism(plan, difference);
}

void campaign::check_settings(const fault_plan& all) const
{
    fault_plan unread = all;
    for (;;) {
        const std::string name = runner_.unread_setting(unread);
        if (name.empty())
            return;
        fault_plan only;
        only.settings[name];
        if (!also_reads_ || !also_reads_->unread_setting(only).empty())
            throw misuse_error(runner_.about_unread(name), name);
        unread.settings.erase(name);
    }
}

std::uint32_t campaign::operations_of(const fault_plan& plan)
{
    if (conducts_ && !work_.row)
        return static_cast<std::uint32_t>(std::stoul(answer_of_a_worker(
            "operations", [&] { return std::to_string(operations_of(plan)); }, "0")));
    const auto& all = runner_.run(plan).trace.operations;
    return static_cast<std::uint32_t>(std::count_if(all.begin(), all.end(),
        [](const operation_record& op) { return op.started != none && !op.in_probe; }));
}

bool campaign::reads(const std::string& setting, const std::string& value)
{
    if (conducts_ && !work_.row)
        return answer_of_a_worker(
                   "reads", [&] { return reads(setting, value) ? "true" : "false"; }, "false") == "true";
    fault_plan only;
    only.settings[setting] = value;
    try {
        runner_.run(only);
    } catch (const std::exception&) {
        return false; // it means something else by it
    }
    return runner_.unread_setting(only).empty();
}

void campaign::tell_if_nobody_is_served()
{
    if (result_.invalid.empty() && !result_.replayed && serves_nobody())
        result_.invalid =
            promises_.serves_clients()
                ? "no client's body was ever entered, so nobody was served: the adapter awaits no body "
                  "(env.body(), or client.body()), or its clients wait for something that never comes"
                : "the body was never entered, although the adapter asked for it (env.body()): the manager "
                  "never calls it, or nobody awaits what that returns; an adapter without a body asks for "
                  "none";
}

campaign_result campaign::finish()
{
    if (!result_.replayed)
        check_settings(settings_);
    tell_of_bugs();
    obligations_.tell(result_);
    for (const auto& c : cells_) {
        operation_id id{.kind = c.kind, .name = c.name};
        std::string name = to_string(id);
        name.resize(name.size() - 2); // without "#1"
        result_.coverage[name] = c.by_fault;
    }
    const bool is_open = result_.invalid.empty() || conducts_;
    if (is_open && !result_.replayed && wants_faults_ && result_.fired == 0)
        result_.invalid =
            "no fault ever fired, so nothing was tested: the adapter starts no operation on a mock resource, "
            "or the kinds that were asked for fit none";
    if (!conducts_)
        tell_if_nobody_is_served();
    result_.stopped = conducts_ && stopped_by() != 0;
    result_.took = real_now() - began_;
    add_to_page(result_);
    return std::move(result_);
}

} // namespace detail
} // namespace mishap
