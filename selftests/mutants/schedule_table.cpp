// SPDX-License-Identifier: MIT
// Prints, for each mutant, how many runs each way to choose plans and schedules takes to find it, as a table
// in Markdown: `harness/dev schedules`. Of what is drawn it is the median of several seeds.

#include "managers.hpp"

#include <mishap/explore.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace {

using namespace mutants;

constexpr std::uint64_t runs_max = 10'000;
constexpr std::uint64_t cases_max = 2'000;
constexpr std::uint64_t seeds = 5;

/// Zero stands for never.
std::string told(std::uint64_t runs) { return runs == 0 ? "-" : std::to_string(runs); }

std::uint64_t by_sweep(const mishap::manager& under_test, unsigned perturbations, unsigned preemptions)
{
    return mishap::sweep(
        under_test, {.perturbations = perturbations, .runs_max = runs_max, .preemptions = preemptions})
        .first_violation;
}

std::uint64_t by_chance(const mishap::manager& under_test, const mishap::drawn_schedule& schedule)
{
    std::vector<std::uint64_t> found;
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        const std::uint64_t first =
            mishap::random_campaign(under_test, {.cases = cases_max, .seed = seed, .schedule = schedule})
                .first_violation;
        found.push_back(first == 0 ? UINT64_MAX : first);
    }
    std::sort(found.begin(), found.end());
    return found[seeds / 2] == UINT64_MAX ? 0 : found[seeds / 2];
}

void row(const char* what, const mishap::manager& under_test)
{
    using mishap::schedule_kind;
    fmt::print("| {} `{}` | {} | {} | {} | {} | {} | {} |\n", under_test.name, what,
        told(by_sweep(under_test, 2, 0)), told(by_sweep(under_test, 1, 1)), told(by_chance(under_test, {})),
        told(by_chance(under_test, {.kind = schedule_kind::random})),
        told(by_chance(under_test, {.kind = schedule_kind::pct, .depth = 2})),
        told(by_chance(under_test, {.kind = schedule_kind::pct, .depth = 3})));
    std::fflush(stdout);
}

} // namespace

int main()
{
    fmt::print(
        "| mutant | sweep of 2, FIFO | sweep of 1, `all 1` | random, FIFO | random, `random` | random, "
        "`pct 2` | random, `pct 3` |\n|---|---|---|---|---|---|---|\n");
#define POOL(name) row(#name, pool_under_test<flaw::name>())
#define MUTEX(name) row(#name, mutex_under_test<mutex_flaw::name>())
#define SEMAPHORE(name) row(#name, semaphore_under_test<semaphore_flaw::name>())
    POOL(none);
    POOL(leaks_slot_when_create_fails);
    POOL(creates_beyond_capacity);
    POOL(loses_wake_up_of_cancelled_waiter);
    POOL(leaves_timed_out_waiter_queued);
    POOL(recycles_broken);
    POOL(discards_without_waking);
    POOL(fails_to_create_without_waking);
    POOL(gives_back_twice);
    POOL(closes_unshielded);
    POOL(serves_last_waiter_first);
    MUTEX(none);
    MUTEX(loses_wake_up_of_cancelled_waiter);
    MUTEX(leaves_cancelled_waiter_queued);
    MUTEX(loses_lock_of_cancelled_newcomer);
    MUTEX(stays_locked_when_body_throws);
    MUTEX(barges);
    MUTEX(serves_last_waiter_first);
    MUTEX(lets_two_in);
    MUTEX(resumes_inside_unlock);
    SEMAPHORE(none);
    SEMAPHORE(returns_permit_without_waking);
    SEMAPHORE(leaves_cancelled_waiter_queued);
    SEMAPHORE(counts_down_on_wake);
    SEMAPHORE(sleeps_without_looking_again);
    SEMAPHORE(loses_permit_when_create_fails);
    SEMAPHORE(loses_permit_granted_at_the_deadline);
}
