#include "invariants.hpp"
#include "reading.hpp"

#include <fmt/format.h>

#include <algorithm>

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

/// The ledger as it was when a sample was taken.
class ledger
{
public:
    ledger(const evidence& e, const sample_record& at) : e_(e), at_(at) {}

    range count(const statistic_record& counter) const
    {
        range sum;
        if (counter.what == quantity::in_use) {
            for (index i = 0; i < e_.trace.bodies.size(); ++i) {
                const body_record& body = e_.trace.bodies[i];
                const bool fits =
                    counter.kind.empty()
                        ? !is_nested_body(e_.trace, i)
                        : body.resource != none && e_.trace.resources[body.resource].kind == counter.kind;
                if (fits && has_happened(body.entered) && !has_happened(body.left))
                    sum.add(yes);
            }
            return sum;
        }
        for (index r = 0; r < e_.trace.resources.size(); ++r)
            if (counter.kind.empty() || e_.trace.resources[r].kind == counter.kind)
                sum.add(count(counter.what, r));
        return sum;
    }

private:
    bool has_happened(index event) const { return event != none && event < at_.position; }

    range count(quantity what, index resource) const
    {
        const resource_record& r = e_.trace.resources[resource];
        if (r.create == none)
            return no;
        const operation_record& create = e_.trace.operations[r.create];
        if (create.result != result::ok || yielded_nothing(create) || !has_happened(create.completed))
            return no;
        // What arrives after it was given up need never have been counted.
        const bool known = has_happened(create.delivered) && create.cancel_requested > create.completed &&
                           !is_abandoned(r.home);
        const progress closing = closing_of(resource);
        switch (what) {
        case quantity::created:
            return known ? yes : perhaps;
        case quantity::closed:
            return closing == progress::not_begun ? no : closing == progress::done && known ? yes : perhaps;
        case quantity::open:
            return closing == progress::done ? no : closing == progress::not_begun && known ? yes : perhaps;
        case quantity::in_use:
            break;
        }
        return no;
    }

    progress closing_of(index resource) const
    {
        progress reached = progress::not_begun;
        for (const operation_record& op : e_.trace.operations) {
            if (op.resource != resource || (op.role != role::close && op.role != role::force_close) ||
                !has_happened(op.started))
                continue;
            if (is_done(op))
                return progress::done;
            if (has_happened(op.completed) || has_happened(op.cancel_requested))
                reached = progress::unclear;
        }
        for (index i = 0; i < at_.position; ++i) {
            const event& gone = e_.trace.events[i];
            if (gone.kind == event_kind::destroyed && gone.subject == resource)
                return e_.contract.closed_by == closing::operation ? progress::unclear : progress::done;
        }
        return reached;
    }

    bool is_done(const operation_record& close) const
    {
        if (!has_happened(close.delivered))
            return false;
        // In the end a close that was tried has to be accounted for, unless the client's own cancellation
        // struck it: that is a leak.
        return close.result == result::ok ||
               (at_.last && !(close.result == result::aborted &&
                                cancelled_before(e_.trace, close.id.lane, close.cancel_requested)));
    }

    bool is_abandoned(lane in) const
    {
        return in >= 0 && static_cast<std::size_t>(in) < e_.trace.outcomes.size() &&
               e_.trace.outcomes[static_cast<std::size_t>(in)].abandoned != none;
    }

    const evidence& e_;
    const sample_record& at_;
};

std::string describe(const range& r)
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
    for (const sample_record& sample : e.trace.samples) {
        const statistic_record& counter = e.trace.statistics[sample.statistic];
        if (blamed[sample.statistic])
            continue;
        const range expected = ledger(e, sample).count(counter);
        if (expected.least <= sample.value && sample.value <= expected.most)
            continue;
        blamed[sample.statistic] = true;
        violation v{
            .sentence = fmt::format("{} was {} {}, but the ledger has {}{}", counter.name, sample.value,
                sample.last ? "in the end" : "when nothing was ready to run", describe(expected),
                name_kinds(e.trace, counter.kind)),
            .lane = 0,
            .role = counter.what == quantity::closed ? role::close : role::create,
            .expected = describe(expected),
            .actual = std::to_string(sample.value),
        };
        if (sample.position != 0)
            v.proof.push_back(
                {sample.position - 1, fmt::format("after this, {} is {}", counter.name, sample.value)});
        found.push_back(std::move(v));
    }
}

} // namespace mishap::detail
