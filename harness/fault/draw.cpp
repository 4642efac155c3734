// SPDX-License-Identifier: MIT
#include "draw.hpp"

#include "vocabulary/mix.hpp"
#include "vocabulary/wire_errors.hpp"

#include <chrono>
#include <iterator>

namespace mishap::detail {

namespace {

/// Around the deadline that the operation may meet, where most of what goes wrong with time goes wrong.
duration draw_duration(const contract& promises, const operation_record& op, std::uint64_t parameter)
{
    const auto& deadline = op.role == role::close ? promises.time.close
                           : promises.time.create ? promises.time.create
                                                  : promises.time.acquire;
    const duration near = deadline.value_or(std::chrono::seconds(1));
    const duration choices[] = {near - std::chrono::microseconds(1), near,
        near + std::chrono::microseconds(1), near / 2, std::chrono::milliseconds(1 + parameter % 1000)};
    return choices[(parameter >> 32) % std::size(choices)];
}

/// The index of the kind on which `pick` falls, where each kind is as wide as its weight.
fault_kind pick_kind(const lazy_faults& lazy, std::uint64_t pick)
{
    std::size_t kind = 1;
    while (pick >= lazy.weights[kind])
        pick -= lazy.weights[kind++];
    return static_cast<fault_kind>(kind);
}

} // namespace

std::optional<fault> draw(const lazy_faults& lazy, const contract& promises, const operation_record& op)
{
    const std::uint64_t hash = mix(lazy.seed, hash_of(op.id));
    if (hash % 1000 >= lazy.per_mille)
        return std::nullopt;
    std::uint64_t total = 0;
    for (std::size_t kind = 1; kind < fault_kinds; ++kind)
        total += lazy.weights[kind];
    if (total == 0)
        return std::nullopt;
    const fault_kind kind = pick_kind(lazy, mix(hash, 1) % total);
    const std::uint64_t parameter = mix(hash, 2);
    switch (kind) {
    case fault_kind::ok:
        break;
    case fault_kind::ok_now:
        return fault::ok_now();
    case fault_kind::hang:
        return fault::hang();
    case fault_kind::deaf:
        return fault::deaf();
    case fault_kind::empty:
        return op.role == role::create ? std::optional(fault::empty()) : std::nullopt;
    case fault_kind::bad_alloc:
        return fault::bad_alloc();
    case fault_kind::cancel:
        return fault::cancel();
    case fault_kind::cancel_after_effect:
        return fault::cancel_after_effect();
    case fault_kind::hang_after_effect:
        return fault::hang_after_effect();
    case fault_kind::one_byte:
        return op.wire != wire_call::none ? std::optional(fault::one_byte()) : std::nullopt;
    case fault_kind::late:
        return fault::late(draw_duration(promises, op, parameter));
    case fault_kind::fail_after_effect:
    case fault_kind::fail: {
        static const symbol errors[] = {
            "io_error", "io_error", "connection_reset", "timed_out", "value_error", "foreign"};
        const bool takes_time = (parameter >> 16) % 4 == 0;
        symbol error = errors[parameter % std::size(errors)];
        if (op.wire != wire_call::none && errno_of(error, op.wire == wire_call::resolve) == 0)
            error = plain_error(op.wire);
        return fault{.kind = kind,
            .error = error,
            .after = takes_time ? draw_duration(promises, op, parameter) : duration(0)};
    }
    case fault_kind::delay:
        return fault::delay(draw_duration(promises, op, parameter));
    }
    return std::nullopt;
}

} // namespace mishap::detail
