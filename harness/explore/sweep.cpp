#include "campaign.hpp"

#include "vocabulary/deadlines.hpp"

#include <mishap/duration.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace mishap {

namespace {

/// A place in a run at which a child run may differ: an operation, or the boundary after a step.
struct site
{
    index position; ///< events that happened before it
    bool boundary = false;
    operation_id id = {};
    role what = role::use;
    std::uint64_t prefix_hash = 0;
    std::uint32_t step = 0;
    std::vector<duration> deadlines = {}; ///< which fall on its end, from its start
    bool blocking = false;
};

/// Whether a synchronous call can do this at all, and differently from what is tried anyway: nobody can
/// cancel it, so `late` is `delay`, and `cancel` strikes at the boundary after its step.
bool fits_blocking_call(fault_kind kind)
{
    return kind != fault_kind::hang && kind != fault_kind::deaf && kind != fault_kind::late &&
           kind != fault_kind::cancel;
}

std::vector<fault> default_kinds()
{
    return {fault::fail("io_error"), fault::fail("foreign"), fault::fail_after_effect("io_error"),
        fault::hang(), fault::delay(duration(0)), fault::late(duration(0)), fault::cancel()};
}

class sweeper
{
public:
    sweeper(detail::campaign& campaign, const sweep_options& options)
        : campaign_(campaign), options_(options),
          kinds_(options.kinds.empty() ? default_kinds() : options.kinds)
    {
        if (options.kinds.empty() && campaign.promises().survives_deaf) {
            kinds_.push_back(fault::deaf());
            kinds_.push_back(fault::late(std::chrono::hours(1)));
        }
        if (options.kinds.empty() && campaign.promises().capacity && !campaign.promises().keeps_broken)
            kinds_.push_back(fault::fail(breaking));
    }

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
        campaign_result& result = campaign_.result();
        result.complete = !bounded_ && !repeated_ && limited_ == 0 && !campaign_.nondeterministic();
        result.covered = fmt::format("{} for at most {} of: {}; schedule: fifo{}",
            result.complete ? "complete" : "incomplete", options_.perturbations, describe_kinds(),
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
        plan.arrivals[static_cast<lane>(clients() - 1)] = a_while();
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

    /// Long enough for idle resources to grow old, and for what goes on in the background.
    duration a_while() const
    {
        return std::min<duration>(std::chrono::minutes(1), options_.limits.horizon / 4);
    }

    std::uint32_t clients() const
    {
        const contract& promises = campaign_.promises();
        return options_.clients != 0   ? options_.clients
               : promises.clients != 0 ? promises.clients
                                       : promises.capacity.value_or(0) + 2;
    }

    /// Runs a plan, then every plan that adds one perturbation at or after `from` in this run's own trace;
    /// from `none`, at or after the arrival of the last client.
    void visit(fault_plan& plan, index from, unsigned left, const site* branch)
    {
        if (campaign_.nondeterministic())
            return;
        if (campaign_.result().runs >= runs_max_ || lost_ >= detail::lost_max) {
            bounded_ = true;
            return;
        }
        const run_result& done = campaign_.run(plan);
        if (branch && !branch->boundary) {
            // Everything before the new fault must be as in the parent's run.
            const auto& ops = done.trace.operations;
            const auto same = std::find_if(ops.begin(), ops.end(), [&](const operation_record& op) {
                return op.id == branch->id && op.prefix_hash == branch->prefix_hash;
            });
            if (same == ops.end()) {
                const trace before = done.trace;
                if (campaign_.repeats(plan, before))
                    campaign_.found_nondeterminism(
                        plan, fmt::format("with one more fault, at {}, what came before it changed",
                                  to_string(branch->id)));
                return;
            }
        }
        if (from == none) {
            from = done.trace.outcomes.empty()
                       ? 0
                       : done.trace.outcomes[std::min<std::size_t>(clients(), done.trace.outcomes.size()) - 1]
                             .started;
            if (from == none)
                return; // it never came
        }
        limited_ += done.violates("livelock");
        lost_ += done.trace.cut_off != none;
        if (left == 0)
            return;
        std::vector<site> sites;
        index last = none; // beyond which nothing is struck
        std::vector<std::pair<operation_id, std::uint32_t>> seen;
        const auto equal = [&](const operation_record& op) -> std::uint32_t& {
            for (auto& [id, count] : seen)
                if (id.lane == op.id.lane && id.kind == op.id.kind && id.name == op.id.name)
                    return count;
            return seen.emplace_back(op.id, 0).second;
        };
        for (const operation_record& op : done.trace.operations) {
            if (op.in_probe)
                continue;
            const bool is_struck = plan.find(op.id);
            if (is_struck ? op.id.occurrence > options_.occurrences_max
                          : ++equal(op) > options_.occurrences_max) {
                repeated_ = repeated_ || !is_struck; // an outage strikes them all
                last = std::min(last, op.position);
            } else if (op.position >= from && op.role != role::force_close && !is_struck)
                sites.push_back({.position = op.position,
                    .id = op.id,
                    .what = op.role,
                    .prefix_hash = op.prefix_hash,
                    .step = op.started == none ? 0 : done.trace.events[op.started].step,
                    .deadlines = deadlines_of(done.trace, op),
                    .blocking = op.blocking});
        }
        if (cancels() || options_.abandon)
            list_boundaries(done.trace, from, sites);
        std::erase_if(sites, [&](const site& s) { return s.boundary && s.position > last; });
        struct presence
        {
            std::uint32_t from;
            std::uint32_t to;
        };
        std::vector<presence> clients; // the steps at which each could be cancelled
        for (const outcome& client : done.trace.outcomes) {
            const bool there = client.began != 0 && client.ended != none && !client.probe;
            clients.push_back(
                there ? presence{client.began, done.trace.events[client.ended].step} : presence{1, 0});
        }
        const auto outage = outage_of(plan, done.trace, from);
        // From here on `done` is another run's.
        if (outage) {
            tried_outage_ = true;
            plan.perturbations.push_back(outage->second);
            const site first = outage->first;
            visit(plan, first.position + 1, left - 1, &first);
            plan.perturbations.pop_back();
        }
        for (const site& here : sites) {
            if (here.boundary) {
                const auto interrupt = [&](interruption::action what, lane client) {
                    plan.perturbations.push_back({.at = {},
                        .what = interruption{
                            .what = what, .client = client, .when = moment::steps, .steps = here.step}});
                    visit(plan, here.position, left - 1, &here);
                    plan.perturbations.pop_back();
                };
                for (std::size_t client = 0; client < clients.size(); ++client) {
                    if (here.step < clients[client].from || here.step >= clients[client].to)
                        continue;
                    if (cancels())
                        interrupt(interruption::action::cancel, static_cast<lane>(client));
                    if (options_.abandon)
                        interrupt(interruption::action::abandon, static_cast<lane>(client));
                }
                if (options_.abandon)
                    interrupt(interruption::action::abandon, whole_world);
                continue;
            }
            // Only what completes by itself can be held back.
            if (options_.deviate && here.what != role::body && !here.blocking && !deviates(plan, here.id))
                for (std::size_t client = 0; client < clients.size(); ++client) {
                    const auto first = static_cast<lane>(client);
                    // Who has gone, or has not come, cannot go first.
                    if (first == here.id.lane || here.step >= clients[client].to || clients[client].to == 0)
                        continue;
                    plan.perturbations.push_back({.at = here.id, .what = deviation{.first = first}});
                    visit(plan, here.position, left - 1, &here);
                    plan.perturbations.pop_back();
                }
            for (const fault& kind : kinds_)
                for (const fault& fitted : fit(kind, here)) {
                    plan.perturbations.push_back(
                        {.at = here.id, .what = operation_fault{told_apart(plan, fitted)}});
                    visit(plan, here.position + 1, left - 1, &here);
                    plan.perturbations.pop_back();
                }
        }
    }

    /// Two sites do not fail with the same value: where a manager keeps nothing of an error but that, it
    /// tells which of them the caller saw.
    fault told_apart(const fault_plan& plan, const fault& kind) const
    {
        // Who tries again because of an error must be able to meet it twice.
        const contract& promises = campaign_.promises();
        if (promises.create_attempts > 1 || promises.body_attempts > 1 || promises.close_attempts > 1)
            return kind;
        static const symbol other("access_denied");
        const bool fails = kind.kind == fault_kind::fail || kind.kind == fault_kind::fail_after_effect;
        const bool taken = std::any_of(plan.perturbations.begin(), plan.perturbations.end(),
            [&](const perturbation& p) { return p.is_fault() && p.fault().error == plain; });
        fault changed = kind;
        if (fails && kind.error == plain && taken)
            changed.error = other;
        return changed;
    }

    static bool deviates(const fault_plan& plan, const operation_id& at)
    {
        return std::any_of(plan.perturbations.begin(), plan.perturbations.end(),
            [&](const perturbation& p) { return p.yields() && p.at == at; });
    }

    bool cancels() const
    {
        return std::find_if(kinds_.begin(), kinds_.end(),
                   [](const fault& f) { return f.kind == fault_kind::cancel; }) != kinds_.end();
    }

    /// The boundary after each step up to the last client's end.
    static void list_boundaries(const trace& happened, index from, std::vector<site>& into)
    {
        std::uint32_t last = 0;
        for (const outcome& client : happened.outcomes)
            if (!client.probe && client.ended != none)
                last = std::max(last, happened.events[client.ended].step);
        index position = 0;
        for (std::uint32_t step = 1; step < last; ++step) {
            while (position < happened.events.size() && happened.events[position].step <= step)
                ++position;
            if (position >= from)
                into.push_back({.position = position, .boundary = true, .step = step});
        }
    }

    /// The deadlines that may pass while an operation is under way, from its start, the nearest first: its
    /// own, those of its client, and that of whoever waits for what this one's client holds.
    std::vector<duration> deadlines_of(const trace& happened, const operation_record& op) const
    {
        const contract& promises = campaign_.promises();
        std::vector<duration> found;
        if (op.started == none)
            return found;
        const duration now = happened.time_of(op.started);
        const auto add = [&](const std::optional<duration>& timeout, duration since) {
            if (timeout && since + *timeout >= now)
                found.push_back(since + *timeout - now);
        };
        const auto in = static_cast<std::size_t>(op.id.lane);
        const bool has_client = op.id.lane >= 0 && in < happened.outcomes.size();
        duration clock = now;
        if (op.role == role::create && promises.create_attempts > 1 && !promises.deadline_per_attempt)
            for (const operation_record& before : happened.operations)
                if (before.role == role::create && before.id.lane == op.id.lane &&
                    before.started < op.started)
                    clock = std::min(clock, happened.time_of(before.started));
        add(detail::timeout_of(promises, op.role, op.in_body), clock);
        const bool served = std::any_of(happened.bodies.begin(), happened.bodies.end(),
            [&](const body_record& body) { return body.lane == op.id.lane && body.entered < op.started; });
        if (has_client && op.role != role::close) {
            const duration came = happened.time_of(happened.outcomes[in].started);
            if (!served)
                add(promises.acquire_timeout, came);
            add(promises.whole_timeout, came);
        }
        if (has_client && promises.acquire_timeout && served)
            for (const outcome& other : happened.outcomes)
                if (other.started != none && other.started < op.started && !other.probe &&
                    &other != &happened.outcomes[in] && other.ended > op.started)
                    add(promises.acquire_timeout, happened.time_of(other.started));
        std::sort(found.begin(), found.end());
        found.erase(std::unique(found.begin(), found.end()), found.end());
        return found;
    }

    /// The peer is down for good: every create fails, from the first of a run in which nothing else went
    /// wrong yet. That shows who tries again without a pause, or one time too often. Nothing where nobody
    /// tries again.
    std::optional<std::pair<site, perturbation>> outage_of(
        const fault_plan& plan, const trace& happened, index from) const
    {
        const contract& promises = campaign_.promises();
        const bool asked_for = std::find(kinds_.begin(), kinds_.end(), fault::fail(plain)) != kinds_.end() &&
                               options_.kinds.empty();
        if (!asked_for || !plan.perturbations.empty() ||
            (!promises.serves_clients() && promises.create_attempts == 1))
            return std::nullopt;
        const auto first = std::find_if(happened.operations.begin(), happened.operations.end(),
            [](const operation_record& op) { return op.role == role::create && !op.in_probe; });
        if (first == happened.operations.end() || first->started == none || first->position < from)
            return std::nullopt;
        site where{.position = first->position,
            .id = first->id,
            .what = first->role,
            .prefix_hash = first->prefix_hash,
            .step = happened.events[first->started].step};
        // Where clients wait without a deadline they would do so until the horizon.
        constexpr std::uint32_t a_dozen = 12;
        const bool bounded =
            promises.acquire_timeout || promises.whole_timeout || promises.create_attempts > 1;
        repetition all{.every_lane = true};
        if (!bounded)
            all.last = a_dozen;
        operation_id every = first->id;
        every.occurrence = 1;
        every.lane = 0; // of any
        return std::pair{where, perturbation{.at = every, .what = operation_fault{fault::fail(plain), all}}};
    }

    /// What a kind means at an operation of that role; nothing where it means nothing.
    std::vector<fault> fit(const fault& kind, const site& here) const
    {
        if (here.blocking && !fits_blocking_call(kind.kind))
            return {};
        switch (kind.kind) {
        case fault_kind::ok:
            return {};
        case fault_kind::fail_after_effect:
            // A reply that is lost matters where the effect does. (A create whose reply is lost is nobody's
            // to close.)
            if (here.what == role::close || here.what == role::commit)
                return {kind};
            return options_.kinds.empty() ? std::vector<fault>() : std::vector<fault>{kind};
        case fault_kind::empty:
            return here.what == role::create ? std::vector<fault>{kind} : std::vector<fault>();
        case fault_kind::cancel:
            return here.id.lane < 0 ? std::vector<fault>() : std::vector<fault>{kind};
        case fault_kind::delay:
        case fault_kind::late: {
            if (kind.after != duration(0))
                return {kind};
            constexpr duration tick = std::chrono::microseconds(1);
            if (here.deadlines.empty()) {
                // Long enough for what goes on in the background, or beside it.
                if ((here.what == role::use || here.what == role::create) && kind.kind == fault_kind::delay)
                    return {fault::delay(a_while())};
                return {};
            }
            const duration nearest = here.deadlines.front();
            std::vector<fault> delays;
            if (kind.kind == fault_kind::late) {
                // Any later would be as deaf.
                return {fault::late(nearest), fault::late(nearest + tick)};
            }
            if (nearest >= tick)
                delays.push_back(fault::delay(nearest - tick));
            for (const duration deadline : here.deadlines)
                delays.push_back(fault::delay(deadline));
            return delays;
        }
        case fault_kind::fail: {
            // What breaks a resource matters where it may be lent again.
            if (options_.kinds.empty() && kind.error == breaking && here.what != role::use &&
                here.what != role::maintenance)
                return {};
            std::vector<fault> failures{kind};
            if (options_.kinds.empty() && kind.error == plain && !here.blocking)
                for (const duration deadline : here.deadlines)
                    if (deadline != duration(0))
                        failures.push_back(fault::fail(kind.error, deadline));
            return failures;
        }
        default:
            return {kind};
        }
    }

    std::string describe_kinds() const
    {
        std::vector<std::string> words;
        for (const fault& kind : kinds_)
            words.push_back(
                kind.kind == fault_kind::delay && kind.after == duration(0) ? "delay up to the deadlines"
                : options_.kinds.empty() && kind == fault::fail(plain)
                    ? to_string(kind) + ", at once and at the deadlines"
                : options_.kinds.empty() && kind.error == breaking ? to_string(kind) + " (uses and pings)"
                : kind.kind == fault_kind::late && kind.after == duration(0)
                    ? "late at the deadline and by a microsecond"
                : kind.kind == fault_kind::cancel ? "cancellation of any client at any step"
                                                  : to_string(kind));
        if (tried_outage_)
            words.emplace_back("an outage in which every create fails");
        if (options_.abandon)
            words.emplace_back("abandonment of any client, and of the world, at any step");
        return fmt::format("{}", fmt::join(words, ", "));
    }

    static inline const symbol plain{"io_error"};
    static inline const symbol breaking{"connection_reset"};

    detail::campaign& campaign_;
    const sweep_options& options_;
    std::vector<fault> kinds_;
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
