// SPDX-License-Identifier: MIT
// What is begun on a resource and must be ended there: commits_or_rolls_back and releases_what_it_acquires.

#include "invariants.hpp"
#include "wording.hpp"

#include <mishap/error.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace mishap::detail {

namespace {

/// One transaction: a begin, and what was done about it. `none` where that did not happen.
struct transaction
{
    index begin = none;
    index commit = none;
    index rollback = none; ///< the last one
};

/// How an operation had ended by the time of an event, as its caller could know.
enum class known
{
    success,
    failure, ///< or cut off; it had no effect, or nobody can tell
    unclear  ///< still under way, or it succeeded although it was given up
};

known end_of(const operation_record& op, index by)
{
    if (op.completed == none || op.completed > by)
        return known::unclear;
    if (op.result != result::ok)
        return known::failure;
    // Where nobody was told, as when its client was abandoned meanwhile, it is to be undone.
    return op.cancel_requested < op.completed || op.delivered > by ? known::unclear : known::success;
}

/// Whether it took effect although its caller was told otherwise: it was given up, or its reply was lost.
bool came_about_unseen(const operation_record& op) { return op.took_effect() && op.result != result::ok; }

/// Whether it took effect, and nobody is left who knows: its caller was told otherwise, or was abandoned.
bool has_no_owner(const evidence& e, const operation_record& op)
{
    const bool abandoned = e.account.has_client(op.id.lane) &&
                           e.trace.outcomes[static_cast<std::size_t>(op.id.lane)].abandoned != none;
    return came_about_unseen(op) || (abandoned && op.took_effect());
}

/// Whether the success of this operation may not have come to who undoes it at that event: its client was
/// abandoned on the way there.
bool may_not_know(const evidence& e, const operation_record& op, index at)
{
    return e.account.has_client(op.id.lane) &&
           e.trace.outcomes[static_cast<std::size_t>(op.id.lane)].abandoned < at;
}

class judge_of_session
{
public:
    judge_of_session(const evidence& e, index session, violations& found)
        : e_(e), session_(session), found_(found)
    {}

    /// Reports the first thing that is wrong with this session's transactions.
    void judge()
    {
        for (const index i : e_.account.resources()[session_].operations) {
            const operation_record& op = e_.trace.operations[i];
            if (op.started == none)
                continue;
            const bool sound = op.role == role::begin      ? begin(i)
                               : op.role == role::commit   ? commit(i)
                               : op.role == role::rollback ? rollback(i)
                                                           : true;
            if (!sound)
                return;
        }
        ends();
    }

private:
    const operation_record& op(index i) const { return e_.trace.operations[i]; }

    std::span<const index>::iterator first_after(std::span<const index> stays, index event) const
    {
        return std::partition_point(
            stays.begin(), stays.end(), [&](index i) { return e_.trace.bodies[i].entered <= event; });
    }

    bool begin(index i)
    {
        if (is_owed(op(i).started) && !lent_again(op(i).started))
            return blame(i,
                fmt::format("{} was started inside the transaction of {}", name_of(e_, i),
                    name_of(e_, current_.begin)),
                "begins again", "a commit or a rollback first");
        if (is_left_open(op(i).started))
            return blame(i,
                fmt::format("{} was started although {} had taken effect {}", name_of(e_, i),
                    name_of(e_, current_.begin), left_how()),
                "begins again", "a rollback or a close first");
        if (!ends_by(op(i).started))
            return false;
        current_ = {.begin = i};
        return true;
    }

    bool commit(index i)
    {
        // A session on which nothing is ever begun has transactions of its own making.
        if (current_.begin == none)
            return true;
        const index now = op(i).started;
        const std::string name = name_of(e_, i);
        if (end_of(op(current_.begin), now) == known::failure)
            return blame(i,
                fmt::format("{} was started although {} had failed", name, name_of(e_, current_.begin)),
                "commits what never began", "nothing is owed after a failed begin");
        if (current_.commit != none)
            return blame(i, fmt::format("{} was started after {}", name, name_of(e_, current_.commit)),
                "commits again", "one commit; after one that failed, at most a rollback");
        if (current_.rollback != none)
            return blame(i, fmt::format("{} was started after {}", name, name_of(e_, current_.rollback)),
                "commits what was rolled back", "one commit or one rollback");
        current_.commit = i;
        const body_record* const body = last_body(i);
        if (!body)
            return true;
        if (body->left == none || body->left > now)
            return blame(i, fmt::format("{} was started before the body returned", name), "commits too early",
                "a commit after the body has returned");
        if (body->error)
            return blame(i,
                fmt::format("{} was started although the body had failed with {}", name,
                    describe_error(e_, body->error)),
                "commits all the same", "a rollback", body->left);
        return true;
    }

    bool rollback(index i)
    {
        if (current_.begin == none)
            return true;
        const index now = op(i).started;
        const auto done = [&](index before) {
            return before != none && end_of(op(before), now) == known::success;
        };
        if (done(current_.commit) && !may_not_know(e_, op(current_.commit), now))
            return blame(i,
                fmt::format(
                    "{} was started after {} had succeeded", name_of(e_, i), name_of(e_, current_.commit)),
                "rolls back what was committed", "one commit or one rollback");
        if (done(current_.rollback))
            return blame(i,
                fmt::format(
                    "{} was started after {} had succeeded", name_of(e_, i), name_of(e_, current_.rollback)),
                "rolls back again", "one commit or one rollback");
        current_.rollback = i;
        return true;
    }

    /// Whether a transaction stands open at that event that somebody must end.
    bool is_owed(index at) const
    {
        if (current_.begin == none || end_of(op(current_.begin), at) != known::success ||
            op(current_.begin).delivered == none)
            return false;
        const lane in = op(current_.begin).id.lane;
        if (in >= 0 && !is_there(e_, in))
            return false;
        // What a commit that failed has left behind nobody can tell; a rollback that failed had no effect.
        const bool rolled_back =
            current_.rollback != none && end_of(op(current_.rollback), at) != known::failure;
        return current_.commit == none && !rolled_back;
    }

    const body_record* lent_again(index before) const
    {
        const operation_record& begun = op(current_.begin);
        const auto& stays = e_.account.resources()[session_].stays;
        for (auto next = first_after(stays, begun.completed); next != stays.end(); ++next) {
            const body_record& body = e_.trace.bodies[*next];
            if (body.entered >= before)
                break;
            if (body.lane != begun.id.lane)
                return &body;
        }
        return nullptr;
    }

    /// Whether the transaction has come to an end by that event, or is nobody's concern.
    bool ends_by(index at)
    {
        if (!is_owed(at))
            return is_undone(at);
        const operation_record& begun = op(current_.begin);
        if (const body_record* again = lent_again(at))
            return blame(current_.begin,
                fmt::format("{} was lent to {} inside the transaction of {}", name_of_resource(e_, session_),
                    name_of_client(e_, again->lane), name_of(e_, current_.begin)),
                "begins", "a commit, a rollback, or a close, and not lent again before that", again->entered);
        const auto& closes = e_.account.resources()[session_].closes;
        const auto close = std::find_if(
            closes.begin(), closes.end(), [&](index i) { return op(i).started > begun.started; });
        if (close == closes.end() && e_.contract.closing.by != closing::operation)
            return true; // its destructor may end it
        if (close == closes.end())
            return blame(current_.begin,
                fmt::format("the transaction of {} was neither committed nor rolled back{}",
                    name_of(e_, current_.begin), after_rollback()),
                "begins", "a commit or a rollback");
        if (e_.contract.closing.rolls_back || op(*close).role == role::force_close ||
            current_.rollback != none || e_.account.resources()[session_].broke <= op(*close).started)
            return true;
        return blame(*close,
            fmt::format("{} was started with the transaction of {} neither committed nor rolled back",
                name_of(e_, *close), name_of(e_, current_.begin)),
            "closes all the same", "a commit or a rollback first, since the session was not broken");
    }

    /// A begin that was given up may have come about all the same, and one whose client was abandoned stands.
    /// Whether nobody has undone it by that event.
    bool is_left_open(index at) const
    {
        if (current_.begin == none || !has_no_owner(e_, op(current_.begin)) || current_.commit != none ||
            current_.rollback != none)
            return false;
        const auto& closes = e_.account.resources()[session_].closes;
        return std::none_of(closes.begin(), closes.end(),
            [&](index i) { return op(i).started > op(current_.begin).started && op(i).started < at; });
    }

    /// Until then, the session is nobody else's.
    bool is_undone(index at)
    {
        const body_record* const again = current_.begin == none ? nullptr : lent_again(at);
        if (!again || !is_left_open(again->entered))
            return true;
        return blame(current_.begin,
            fmt::format("{} was lent to {} although {} had taken effect {}", name_of_resource(e_, session_),
                name_of_client(e_, again->lane), name_of(e_, current_.begin), left_how()),
            "begins, and nobody is left who knows", "a rollback or a close before it is lent again",
            again->entered);
    }

    std::string_view left_how() const
    {
        return came_about_unseen(op(current_.begin)) ? "when it was given up"
                                                     : "and its client had been abandoned";
    }

    void ends() { ends_by(static_cast<index>(e_.trace.events.size())); }

    std::string after_rollback() const
    {
        return current_.rollback == none ? std::string()
                                         : fmt::format(": {} did not succeed, and nothing came of it",
                                               name_of(e_, current_.rollback));
    }

    /// The stay inside the body that this transaction is for: of those begun within it, the one that was left
    /// last.
    const body_record* last_body(index commit) const
    {
        const body_record* last = nullptr;
        const auto& stays = e_.account.client(op(commit).id.lane).stays;
        for (auto next = first_after(stays, op(current_.begin).completed); next != stays.end(); ++next) {
            const body_record& body = e_.trace.bodies[*next];
            if (body.entered < op(commit).started && (!last || body.left > last->left))
                last = &body;
        }
        return last;
    }

    bool blame(index i, std::string sentence, std::string remark, std::string expected, index why = none)
    {
        const operation_record& wrong = op(i);
        if (e_.excused(wrong.id.lane))
            return false;
        violation v = detail::blame(wrong.id.lane, wrong.role, std::move(sentence), {}, std::move(expected),
            fmt::format("{} in the transaction of {}", name_of(e_, i), name_of(e_, current_.begin)),
            session_);
        if (i != current_.begin)
            v.proof.push_back({op(current_.begin).started, "begins"});
        if (why != none)
            v.proof.push_back({why, "this comes between"});
        v.proof.push_back({wrong.started, std::move(remark)});
        found_.push_back(std::move(v));
        return false;
    }

    const evidence& e_;
    const index session_;
    violations& found_;
    transaction current_;
};

} // namespace

void judge_commits_or_rolls_back(const evidence& e, violations& found)
{
    if (e.trace.world_abandoned != none)
        return;
    const auto& all = e.trace.operations;
    if (std::none_of(
            all.begin(), all.end(), [](const operation_record& op) { return op.role == role::begin; }))
        return;
    // What never was open is the business of `closes_only_what_exists`.
    for (index r = 0; r < e.trace.resources.size(); ++r)
        if (e.trace.resources[r].ever_open)
            judge_of_session(e, r, found).judge();
}

namespace {

/// Whether this release counts: it was not struck by its client's own cancellation.
bool release_counts(const evidence& e, index release_at)
{
    const operation_record& release = e.trace.operations[release_at];
    const auto& due = e.account.operations()[release_at].due;
    return release.result != result::aborted || e.account.operations()[release_at].how != wait_end::struck ||
           (due && e.trace.time_of(release.cancel_requested) >= *due);
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
        for (const index i : e_.account.resources()[resource_].operations) {
            const operation_record& op = e_.trace.operations[i];
            if (op.started == none)
                continue;
            if (op.role == role::acquire)
                acquired_.push_back(i);
            else if (op.role == role::release && !release(i))
                return;
            else if ((op.role == role::close || op.role == role::force_close) && !close(i))
                return;
        }
        const bool by_destruction = e_.contract.closing.by != closing::operation;
        const auto end = static_cast<index>(e_.trace.events.size());
        for (const index held : acquired_)
            if (const body_record* again = lent_on(held, end); again && has_no_owner(e_, op(held))) {
                blame_lent(held, *again);
                return;
            }
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
            const auto& on_it = e_.account.resources()[resource_].operations;
            const bool any = std::any_of(
                on_it.begin(), on_it.end(), [&](index one) { return op(one).role == role::acquire; });
            if (!any && e_.account.was_cancelled(now.id.lane, now.started))
                return true;
            if (!e_.excused(now.id.lane))
                found_.push_back(detail::blame(now.id.lane, role::release,
                    fmt::format(
                        "{} was started although nothing was held that it could release", name_of(e_, i)),
                    {{now.started, "releases what is not held"}},
                    "one release for each acquire, whether it succeeded or may have",
                    fmt::format("{} more", name_of(e_, i)), resource_));
            return false;
        }
        if (const body_record* again = lent_on(*held, now.started);
            again && (is_owed(*held, again->entered) || has_no_owner(e_, op(*held)))) {
            blame_lent(*held, *again);
            return false;
        }
        if (!release_counts(e_, i))
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
            const bool unseen = has_no_owner(e_, op(held));
            if (!is_owed(held, now) && !unseen)
                continue;
            if (const body_record* again = lent_on(held, now)) {
                blame_lent(held, *again);
                return false;
            }
            if (unseen || op(i).role == role::force_close || e_.contract.closing.rolls_back ||
                e_.account.resources()[resource_].broke <= now)
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
        if (e_.contract.capacity.shared)
            return nullptr;
        lane owner = op(held).id.lane;
        const auto& stays = e_.account.resources()[resource_].stays;
        auto next = std::partition_point(stays.begin(), stays.end(),
            [&](index i) { return e_.trace.bodies[i].entered <= op(held).completed; });
        for (; next != stays.end(); ++next) {
            const body_record& body = e_.trace.bodies[*next];
            if (body.entered >= before)
                break;
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
        violation v = detail::blame(op(held).id.lane, role::release, std::move(sentence),
            {{op(held).completed, "acquires"}},
            "one release for each acquire that succeeded, before the resource goes on", "it is still held",
            resource_);
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
