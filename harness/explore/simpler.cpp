// SPDX-License-Identifier: MIT
#include "simpler.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace mishap::detail {

namespace {

const symbol& plainest()
{
    static const symbol name("io_error");
    return name;
}

/// Durations that need no explanation: the contract's own, and a second.
std::vector<duration> plain_durations(const contract& promises)
{
    std::vector<duration> plain{std::chrono::seconds(1)};
    for (const auto& timeout : {promises.time.create, promises.time.close})
        if (timeout)
            plain.insert(plain.begin(), *timeout);
    return plain;
}

/// How far a fault is from a plain failure. A failure and a cancellation come before what never ends, and
/// what ends at a certain time comes last.
std::uint32_t rank(const fault& f, const contract& promises)
{
    const std::uint32_t named = f.error == plainest() ? 0 : 1;
    const std::uint32_t timed = f.after == duration(0) ? 0 : 2;
    const std::uint32_t typed = f.type == cancellation::terminal ? 0 : 1;
    switch (f.kind) {
    case fault_kind::ok:
        return 0;
    case fault_kind::fail:
        return named + timed;
    case fault_kind::cancel:
        return 2 + typed;
    case fault_kind::one_byte:
    case fault_kind::ok_now:
        return 5;
    case fault_kind::fail_after_effect:
        return 6 + named + timed;
    case fault_kind::cancel_after_effect:
        return 6 + typed;
    case fault_kind::hang:
    case fault_kind::empty:
    case fault_kind::bad_alloc:
        return 10;
    case fault_kind::hang_after_effect:
        return 11;
    case fault_kind::delay: {
        const auto plain = plain_durations(promises);
        return std::find(plain.begin(), plain.end(), f.after) != plain.end() ? 12 : 13;
    }
    case fault_kind::late:
        return 14;
    case fault_kind::deaf:
        return 15;
    }
    return 15;
}

std::uint32_t weight(lane in) { return in > 0 ? static_cast<std::uint32_t>(in) : 0; }

/// Both clients change places wherever the plan names one.
fault_plan swapped(fault_plan plan, lane one, lane other)
{
    const auto swap = [&](lane& in) { in = in == one ? other : in == other ? one : in; };
    for (perturbation& p : plan.perturbations) {
        swap(p.at.lane);
        if (auto* struck = std::get_if<interruption>(&p.what))
            swap(struck->client);
        else if (auto* held = std::get_if<deviation>(&p.what))
            swap(held->first);
    }
    return plan;
}

/// Collects the simpler plans of one.
class simplifier
{
public:
    simplifier(const fault_plan& plan, const contract& promises) : plan_(plan), promises_(promises) {}

    std::vector<fault_plan> list()
    {
        first_come_first_served();
        for (std::size_t i = 0; i < plan_.perturbations.size(); ++i) {
            fault_plan without = plan_;
            without.perturbations.erase(without.perturbations.begin() + static_cast<std::ptrdiff_t>(i));
            add(std::move(without));
        }
        for (std::size_t i = 0; i < plan_.perturbations.size(); ++i)
            strike_fewer(i);
        come_sooner();
        for (std::size_t i = 0; i < plan_.perturbations.size(); ++i)
            if (plan_.perturbations[i].is_fault())
                fail_plainly(i);
            else
                interrupt_plainly(i);
        move_earlier();
        return std::move(found_);
    }

private:
    void add(fault_plan plan) { found_.push_back(std::move(plan)); }

    template <class Change>
    void change(std::size_t which, Change how)
    {
        fault_plan changed = plan_;
        how(changed.perturbations[which]);
        if (!(changed.perturbations[which] == plan_.perturbations[which]))
            add(std::move(changed));
    }

    /// Without the schedule that was drawn; without any deviation, and without each half of many.
    void first_come_first_served()
    {
        if (plan_.schedule) {
            fault_plan without = plan_;
            without.schedule.reset();
            add(std::move(without));
        }
        std::vector<std::size_t> held;
        for (std::size_t i = 0; i < plan_.perturbations.size(); ++i)
            if (plan_.perturbations[i].yields())
                held.push_back(i);
        const auto leave_out = [&](std::size_t from, std::size_t to) {
            fault_plan without = plan_;
            while (to-- > from)
                without.perturbations.erase(
                    without.perturbations.begin() + static_cast<std::ptrdiff_t>(held[to]));
            add(std::move(without));
        };
        if (held.size() > 1)
            leave_out(0, held.size());
        if (held.size() > 3) {
            leave_out(0, held.size() / 2);
            leave_out(held.size() / 2, held.size());
        }
    }

    /// An outage: one failure or cancellation in its place, or fewer failures.
    void strike_fewer(std::size_t which)
    {
        const perturbation& p = plan_.perturbations[which];
        const repetition* many = p.repeats();
        if (!many)
            return;
        const auto alone = [&](const fault& what) {
            change(which, [&](perturbation& one) {
                one.at.lane = many->every_lane ? lane(0) : one.at.lane;
                one.what = operation_fault{what};
            });
        };
        alone(p.fault());
        alone(fault::cancel());
        for (const std::uint32_t more : {0u, 1u, 3u})
            if (const std::uint32_t last = p.at.occurrence + more; last < many->last)
                change(which,
                    [&](perturbation& one) { std::get<operation_fault>(one.what).repeats->last = last; });
    }

    /// Fewer clients, and all of them at once; a fault of one that came late may be another one's then.
    void come_sooner()
    {
        if (plan_.clients > 1) {
            fault_plan fewer = plan_;
            --fewer.clients;
            add(std::move(fewer));
        }
        if (plan_.sequential || plan_.relay) {
            fault_plan together = plan_;
            together.sequential = together.relay = false;
            add(std::move(together));
        }
        for (const auto& [client, when] : plan_.arrivals) {
            fault_plan sooner = plan_;
            sooner.arrivals.erase(client);
            if (client > 0)
                for (const lane place : {lane(0), lane(client - 1)})
                    add(swapped(sooner, client, place));
            add(std::move(sooner));
        }
    }

    void replace(std::size_t which, const fault& by)
    {
        change(which, [&](perturbation& p) {
            if (auto* of_body = std::get_if<body_failure>(&p.what)) {
                if (!by.error.empty())
                    of_body->error = by.error;
            } else {
                std::get<operation_fault>(p.what).fault = by;
            }
        });
    }

    void fail_plainly(std::size_t which)
    {
        const perturbation& p = plan_.perturbations[which];
        const fault now = p.fault();
        replace(which, fault::fail(plainest()));
        switch (now.kind) {
        case fault_kind::fail:
        case fault_kind::fail_after_effect:
            replace(which, {.kind = now.kind, .error = now.error});
            replace(which, {.kind = now.kind, .error = plainest(), .after = now.after});
            break;
        case fault_kind::hang:
        case fault_kind::hang_after_effect:
            if (p.at.lane >= 0)
                replace(which, fault::cancel());
            replace(which, fault::hang());
            break;
        case fault_kind::deaf:
            replace(which, fault::hang());
            break;
        case fault_kind::cancel:
        case fault_kind::cancel_after_effect:
            replace(which, fault::cancel());
            break;
        case fault_kind::late:
            replace(which, fault::delay(now.after));
            break;
        case fault_kind::delay:
            for (const duration d : plain_durations(promises_))
                replace(which, fault::delay(d));
            break;
        case fault_kind::ok:
        case fault_kind::ok_now:
        case fault_kind::empty:
        case fault_kind::one_byte:
        case fault_kind::bad_alloc:
            break;
        }
    }

    void interrupt_plainly(std::size_t which)
    {
        const perturbation& p = plan_.perturbations[which];
        if (const deviation* held = p.yields(); held && held->steps > 1)
            for (const std::uint32_t fewer : {1u, held->steps / 2, held->steps - 1})
                change(which, [&](perturbation& one) { std::get<deviation>(one.what).steps = fewer; });
        const interruption* struck = p.interrupts();
        if (!struck)
            return;
        if (struck->what == interruption::action::cancel && struck->when != moment::steps &&
            struck->client == p.at.lane)
            change(which, [&](perturbation& one) { one.what = operation_fault{fault::cancel()}; });
        const auto with = [&](auto how) {
            change(which, [&](perturbation& one) { how(std::get<interruption>(one.what)); });
        };
        if (struck->what == interruption::action::abandon && struck->client != whole_world)
            with([](interruption& i) { i.what = interruption::action::cancel; });
        with([](interruption& i) { i.type = cancellation::terminal; });
        if (struck->steps != 0 && struck->when != moment::steps) {
            with([](interruption& i) { i.steps = 0; });
            with([](interruption& i) { --i.steps; });
        }
    }

    /// Of an earlier client, and at an earlier operation.
    void move_earlier()
    {
        lane last = 0;
        for (const perturbation& p : plan_.perturbations)
            last = std::max({last, p.at.lane, p.interrupts() ? p.interrupts()->client : lane(0)});
        for (lane client = last; client > 0; --client)
            for (const lane place : {lane(0), lane(client - 1)})
                if (fault_plan moved = swapped(plan_, client, place); !(moved == plan_))
                    add(std::move(moved));
        for (std::size_t i = 0; i < plan_.perturbations.size(); ++i)
            if (const std::uint32_t now = plan_.perturbations[i].at.occurrence;
                now > 1 && !plan_.perturbations[i].repeats())
                for (const std::uint32_t earlier : {1u, now - 1})
                    change(i, [&](perturbation& p) { p.at.occurrence = earlier; });
    }

    const fault_plan& plan_;
    const contract& promises_;
    std::vector<fault_plan> found_;
};

} // namespace

burden burden_of(const fault_plan& plan, const contract& promises)
{
    // More than what is told one by one, and the more, the longer it lasts.
    const auto outage = [](const perturbation& p) {
        constexpr std::uint32_t told_singly = 8;
        const std::uint32_t last = p.repeats()->last;
        const bool ends = last != std::numeric_limits<std::uint32_t>::max();
        return told_singly + 1 + (ends ? std::min(last - p.at.occurrence, 3u) : 4);
    };
    burden sum;
    sum.comings = static_cast<std::uint32_t>(plan.arrivals.size()) + plan.sequential + plan.relay;
    sum.clients = plan.clients;
    sum.perturbations += plan.schedule ? 8 : 0; // nobody can read one
    for (const perturbation& p : plan.perturbations) {
        sum.perturbations += p.repeats() ? outage(p) : 1;
        sum.lanes += weight(p.at.lane);
        sum.occurrences += p.at.occurrence;
        if (const interruption* struck = p.interrupts()) {
            const bool cancels = struck->what == interruption::action::cancel;
            sum.kinds += (cancels                            ? 3
                             : struck->client == whole_world ? 12
                                                             : 8) +
                         (struck->type == cancellation::terminal ? 0 : 1);
            sum.counted += struck->steps != 0 || struck->when == moment::steps;
            sum.steps += struck->steps;
            sum.lanes += weight(struck->client);
        } else if (const deviation* held = p.yields()) {
            sum.kinds += 8;
            sum.steps += held->steps;
            sum.lanes += weight(held->first);
        } else {
            sum.kinds += rank(p.fault(), promises) + (p.fails_body() ? 1 : 0);
        }
    }
    return sum;
}

std::vector<fault_plan> simpler_plans(const fault_plan& plan, const contract& promises)
{
    return simplifier(plan, promises).list();
}

} // namespace mishap::detail
