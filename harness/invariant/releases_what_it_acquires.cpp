#include "invariants.hpp"
#include "reading.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace mishap::detail {

namespace {

/// Whether this release counts: it was not struck by its client's own cancellation.
bool counts(const evidence& e, const operation_record& release)
{
    const auto& timeout = e.contract.other_timeout;
    return release.result != result::aborted || !was_struck(e, release) ||
           (timeout &&
               e.trace.time_of(release.cancel_requested) >= e.trace.time_of(release.started) + *timeout);
}

class judge_of_resource
{
public:
    judge_of_resource(const evidence& e, index resource, violations& found)
        : e_(e), resource_(resource), found_(found)
    {}

    /// Reports the first thing that is wrong with what was acquired on this resource.
    void judge()
    {
        const auto& all = e_.trace.operations;
        for (index i = 0; i < all.size(); ++i) {
            const operation_record& op = all[i];
            if (op.resource != resource_ || op.started == none)
                continue;
            if (op.role == role::acquire)
                acquired_.push_back(i);
            else if (op.role == role::release && !release(i))
                return;
            else if ((op.role == role::close || op.role == role::force_close) && !close(i))
                return;
        }
        const bool by_destruction = e_.contract.closed_by != closing::operation;
        for (const index held : acquired_)
            if (!by_destruction && is_owed(held, static_cast<index>(e_.trace.events.size()))) {
                blame(held, fmt::format("what {} acquired was never released", name_of(e_, held)), none);
                return;
            }
    }

private:
    const operation_record& op(index i) const { return e_.trace.operations[i]; }

    bool release(index i)
    {
        const operation_record& now = op(i);
        // One that succeeded first, and of those one of its own lane. But nobody can tell whether one that
        // failed had taken effect.
        const auto rank = [&](index one) {
            return 2 * (op(one).result == result::ok) + (op(one).id.lane == now.id.lane);
        };
        const auto held = std::max_element(
            acquired_.begin(), acquired_.end(), [&](index a, index b) { return rank(a) < rank(b); });
        if (held == acquired_.end()) {
            // Again after one that did not succeed: nobody can tell what that one did.
            if (uncertain_ > 0) {
                --uncertain_;
                return true;
            }
            // A cancelled client throws where it would have acquired, and may not know that it had not begun.
            const bool any = std::any_of(
                e_.trace.operations.begin(), e_.trace.operations.end(), [&](const operation_record& one) {
                    return one.role == role::acquire && one.resource == resource_;
                });
            if (!any && cancelled_before(e_.trace, now.id.lane, now.started))
                return true;
            if (!e_.excused(now.id.lane))
                found_.push_back({
                    .sentence = fmt::format(
                        "{} was started although nothing was held that it could release", name_of(e_, i)),
                    .lane = now.id.lane,
                    .resource = resource_,
                    .role = role::release,
                    .proof = {{now.started, "releases what is not held"}},
                    .expected = "one release for each acquire, whether it succeeded or may have",
                    .actual = fmt::format("{} more", name_of(e_, i)),
                });
            return false;
        }
        if (const body_record* again = lent_on(*held, now.started); again && is_owed(*held, again->entered)) {
            blame_lent(*held, *again);
            return false;
        }
        if (!counts(e_, now))
            return true;
        if (now.result != result::ok)
            ++uncertain_;
        acquired_.erase(held);
        return true;
    }

    bool close(index i)
    {
        const index now = op(i).started;
        for (const index held : acquired_) {
            if (!is_owed(held, now))
                continue;
            if (const body_record* again = lent_on(held, now)) {
                blame_lent(held, *again);
                return false;
            }
            if (op(i).role == role::force_close || e_.contract.close_rolls_back ||
                was_broken(e_, resource_, now))
                continue;
            blame(held,
                fmt::format(
                    "{} was started before what {} acquired was released", name_of(e_, i), name_of(e_, held)),
                now);
            return false;
        }
        acquired_.clear();
        return true;
    }

    /// Where somebody else was lent the resource before that event, or null. What was acquired in the
    /// background is for the first who is lent it.
    const body_record* lent_on(index held, index before) const
    {
        if (e_.contract.shared)
            return nullptr;
        lane owner = op(held).id.lane;
        for (const body_record& body : e_.trace.bodies) {
            if (body.resource != resource_ || body.entered <= op(held).completed || body.entered >= before)
                continue;
            if (owner == background_lane)
                owner = body.lane;
            else if (body.lane != owner)
                return &body;
        }
        return nullptr;
    }

    /// Whether somebody must release this by that event.
    bool is_owed(index held, index at) const
    {
        const operation_record& one = op(held);
        const bool succeeded = one.result == result::ok && one.delivered < at &&
                               (one.cancel_requested == none || one.cancel_requested > one.completed);
        return succeeded && (one.id.lane < 0 || is_there(e_, one.id.lane));
    }

    void blame_lent(index held, const body_record& again)
    {
        blame(held,
            fmt::format("{} was lent to {} before what {} acquired was released",
                name_of_resource(e_, resource_), name_of_client(e_, again.lane), name_of(e_, held)),
            again.entered);
    }

    void blame(index held, std::string sentence, index why)
    {
        violation v{
            .sentence = std::move(sentence),
            .lane = op(held).id.lane,
            .resource = resource_,
            .role = role::release,
            .proof = {{op(held).delivered, "acquires"}},
            .expected = "one release for each acquire that succeeded, before the resource goes on",
            .actual = "it is still held",
        };
        if (why != none)
            v.proof.push_back({why, "still held"});
        found_.push_back(std::move(v));
    }

    const evidence& e_;
    const index resource_;
    violations& found_;
    std::vector<index> acquired_; ///< and not released yet
    int uncertain_ = 0;           ///< releases that did not succeed
};

} // namespace

void judge_releases_what_it_acquires(const evidence& e, violations& found)
{
    if (e.trace.world_abandoned != none)
        return;
    const auto concerns = [](const operation_record& op) {
        return op.role == role::acquire || op.role == role::release;
    };
    if (std::none_of(e.trace.operations.begin(), e.trace.operations.end(), concerns))
        return;
    // What never was open is the business of `closes_only_what_exists`.
    for (index r = 0; r < e.trace.resources.size(); ++r)
        if (e.trace.resources[r].ever_open)
            judge_of_resource(e, r, found).judge();
}

} // namespace mishap::detail
