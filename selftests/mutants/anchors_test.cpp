// SPDX-License-Identifier: MIT
// Goal: a cancellation finds each bug that it can find, and blames nobody who is right. Method: for every
// operation of the run without a fault, and of every run in which one fails, each client is cancelled at each
// anchor relative to it; the table that comes out is printed.

#include "managers.hpp"

#include <mishap/operation.hpp>
#include <mishap/plan.hpp>
#include <mishap/run.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <array>
#include <set>
#include <string>
#include <string_view>
#include <vector>

using namespace mutants;

namespace {

enum class anchor
{
    before, // an operation of the client's own starts
    during, // it is pending
    queued, // it has completed, its handler has not run
    after,  // its handler has run
    other,  // an operation of somebody else's is queued, or its handler has run
    second, // any of these in the clean-up that the first cancellation caused
};

constexpr std::array<std::string_view, 6> anchor_names{
    "before", "during", "queued", "after", "other", "second"};

/// Cancellations strike at the moment itself and up to so many steps later.
constexpr int steps_later = 1;

/// What the plans of one anchor showed.
struct cell
{
    int struck = 0; // runs in which everything that was planned happened
    std::set<std::string> broken;
};

using cells = std::array<cell, anchor_names.size()>;

class table_row
{
public:
    explicit table_row(const mishap::manager& under_test) : under_test_(under_test)
    {
        const mishap::run_result calm = run("");
        cancel_everywhere("", calm);
        for (const mishap::operation_record& op : calm.trace.operations) {
            // What client 0 does and what is done for everybody: the other clients do no more than that.
            if (op.in_probe || op.role == mishap::role::force_close || op.id.lane > 0)
                continue;
            const std::string plan = fmt::format("{}=fail(io_error)", name_of(op));
            cancel_everywhere(plan, run(plan));
        }
    }

    const cells& result() const { return cells_; }

private:
    mishap::run_result run(const std::string& plan) const
    {
        return mishap::run(under_test_, mishap::parse_plan(plan));
    }

    static std::string name_of(const mishap::operation_record& op) { return mishap::to_string(op.id, true); }

    /// Runs a plan for that column, and notes what its last cancellation broke that was whole without it.
    mishap::run_result try_out(anchor column, const std::string& plan, const mishap::run_result& without)
    {
        mishap::run_result done = run(plan);
        cell& mine = cells_[static_cast<std::size_t>(column)];
        mine.struck += done.fired.perturbations.size() == done.plan.perturbations.size();
        for (const mishap::violation& broken : done.verdict.violations)
            if (!without.violates(broken.invariant))
                mine.broken.emplace(broken.invariant);
        return done;
    }

    /// Adds one cancellation to a plan, at every anchor of every operation of the plan's own run; and then a
    /// second one.
    void cancel_everywhere(const std::string& plan, const mishap::run_result& before)
    {
        for (const mishap::operation_record& op : before.trace.operations) {
            if (op.in_probe || op.role == mishap::role::force_close)
                continue;
            for (std::size_t i = 0; i < before.trace.outcomes.size(); ++i) {
                const auto client = static_cast<mishap::lane>(i);
                if (before.trace.outcomes[i].probe)
                    continue;
                const bool own = op.id.lane == client;
                const auto cancel = [&](anchor column, const char* when, int later = 0) {
                    return try_out(column, with(plan, client, when, op, later), before);
                };
                // An operation that has a fault is not kept from starting, nor does it have a second one.
                if (own && !op.perturbed) {
                    cancel_again(client, cancel(anchor::before, "before"));
                    cancel_again(client, cancel(anchor::during, "during"));
                }
                if (own) {
                    cancel_again(client, cancel(anchor::queued, "queued"));
                    cancel(anchor::after, "after");
                }
                for (int later = own ? 1 : 0; later <= steps_later; ++later) {
                    cancel(own ? anchor::queued : anchor::other, "queued", later);
                    cancel(own ? anchor::after : anchor::other, "after", later);
                }
            }
        }
    }

    /// Cancels the client once more, at each operation that it started after the first cancellation.
    void cancel_again(mishap::lane client, const mishap::run_result& first)
    {
        const mishap::index cancelled = first.trace.outcomes[static_cast<std::size_t>(client)].cancelled;
        const std::string plan = mishap::to_string(first.plan);
        for (const mishap::operation_record& op : first.trace.operations) {
            const bool follows = cancelled != mishap::none && op.id.lane == client &&
                                 op.started != mishap::none && op.started > cancelled;
            if (!follows || op.role == mishap::role::force_close || op.perturbed)
                continue;
            for (const char* when : {"before", "during", "queued", "after"})
                try_out(anchor::second, with(plan, client, when, op), first);
        }
    }

    static std::string with(const std::string& plan, mishap::lane client, const char* when,
        const mishap::operation_record& at, int later = 0)
    {
        return fmt::format("{} cancel({} {} {}{})", plan, mishap::lane_name(client), when, name_of(at),
            later > 0 ? fmt::format(" +{}", later) : std::string());
    }

    const mishap::manager& under_test_;
    cells cells_;
};

struct row
{
    std::string name;
    mishap::manager under_test;
    std::string rule = {}; // that a cancellation must find broken; empty where nothing is wrong
};

std::vector<row> all_rows()
{
    using m = mutex_flaw;
    using s = semaphore_flaw;
    using t = session_flaw;
    return {
        {"pool", pool_under_test()},
        {"- loses wake-up", pool_under_test<flaw::loses_wake_up_of_cancelled_waiter>(), "completes"},
        {"- leaves waiter queued", pool_under_test<flaw::leaves_timed_out_waiter_queued>(), "recovers"},
        {"- leaks slot", pool_under_test<flaw::leaks_slot_when_create_fails>(), "completes"},
        {"- recycles broken", pool_under_test<flaw::recycles_broken>(), "discards_broken"},
        {"- discards, wakes nobody", pool_under_test<flaw::discards_without_waking>(), "completes"},
        {"- closes unshielded", pool_under_test<flaw::closes_unshielded>(), "closes_everything"},
        {"- swallows cancellation", pool_under_test<flaw::swallows_cancellation_of_waiter>(),
            "swallows_no_error"},
        {"mutex", mutex_under_test()},
        {"mutex, patient", mutex_under_test(true)},
        {"- loses wake-up", mutex_under_test<m::loses_wake_up_of_cancelled_waiter>(), "completes"},
        {"- leaves waiter queued", mutex_under_test<m::leaves_cancelled_waiter_queued>(), "completes"},
        {"- stays locked", mutex_under_test<m::stays_locked_when_body_throws>(), "completes"},
        {"- unlocks twice", mutex_under_test<m::unlocks_twice_when_body_throws>(), "within_capacity"},
        {"- swallows cancellation", mutex_under_test<m::swallows_cancellation_of_waiter>(true),
            "swallows_no_error"},
        {"semaphore", semaphore_under_test()},
        {"- returns, wakes nobody", semaphore_under_test<s::returns_permit_without_waking>(), "completes"},
        {"- leaves waiter queued", semaphore_under_test<s::leaves_cancelled_waiter_queued>(), "completes"},
        {"- loses permit of create", semaphore_under_test<s::loses_permit_when_create_is_cancelled>(),
            "recovers"},
        {"- releases twice", semaphore_under_test<s::releases_twice_when_body_throws>(), "within_capacity"},
        {"- swallows cancellation", semaphore_under_test<s::swallows_cancellation_of_waiter>(),
            "swallows_no_error"},
        {"session", session_under_test()},
        {"session, by force", session_under_test<t::none_but_unshielded>()},
        {"- closes unshielded", session_under_test<t::closes_unshielded>(), "closes_everything"},
        {"- unshields once cancelled", session_under_test<t::unshields_once_cancelled>(),
            "closes_everything"},
        {"- close error replaces", session_under_test<t::close_error_replaces_body_error>(),
            "preserves_error"},
        {"- closes what never was", session_under_test<t::closes_what_was_never_opened>(),
            "closes_only_what_exists"},
        {"- skips its close", session_under_test<t::skips_close_when_cancelled>(), "closes_everything"},
        {"- swallows cancellation", session_under_test<t::swallows_cancellation>(), "swallows_no_error"},
    };
}

std::string print(const std::string& name, const cells& results)
{
    std::string line = fmt::format("{:28}", name);
    for (const cell& one : results)
        line += fmt::format(" {:32}", one.struck == 0      ? std::string("-")
                                      : one.broken.empty() ? std::string(".")
                                                           : fmt::format("{}", fmt::join(one.broken, "+")));
    return line + '\n';
}

TEST(anchors, find_every_flaw_that_a_cancellation_reveals_and_blame_nobody_else)
{
    std::string table = fmt::format("{:28}", "");
    for (const std::string_view name : anchor_names)
        table += fmt::format(" {:32}", name);
    table += '\n';
    for (const row& one : all_rows()) {
        const table_row tried(one.under_test);
        const cells& results = tried.result();
        table += print(one.name, results);
        SCOPED_TRACE(one.name);
        const bool alone = !one.under_test.promises.serves_clients();
        std::set<std::string> broken;
        for (std::size_t i = 0; i < results.size(); ++i) {
            broken.insert(results[i].broken.begin(), results[i].broken.end());
            // A column in which nothing struck would be empty for the wrong reason.
            const bool applies = !alone || anchor(i) != anchor::other;
            EXPECT_EQ(results[i].struck > 0, applies) << anchor_names[i];
        }
        const bool as_expected = one.rule.empty() ? broken.empty() : broken.contains(one.rule);
        EXPECT_TRUE(as_expected) << fmt::format("expected '{}', broke {}", one.rule, broken);
    }
    fmt::print("{}", table);
}

} // namespace
