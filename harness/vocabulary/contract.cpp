// SPDX-License-Identifier: MIT
#include <mishap/contract.hpp>
#include <mishap/duration.hpp>
#include <mishap/error.hpp>
#include <mishap/input_error.hpp>
#include <mishap/operation.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace mishap {

std::string_view to_string(phase p) noexcept
{
    switch (p) {
    case phase::acquire:
        return "acquire";
    case phase::create:
        return "create";
    case phase::close:
        return "close";
    case phase::body:
        return "body";
    case phase::other:
        return "other";
    }
    return "?";
}

std::string_view to_string(close_error_policy policy) noexcept
{
    switch (policy) {
    case close_error_policy::either:
        return "either";
    case close_error_policy::raised:
        return "raised";
    case close_error_policy::reported:
        return "reported";
    }
    return "?";
}

std::string_view to_string(closing how) noexcept
{
    switch (how) {
    case closing::operation:
        return "operation";
    case closing::destruction:
        return "destruction";
    case closing::either:
        return "either";
    }
    return "?";
}

std::string_view to_string(executor_model model) noexcept
{
    return model == executor_model::concurrent ? "concurrent" : "single_threaded";
}

bool contract::is_unbounded(phase p) const noexcept
{
    return std::find(time.unbounded.begin(), time.unbounded.end(), p) != time.unbounded.end();
}

std::string contradiction(const contract& promises)
{
    // Sums of a few times must not overflow.
    constexpr duration longest = std::chrono::hours(50 * 365 * 24);
    const auto check = [&](const std::optional<duration>& timeout, phase p) -> std::string {
        if (!timeout)
            return {};
        if (*timeout <= duration(0))
            return fmt::format("{}_timeout is {}: a timeout is longer than nothing", to_string(p),
                timeout->count() < 0 ? "negative" : "0s");
        if (*timeout > longest)
            return fmt::format("{}_timeout is over 50 years", to_string(p));
        if (promises.is_unbounded(p))
            return fmt::format(
                "the {} phase has a timeout of {} and is declared unbounded too: say one of them",
                to_string(p), to_string(*timeout));
        return {};
    };
    if (std::string why = check(promises.time.create, phase::create); !why.empty())
        return why;
    if (std::string why = check(promises.time.close, phase::close); !why.empty())
        return why;
    if (std::string why = check(promises.time.acquire, phase::acquire); !why.empty())
        return why;
    if (std::string why = check(promises.time.use, phase::body); !why.empty())
        return why;
    if (std::string why = check(promises.time.other, phase::other); !why.empty())
        return why;
    for (const duration d : {promises.time.whole.value_or(duration(0)),
             promises.time.recovery.value_or(duration(0)), promises.time.grace})
        if (d > longest)
            return "a time of whole_timeout, recovery_time or grace is over 50 years";
    if (promises.time.whole && *promises.time.whole <= duration(0))
        return "whole_timeout is not positive: a timeout is longer than nothing";
    if (promises.attempts.create == 0 || promises.attempts.close == 0)
        return "create_attempts and close_attempts are one at least: the first attempt is one";
    if (promises.time.per_attempt && !promises.time.create)
        return "deadline_per_attempt is set without a create_timeout: there is no deadline to give";
    if (promises.time.clean_up && *promises.time.clean_up <= duration(0))
        return "clean_up_timeout is not positive: a timeout is longer than nothing";
    for (const time_terms::of_operation& one : promises.time.operations) {
        const auto point = one.operation.find('.');
        if (point == std::string::npos || !is_word(one.operation.substr(0, point)) ||
            !is_word(one.operation.substr(point + 1)))
            return fmt::format(
                "'{}' of operation_timeouts is no operation: write kind.name, as in plans", one.operation);
        if (one.limit <= duration(0) || one.limit > longest)
            return fmt::format("the timeout of {} is not positive, or over 50 years", one.operation);
    }
    if (promises.capacity.creates_within && !promises.capacity.creates)
        return "creates_within is set without creates_max: there is nothing to count";
    if (promises.capacity.creates && *promises.capacity.creates == 0)
        return "creates_max is 0: nobody could ever be served";
    for (const auto* const names : {&promises.errors.suppresses, &promises.errors.refuses,
             &promises.errors.ended, &promises.errors.cancelled, &promises.time.errors})
        for (const std::string& name : *names)
            if (!find_error(name))
                return unknown_word("error", name, error_names());
    for (const error_terms::translation& t : promises.errors.translates)
        for (const std::string& name : {t.from, t.to})
            if (!find_error(name))
                return unknown_word("error", name, error_names());
    if (promises.capacity.resources && *promises.capacity.resources == 0)
        return "capacity is 0: nobody could ever be served";
    if (promises.capacity.waiters != 0 && !promises.capacity.resources)
        return "waiters is set without a capacity: there is nothing to wait for";
    for (const auto& [set, term] :
        {std::pair(promises.capacity.fair, "fair"), std::pair(promises.capacity.shared, "shared")})
        if (set && !promises.serves_clients())
            return fmt::format(
                "{} is set for a manager of one client: say which capacity it has, or how many clients",
                term);
    if (promises.work.keeps_broken && promises.work.cancelled_use_breaks)
        return "keeps_broken and cancelled_use_breaks are both set: say one of them";
    if (promises.attempts.body == 0)
        return "body_attempts is 0: the body could never run";
    if (promises.time.grace < duration(0))
        return "grace is negative";
    if (promises.time.errors.empty())
        return "timeout_errors is empty: a manager with a timeout has to fail with something";
    return {};
}

} // namespace mishap
