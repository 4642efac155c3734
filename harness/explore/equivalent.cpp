// SPDX-License-Identifier: MIT
#include "equivalent.hpp"

#include "campaign.hpp"

#include "vocabulary/causes.hpp"

#include <mishap/duration.hpp>
#include <mishap/equivalent.hpp>
#include <mishap/error.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

namespace mishap {

namespace detail {

namespace {

/// Whether each interruption of a fired plan struck at a moment that an operation marks, and nothing was held
/// back for a number of steps.
bool is_anchored(const fault_plan& fired)
{
    return std::all_of(fired.perturbations.begin(), fired.perturbations.end(), [](const perturbation& p) {
        return !p.yields() &&
               (!p.interrupts() || (p.interrupts()->when != moment::steps && p.interrupts()->steps == 0));
    });
}

/// One thing that a lane did, as text that is equal where the things are. `at` proves it in the trace.
struct deed
{
    std::string text;
    index at = none;
};

std::string time_of(const trace& happened, index event)
{
    return event == none ? std::string("never") : to_string(happened.time_of(event));
}

/// An error by where it came from; one that mishap did not inject, by what it says.
std::string error_and_source(const trace& happened, const std::exception_ptr& error)
{
    const index source = find_source(happened, error);
    if (source == none)
        return describe(error);
    return fmt::format(
        "{} ({})", name_of_error(happened, error), to_string(happened, happened.operations[source]));
}

std::string name_of_end(const trace& happened, const outcome& ended)
{
    std::string how = ended.ended == none                 ? "does not end"
                      : ended.ending == ending::abandoned ? std::string("is abandoned")
                      : ended.error ? "throws " + error_and_source(happened, ended.error)
                                    : "returns";
    if (ended.stuck != none)
        how = fmt::format("hangs from {}, then {}", time_of(happened, ended.stuck), how);
    return ended.ended == none ? how : fmt::format("{} at {}", how, time_of(happened, ended.ended));
}

std::string_view name_of_result(result r) noexcept
{
    switch (r) {
    case result::pending:
        return "does not end";
    case result::ok:
        return "succeeds";
    case result::failed:
        return "fails";
    case result::aborted:
        return "is cancelled";
    case result::peer_gone:
        return "hangs until its peer is gone";
    case result::abandoned:
        return "is abandoned";
    }
    return "?";
}

/// What the lane did: first its operations in the order of their starts, then its stays in the body, its
/// reports and its end.
std::vector<deed> deeds_of(const trace& happened, lane in)
{
    std::vector<deed> deeds;
    for (const operation_record& op : happened.operations) {
        if (op.id.lane != in)
            continue;
        std::string text = fmt::format("{}{} {}", to_string(happened, op),
            op.in_body && op.role != role::body ? " in the body" : "", name_of_result(op.result));
        if (op.result == result::failed)
            text += fmt::format(" with {}", op.failed_with().text());
        if (op.started != none)
            text += fmt::format(", {} to {}", time_of(happened, op.started), time_of(happened, op.completed));
        deeds.push_back({std::move(text), op.started});
    }
    deeds.push_back({"no further operation"});
    for (const body_record& body : happened.bodies) {
        if (body.lane != in)
            continue;
        const resource_record* lent = body.resource == none ? nullptr : &happened.resources[body.resource];
        deeds.push_back(
            {fmt::format("the body has {}, {} to {}",
                 lent ? fmt::format("{}#{}", lent->kind.text(), lent->ordinal) : std::string("nothing"),
                 time_of(happened, body.entered), time_of(happened, body.left)),
                body.entered});
    }
    deeds.push_back({"no further run of the body"});
    for (index i = 0; i < happened.events.size(); ++i)
        if (const event& e = happened.events[i]; e.kind == event_kind::reported && e.lane == in)
            deeds.push_back(
                {fmt::format("{} is reported at {}",
                     error_and_source(happened, happened.reports[e.subject].error), to_string(e.at)),
                    i});
    deeds.push_back({"nothing more is reported"});
    const bool is_client = in >= 0 && static_cast<std::size_t>(in) < happened.outcomes.size();
    if (is_client || (in == background_lane && happened.has_adapter)) {
        const outcome& end = is_client ? happened.outcomes[static_cast<std::size_t>(in)] : happened.adapter;
        deeds.push_back({fmt::format("{} {}", is_client ? fmt::format("client {}", in) : "the adapter",
                             name_of_end(happened, end)),
            end.ended});
    }
    return deeds;
}

} // namespace

comparison::comparison(const manager& other, contract promises, const limits& bounds, std::string name)
    : runner_(other, std::move(promises), bounds), name_(std::move(name))
{}

void comparison::judge(run_result& done)
{
    auto& violations = done.verdict.violations;
    std::erase_if(violations, [](const violation& v) { return v.invariant != "livelock"; });
    if (!violations.empty())
        return;
    if (!is_anchored(done.fired)) {
        ++skipped_;
        return;
    }
    const trace& first = done.trace;
    const trace& second = runner_.run(done.fired).trace;
    const auto lanes = static_cast<lane>(std::max(first.outcomes.size(), second.outcomes.size()));
    for (lane in = background_lane; in < lanes; ++in) {
        const auto mine = deeds_of(first, in);
        const auto its = deeds_of(second, in);
        const auto [here, there] = std::mismatch(mine.begin(), mine.end(), its.begin(), its.end(),
            [](const deed& a, const deed& b) { return a.text == b.text; });
        if (here == mine.end() && there == its.end())
            continue;
        const std::string does = here == mine.end() ? "nothing more" : here->text;
        const std::string other = there == its.end() ? "nothing more" : there->text;
        violation v{.invariant = "equivalent",
            .sentence = fmt::format("{} does something else under this plan, in the lane of {}", name_,
                in == background_lane ? "the adapter" : fmt::format("client {}", in)),
            .lane = in,
            .expected = fmt::format("as {} does: {}", name_, other),
            .actual = does};
        if (here != mine.end() && here->at != none)
            v.proof.push_back({here->at, "here they part"});
        violations.push_back(std::move(v));
        return;
    }
}

} // namespace detail

namespace {

template <class Options, class Explore>
campaign_result compare(const manager& first, const manager& second, const Options& options, Explore explore)
{
    if (!options.invariants.empty())
        throw std::logic_error("where managers are compared, nothing but 'equivalent' is judged");
    const contract promises = options.contract.value_or(first.promises);
    const std::string name = second.name.empty() ? "the second manager" : second.name;
    detail::comparison comparison(second, promises, options.limits, name);
    detail::campaign campaign(first, promises, options.limits, options.name);
    campaign.reads_too(comparison.runs());
    campaign.counts_skipped(comparison.skipped());
    campaign.judge_also([&](run_result& done) { comparison.judge(done); });
    if (!campaign.replayed()) {
        explore(campaign);
        campaign.result().covered += fmt::format("; compared with {}", name);
        if (comparison.skipped() != 0)
            campaign.result().covered += fmt::format(
                " but for {} plans that strike at a moment which no operation marks", comparison.skipped());
    }
    campaign_result result = campaign.finish();
    for (counterexample& c : result.counterexamples)
        c.equivalent_to = second.name;
    return result;
}

} // namespace

campaign_result equivalent(const manager& first, const manager& second, const sweep_options& options)
{
    return compare(first, second, options, [&](detail::campaign& campaign) {
        // That the first manager was seen in this state says nothing of the second one's.
        constexpr bool prunes = false;
        detail::sweep_into(campaign, options, prunes);
    });
}

campaign_result equivalent(const manager& first, const manager& second, const random_options& options)
{
    return compare(
        first, second, options, [&](detail::campaign& campaign) { detail::draw_into(campaign, options); });
}

} // namespace mishap
