// SPDX-License-Identifier: MIT
#include "invariants.hpp"
#include "waivers.hpp"
#include "wording.hpp"

#include <mishap/duration.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace mishap::detail {

namespace {

/// One wait that the contract bounds, and what is wrong with how it ended.
class judge_of_wait
{
public:
    judge_of_wait(const evidence& e, const wait& w, violations& found)
        : e_(e), w_(w), found_(found), client_(e.account.client(w.who)),
          outcome_(
              e.account.has_client(w.who) ? &e.trace.outcomes[static_cast<std::size_t>(w.who)] : nullptr),
          op_(w.operation == none ? nullptr : &e.trace.operations[w.operation]),
          lasted_(e.trace.time_of(w.end) - e.trace.time_of(w.clock))
    {}

    void judge()
    {
        if (!is_judged_here())
            return;
        if (const index rest = overslept(); rest != none)
            blame(fmt::format("{} waited without a deadline", name_of_client(e_, w_.who)), given_up_between(),
                "still waiting when nothing was left that could happen",
                {rest, "nothing would end its wait"});
        else if (lasted_ > w_.limit + e_.account.slack(w_.clock, w_.end)) {
            if (!may_be_late(e_.account, w_))
                blame(late(), given_up_between(),
                    op_ ? fmt::format("{} after {}", ended_by_itself() ? "waited for" : "given up",
                              to_string(lasted_))
                        : fmt::format("after {}", to_string(lasted_)));
        } else if (lasted_ < w_.limit) {
            if (is_early() && !may_be_early(e_.account, w_))
                blame(early(), fmt::format("waited for until {}", to_string(w_.limit)),
                    fmt::format("given up after {}", to_string(lasted_)));
        } else if (is_misnamed())
            blame(misnamed(), fmt::format("one of: {}", fmt::join(e_.contract.time.errors, ", ")),
                describe_error(e_, outcome_->error));
    }

private:
    bool is_judged_here() const
    {
        if (!op_)
            return is_judged(e_, w_.who);
        // What ends with the world is given up by nobody.
        return !op_->in_probe && op_->result != result::abandoned && !e_.excused(w_.who) &&
               e_.trace.world_abandoned > w_.end;
    }

    bool ended_by_itself() const { return op_->delivered == w_.end && op_->cancel_requested == none; }

    /// The event at which nothing could happen any more while this client waited for its turn, or `none`: no
    /// deadline of its own was running then. (That others are cancelled next, and make room, does not mend
    /// it.)
    index overslept() const
    {
        if (w_.of != wait::kind::acquire)
            return none;
        const auto rests = e_.account.rests();
        const auto rest = std::lower_bound(rests.begin(), rests.end(), w_.clock);
        if (rest == rests.end() || *rest >= w_.end || e_.account.was_cancelled(w_.who, *rest))
            return none;
        const auto waits = e_.account.pending_at(w_.who, *rest);
        return waits.size() == 1 && waits.front().operation == none ? *rest : none;
    }

    /// Whether it was given up before its deadline; or, for a client, whether it was told so.
    bool is_early() const
    {
        if (op_)
            return !ended_by_itself();
        return w_.of == wait::kind::acquire && w_.end == outcome_->ended && outcome_->error &&
               client_.told.timeout && client_.told.source == none;
    }

    /// Whether it ended at its deadline, for no other reason, and its client was told of something else.
    bool is_misnamed() const
    {
        if (!outcome_ || !outcome_->error || client_.told.timeout || client_.refused)
            return false;
        if (w_.of == wait::kind::acquire)
            return w_.end == outcome_->ended && !has_other_reason(e_.account, client_, w_.end);
        if (w_.of == wait::kind::whole)
            return is_owed_whole() && !has_other_reason(e_.account, client_, w_.end);
        const auto& reasons = client_.reasons;
        return !ended_by_itself() && op_->role != role::close && outcome_->ending == ending::threw &&
               !reasons.empty() && reasons.front().what == reason::kind::deadline &&
               reasons.front().operation == w_.operation && reasons.front().is_owed();
    }

    bool is_owed_whole() const
    {
        return std::any_of(client_.reasons.begin(), client_.reasons.end(),
            [](const reason& r) { return r.what == reason::kind::whole && r.is_owed(); });
    }

    std::string given_up_between() const
    {
        return fmt::format("{} between {} and {} + 1us", w_.of == wait::kind::whole ? "stopped" : "given up",
            to_string(w_.limit), to_string(w_.limit));
    }

    std::string late() const
    {
        if (op_)
            return fmt::format("{} took {}, past its deadline of {}", name_of(e_, w_.operation),
                to_string(lasted_), to_string(w_.limit));
        return fmt::format("{} was still {} after {}", name_of_client(e_, w_.who),
            w_.of == wait::kind::whole ? "at work" : "without a resource", to_string(lasted_));
    }

    std::string early() const
    {
        return op_ ? fmt::format("{} was given up after {}, before its deadline of {}",
                         name_of(e_, w_.operation), to_string(lasted_), to_string(w_.limit))
                   : fmt::format("{} was told of a timeout after {}, before its deadline of {}",
                         name_of_client(e_, w_.who), to_string(lasted_), to_string(w_.limit));
    }

    std::string misnamed() const
    {
        const std::string who = name_of_client(e_, w_.who);
        const std::string saw = describe_error(e_, outcome_->error);
        if (op_)
            return fmt::format("{} timed out, but {} saw {}", name_of(e_, w_.operation), who, saw);
        return w_.of == wait::kind::whole
                   ? fmt::format("{} was stopped after {}, but saw {}", who, to_string(lasted_), saw)
                   : fmt::format("{} had no resource after {}, but saw {}", who, to_string(lasted_), saw);
    }

    void blame(
        std::string sentence, std::string expected, std::string actual, violation::evidence end = {none, {}})
    {
        if (end.event == none)
            end = {w_.end, op_ ? "given up" : "it ends"};
        found_.push_back(detail::blame(w_.who,
            op_                            ? op_->role
            : w_.of == wait::kind::acquire ? role::acquire
                                           : role::body,
            std::move(sentence), {{w_.clock, "the clock starts"}, std::move(end)}, std::move(expected),
            std::move(actual), op_ ? op_->resource : none));
    }

    const evidence& e_;
    const wait& w_;
    violations& found_;
    const client_account& client_;
    const outcome* const outcome_; ///< of its client, or null
    const operation_record* const op_;
    const duration lasted_;
};

} // namespace

void judge_honours_timeout(const evidence& e, violations& found)
{
    for (const wait& w : e.account.bounded_waits())
        judge_of_wait(e, w, found).judge();
}

} // namespace mishap::detail
