// SPDX-License-Identifier: MIT
#include "invariants.hpp"
#include "waivers.hpp"
#include "wording.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

namespace mishap::detail {

namespace {

/// What a counter may show: more than one number where the manager cannot know, or may see it either way.
struct range
{
    long least = 0;
    long most = 0;

    void add(range other)
    {
        least += other.least;
        most += other.most;
    }
};

constexpr range no{0, 0};
constexpr range perhaps{0, 1};
constexpr range yes{1, 1};

/// How far closing a resource had got.
enum class progress
{
    not_begun, ///< or under way
    unclear,   ///< it failed, was given up, or ended without anybody having seen it yet
    done
};

/// Counts along with the run what one counter of the manager's may show.
class ledger
{
public:
    ledger(const evidence& e, const statistic_record& counter) : e_(e), counter_(counter)
    {
        if (counter.what == quantity::waiting)
            waiting_.resize(e.trace.outcomes.size(), no);
        if (counter.what != quantity::idle)
            return;
        lent_to_.resize(e.trace.outcomes.size());
        for (const body_record& body : e.trace.bodies)
            if (body.resource != none && e.account.has_client(body.lane))
                lent_to_[static_cast<std::size_t>(body.lane)].push_back(body.resource);
        held_.resize(e.trace.resources.size());
        for (index r = 0; r < e.trace.resources.size(); ++r) {
            const lane home = e.trace.resources[r].home;
            held_[r].last = home;
            if (e.account.has_client(home))
                lent_to_[static_cast<std::size_t>(home)].push_back(r);
        }
    }

    /// What the counter may show at this sample. Preconditions: samples come in the order of their positions.
    range count_at(const sample_record& sample)
    {
        if (counter_.what == quantity::expression) {
            const long now = counter_.expected(
                sample.position == 0 ? supply{} : e_.account.supply_at(sample.position - 1));
            return {now, now};
        }
        for (; counter_.what == quantity::idle && position_ < sample.position; ++position_)
            take(e_.trace.events[position_], sample);
        // What is counted in the end differs, for every resource.
        if (sample.last && counter_.what != quantity::in_use && counter_.what != quantity::waiting) {
            range sum;
            for (index r = 0; r < e_.trace.resources.size(); ++r)
                if (is_counted(r))
                    sum.add(count(r, sample));
            return sum;
        }
        for (; position_ < sample.position; ++position_)
            take(e_.trace.events[position_], sample);
        return sum_;
    }

private:
    /// Who has a resource.
    struct holding
    {
        int stays = 0;
        int under_way = 0; ///< operations
        bool is_whole = true;
        lane last = background_lane; ///< who made it, or had it last
    };

    bool is_counted(index resource) const
    {
        return counter_.kind.empty() || e_.trace.resources[resource].kind == counter_.kind;
    }

    /// Counts on by one event.
    void take(const event& at, const sample_record& sample)
    {
        switch (counter_.what) {
        case quantity::in_use:
            return take_stay(at);
        case quantity::waiting:
            return take_client(at);
        case quantity::idle:
            note_holder(at);
            if (at.kind == event_kind::body_entered || at.kind == event_kind::body_left)
                recount(e_.trace.bodies[at.subject].resource, sample);
            if ((at.kind == event_kind::client_ended || at.kind == event_kind::client_abandoned) &&
                e_.account.has_client(at.lane))
                for (const index lent : lent_to_[static_cast<std::size_t>(at.lane)])
                    recount(lent, sample);
            break;
        default:
            break;
        }
        if (at.kind == event_kind::destroyed)
            recount(at.subject, sample);
        else if (at.kind == event_kind::completed || at.kind == event_kind::delivered ||
                 at.kind == event_kind::cancel_requested || at.kind == event_kind::started)
            recount(e_.trace.operations[at.subject].resource, sample);
    }

    void take_stay(const event& at)
    {
        if (at.kind != event_kind::body_entered && at.kind != event_kind::body_left)
            return;
        const body_record& body = e_.trace.bodies[at.subject];
        const bool fits = counter_.kind.empty() ? !e_.account.stays()[at.subject].nested
                                                : body.resource != none && is_counted(body.resource);
        const long change = !fits ? 0 : at.kind == event_kind::body_entered ? 1 : -1;
        sum_.add({change, change});
    }

    void take_client(const event& at)
    {
        if (!e_.account.has_client(at.lane))
            return;
        range& mine = waiting_[static_cast<std::size_t>(at.lane)];
        const range before = mine;
        switch (at.kind) {
        case event_kind::client_started:
            mine = yes;
            break;
        case event_kind::body_entered:
        case event_kind::client_ended:
            mine = no;
            break;
        case event_kind::client_abandoned: // nobody counts it out in any order
        case event_kind::client_cancelled:
        case event_kind::started:
            mine = mine.most != 0 || !e_.account.is_inside(at.lane, position_) ? perhaps : no;
            break;
        default:
            return;
        }
        sum_.add({mine.least - before.least, mine.most - before.most});
    }

    void recount(index touched, const sample_record& sample)
    {
        if (touched == none || !is_counted(touched))
            return;
        counted_.resize(e_.trace.resources.size());
        range& mine = counted_[touched];
        const range now = count(touched, {sample.statistic, sample.value, position_ + 1, sample.last});
        sum_.add({now.least - mine.least, now.most - mine.most});
        mine = now;
    }

    /// Whether a resource that is open is lent to nobody. Who made it, or had it last, may not have given it
    /// back yet; and what is not whole any more, or is being checked, may be counted either way.
    range idleness(index resource, const sample_record& at) const
    {
        const holding& now = held_[resource];
        if (now.stays != 0)
            return no;
        const bool has_gone = !e_.account.has_client(now.last) ||
                              e_.trace.outcomes[static_cast<std::size_t>(now.last)].ended < at.position;
        return has_gone && now.is_whole && now.under_way == 0 ? yes : perhaps;
    }

    /// Keeps up with who has what.
    void note_holder(const event& at)
    {
        switch (at.kind) {
        case event_kind::body_entered:
        case event_kind::body_left:
            if (const body_record& body = e_.trace.bodies[at.subject]; body.resource != none) {
                held_[body.resource].stays += at.kind == event_kind::body_entered ? 1 : -1;
                held_[body.resource].last = body.lane;
            }
            break;
        case event_kind::started:
        case event_kind::completed:
            if (const operation_record& op = e_.trace.operations[at.subject]; op.resource != none) {
                holding& one = held_[op.resource];
                one.under_way += at.kind == event_kind::started ? 1 : -1;
                one.is_whole = one.is_whole && (at.kind == event_kind::started || op.result == result::ok);
            }
            break;
        default:
            break;
        }
    }

    range count(index resource, const sample_record& at) const
    {
        const auto has_happened = [&](index event) { return event != none && event < at.position; };
        const resource_record& r = e_.trace.resources[resource];
        if (r.create == none)
            return no;
        const operation_record& create = e_.trace.operations[r.create];
        if (counter_.what == quantity::reserved && has_happened(create.started) &&
            !has_happened(create.delivered))
            return has_happened(create.cancel_requested) || has_happened(create.completed) ? perhaps : yes;
        if (create.result != result::ok || yielded_nothing(create) || !has_happened(create.completed))
            return no;
        // What arrives after it was given up need never have been counted.
        const bool is_abandoned = e_.account.has_client(r.home) &&
                                  e_.trace.outcomes[static_cast<std::size_t>(r.home)].abandoned != none;
        const bool known =
            has_happened(create.delivered) && create.cancel_requested > create.completed && !is_abandoned;
        const progress closing = closing_of(resource, at);
        switch (counter_.what) {
        case quantity::created:
            return known ? yes : perhaps;
        case quantity::closed:
            return closing == progress::not_begun ? no : closing == progress::done && known ? yes : perhaps;
        case quantity::idle:
            if (closing == progress::done)
                return no;
            return closing == progress::not_begun && known && !is_closing(resource, at)
                       ? idleness(resource, at)
                       : perhaps;
        case quantity::reserved:
            if (closing == progress::not_begun && known && !is_closing(resource, at))
                return yes;
            return closing == progress::done ? no : perhaps;
        case quantity::open:
            return closing == progress::done ? no : closing == progress::not_begun && known ? yes : perhaps;
        default:
            break;
        }
        return no;
    }

    /// Whether a close of it is under way, or has ended in any way.
    bool is_closing(index resource, const sample_record& at) const
    {
        const auto& closes = e_.account.resources()[resource].closes;
        return std::any_of(closes.begin(), closes.end(),
            [&](index i) { return e_.trace.operations[i].started < at.position; });
    }

    progress closing_of(index resource, const sample_record& at) const
    {
        const auto has_happened = [&](index event) { return event != none && event < at.position; };
        const resource_account& mine = e_.account.resources()[resource];
        progress reached = progress::not_begun;
        for (const index i : mine.closes) {
            const operation_record& op = e_.trace.operations[i];
            if (!has_happened(op.started))
                continue;
            // In the end a close that was tried has to be accounted for, unless the client's own cancellation
            // struck it: that is a leak.
            const bool counts = op.result == result::ok ||
                                (at.last && !(op.result == result::aborted &&
                                                e_.account.was_cancelled(op.id.lane, op.cancel_requested)));
            if (has_happened(op.delivered) && counts)
                return progress::done;
            if (has_happened(op.completed) || has_happened(op.cancel_requested))
                reached = progress::unclear;
        }
        if (has_happened(mine.first_destroyed))
            return e_.contract.closing.by == closing::operation ? progress::unclear : progress::done;
        return reached;
    }

    const evidence& e_;
    const statistic_record& counter_;
    index position_ = 0;
    range sum_;
    std::vector<range> counted_;              ///< by resource
    std::vector<range> waiting_;              ///< by client
    std::vector<holding> held_;               ///< by resource
    std::vector<std::vector<index>> lent_to_; ///< by client: what it made, or was lent
};

std::string as_text(const range& r)
{
    return r.least == r.most ? std::to_string(r.least) : fmt::format("{} to {}", r.least, r.most);
}

/// A counter of a kind that nobody ever made counts nothing that mishap knows.
std::string name_kinds(const trace& happened, symbol kind)
{
    std::string known;
    for (const resource_record& r : happened.resources) {
        if (kind.empty() || r.kind == kind)
            return {};
        if (known.find(r.kind.text()) == std::string::npos)
            known.append(known.empty() ? "" : ", ").append(r.kind.text());
    }
    return known.empty() ? known : fmt::format(" (no {} was ever made, but {})", kind.text(), known);
}

} // namespace

void judge_balanced_statistics(const evidence& e, violations& found)
{
    if (e.trace.samples.empty() ||
        std::find(e.consequence.begin(), e.consequence.end(), true) != e.consequence.end())
        return;
    std::vector<bool> blamed(e.trace.statistics.size());
    std::vector<ledger> ledgers;
    for (const statistic_record& counter : e.trace.statistics)
        ledgers.emplace_back(e, counter);
    for (const sample_record& sample : e.trace.samples) {
        const statistic_record& counter = e.trace.statistics[sample.statistic];
        if (blamed[sample.statistic])
            continue;
        const range expected = ledgers[sample.statistic].count_at(sample);
        if (expected.least <= sample.value && sample.value <= expected.most)
            continue;
        blamed[sample.statistic] = true;
        violation v = blame(0, counter.what == quantity::closed ? role::close : role::create,
            fmt::format("{} was {} {}, but the ledger has {}{}", counter.name, sample.value,
                sample.last ? "in the end" : "when nothing was ready to run", as_text(expected),
                counter.what == quantity::waiting ? std::string() : name_kinds(e.trace, counter.kind)),
            {}, as_text(expected), std::to_string(sample.value));
        if (sample.position != 0)
            v.proof.push_back(
                {sample.position - 1, fmt::format("after this, {} is {}", counter.name, sample.value)});
        found.push_back(std::move(v));
    }
}

} // namespace mishap::detail
