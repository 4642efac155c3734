#include "invariants.hpp"
#include "reading.hpp"

#include <mishap/error.hpp>

#include <fmt/format.h>

#include <algorithm>

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
    return op.cancel_requested < op.completed ? known::unclear : known::success;
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
        for (index i = 0; i < e_.trace.operations.size(); ++i) {
            const operation_record& op = e_.trace.operations[i];
            if (op.resource != session_ || op.started == none)
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

    bool begin(index i)
    {
        if (is_owed(op(i).started) && !lent_again(op(i).started))
            return blame(i,
                fmt::format("{} was started inside the transaction of {}", name_of(e_, i),
                    name_of(e_, current_.begin)),
                "begins again", "a commit or a rollback first");
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
        if (done(current_.commit))
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
        for (const body_record& body : e_.trace.bodies)
            if (body.resource == session_ && body.lane != begun.id.lane && body.entered > begun.completed &&
                body.entered < before)
                return &body;
        return nullptr;
    }

    /// Whether the transaction has come to an end by that event, or is nobody's concern.
    bool ends_by(index at)
    {
        if (!is_owed(at))
            return true;
        const operation_record& begun = op(current_.begin);
        if (const body_record* again = lent_again(at))
            return blame(current_.begin,
                fmt::format("{} was lent to {} inside the transaction of {}", name_of_resource(e_, session_),
                    name_of_client(e_, again->lane), name_of(e_, current_.begin)),
                "begins", "a commit, a rollback, or a close, and not lent again before that", again->entered);
        const auto& all = e_.trace.operations;
        const auto close = std::find_if(all.begin(), all.end(), [&](const operation_record& o) {
            return o.resource == session_ && (o.role == role::close || o.role == role::force_close) &&
                   o.started != none && o.started > begun.started;
        });
        if (close == all.end() && e_.contract.closed_by != closing::operation)
            return true; // its destructor may end it
        if (close == all.end())
            return blame(current_.begin,
                fmt::format("the transaction of {} was neither committed nor rolled back{}",
                    name_of(e_, current_.begin), after_rollback()),
                "begins", "a commit or a rollback");
        if (e_.contract.close_rolls_back || close->role == role::force_close || current_.rollback != none ||
            was_broken(e_, session_, close->started))
            return true;
        return blame(static_cast<index>(close - all.begin()),
            fmt::format("{} was started with the transaction of {} neither committed nor rolled back",
                name_of(e_, static_cast<index>(close - all.begin())), name_of(e_, current_.begin)),
            "closes all the same", "a commit or a rollback first, since the session was not broken");
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
        for (const body_record& body : e_.trace.bodies)
            if (body.lane == op(commit).id.lane && body.entered > op(current_.begin).completed &&
                body.entered < op(commit).started && (!last || body.left > last->left))
                last = &body;
        return last;
    }

    bool blame(index i, std::string sentence, std::string remark, std::string expected, index why = none)
    {
        const operation_record& wrong = op(i);
        if (e_.excused(wrong.id.lane))
            return false;
        violation v{
            .sentence = std::move(sentence),
            .lane = wrong.id.lane,
            .resource = session_,
            .role = wrong.role,
            .expected = std::move(expected),
            .actual = fmt::format("{} in the transaction of {}", name_of(e_, i), name_of(e_, current_.begin)),
        };
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
    // What never was open is the business of `closes_only_what_exists`.
    for (index r = 0; r < e.trace.resources.size(); ++r)
        if (e.trace.resources[r].ever_open)
            judge_of_session(e, r, found).judge();
}

} // namespace mishap::detail
