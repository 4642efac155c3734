// SPDX-License-Identifier: MIT
#include "menu.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>

namespace mishap::detail {

namespace {

const symbol plain{"io_error"};
const symbol breaking{"connection_reset"};

/// Whether a synchronous call can do this at all, and differently from what is tried anyway: nobody can
/// cancel it, so `late` is `delay`, and `cancel` strikes at the boundary after its step.
bool fits_blocking_call(fault_kind kind)
{
    return kind != fault_kind::hang && kind != fault_kind::deaf && kind != fault_kind::late &&
           kind != fault_kind::cancel;
}

std::vector<fault> default_kinds()
{
    return {fault::fail("io_error"), fault::fail("foreign"), fault::fail_after_effect("io_error"),
        fault::hang(), fault::delay(duration(0)), fault::late(duration(0)), fault::cancel()};
}

bool holds_back(const fault_plan& plan, const operation_id& at)
{
    return std::any_of(plan.perturbations.begin(), plan.perturbations.end(),
        [&](const perturbation& p) { return p.yields() && p.at == at; });
}

} // namespace

menu::menu(const sweep_options& options, const contract& promises)
    : promises_(promises), by_default_(options.kinds.empty()),
      kinds_(by_default_ ? default_kinds() : options.kinds), abandons_(options.abandon),
      deviates_(options.deviate),
      a_while_(std::min<duration>(std::chrono::minutes(1), options.limits.horizon / 4))
{
    if (by_default_ && promises_.work.survives_deaf) {
        kinds_.push_back(fault::deaf());
        kinds_.push_back(fault::late(std::chrono::hours(1)));
    }
    if (by_default_ && promises_.capacity.resources && !promises_.work.keeps_broken)
        kinds_.push_back(fault::fail(breaking));
    cancels_ = std::any_of(
        kinds_.begin(), kinds_.end(), [](const fault& f) { return f.kind == fault_kind::cancel; });
}

std::vector<perturbation> menu::choices(
    const place& here, const std::vector<presence>& clients, const fault_plan& plan) const
{
    std::vector<perturbation> all;
    if (here.boundary) {
        const auto interrupt = [&](interruption::action what, lane client) {
            all.push_back({.at = {},
                .what =
                    interruption{.what = what, .client = client, .when = moment::steps, .steps = here.step}});
        };
        for (std::size_t client = 0; client < clients.size(); ++client) {
            if (!clients[client].has(here.step))
                continue;
            if (cancels_)
                interrupt(interruption::action::cancel, static_cast<lane>(client));
            if (abandons_)
                interrupt(interruption::action::abandon, static_cast<lane>(client));
        }
        if (abandons_)
            interrupt(interruption::action::abandon, whole_world);
        return all;
    }
    // Only what completes by itself can be held back.
    if (deviates_ && here.what != role::body && !here.blocking && !holds_back(plan, here.id))
        for (std::size_t client = 0; client < clients.size(); ++client) {
            const auto first = static_cast<lane>(client);
            // A client that has gone, or has not come, cannot go first.
            if (first != here.id.lane && here.step < clients[client].to)
                all.push_back({.at = here.id, .what = deviation{.first = first}});
        }
    for (const fault& kind : kinds_)
        for (const fault& fitted : fit(kind, here))
            all.push_back({.at = here.id, .what = operation_fault{told_apart(plan, fitted)}});
    return all;
}

/// Two sites do not fail with the same value: where a manager keeps nothing of an error but that, it
/// tells which of them the caller saw.
fault menu::told_apart(const fault_plan& plan, const fault& kind) const
{
    // Who tries again because of an error must be able to meet it twice.
    if (promises_.attempts.create > 1 || promises_.attempts.body > 1 || promises_.attempts.close > 1)
        return kind;
    static const symbol other("access_denied");
    const bool fails = kind.kind == fault_kind::fail || kind.kind == fault_kind::fail_after_effect;
    const bool taken = std::any_of(plan.perturbations.begin(), plan.perturbations.end(),
        [&](const perturbation& p) { return p.is_fault() && p.fault().error == plain; });
    fault changed = kind;
    if (fails && kind.error == plain && taken)
        changed.error = other;
    return changed;
}

std::optional<std::pair<place, perturbation>> menu::outage(
    const fault_plan& plan, const trace& happened, index from) const
{
    if (!by_default_ || !plan.perturbations.empty() ||
        (!promises_.serves_clients() && promises_.attempts.create == 1))
        return std::nullopt;
    const auto first = std::find_if(happened.operations.begin(), happened.operations.end(),
        [](const operation_record& op) { return op.role == role::create && !op.in_probe; });
    if (first == happened.operations.end() || first->started == none || first->position < from)
        return std::nullopt;
    place where{.position = first->position,
        .id = first->id,
        .what = first->role,
        .prefix_hash = first->prefix_hash,
        .step = happened.events[first->started].step};
    // Where clients wait without a deadline they would do so until the horizon.
    constexpr std::uint32_t a_dozen = 12;
    const bool bounded = promises_.time.acquire || promises_.time.whole || promises_.attempts.create > 1;
    repetition all{.every_lane = true};
    if (!bounded)
        all.last = a_dozen;
    operation_id every = first->id;
    every.occurrence = 1;
    every.lane = 0; // of any
    return std::pair{where, perturbation{.at = every, .what = operation_fault{fault::fail(plain), all}}};
}

/// What a kind means at an operation of that role; nothing where it means nothing.
std::vector<fault> menu::fit(const fault& kind, const place& here) const
{
    if (here.blocking && !fits_blocking_call(kind.kind))
        return {};
    switch (kind.kind) {
    case fault_kind::ok:
        return {};
    case fault_kind::fail_after_effect:
        // A reply that is lost matters where the effect does. (A create whose reply is lost is nobody's
        // to close.)
        if (here.what == role::close || here.what == role::commit)
            return {kind};
        return by_default_ ? std::vector<fault>() : std::vector<fault>{kind};
    case fault_kind::empty:
        return here.what == role::create ? std::vector<fault>{kind} : std::vector<fault>();
    case fault_kind::cancel:
        return here.id.lane < 0 ? std::vector<fault>() : std::vector<fault>{kind};
    case fault_kind::delay:
    case fault_kind::late: {
        if (kind.after != duration(0))
            return {kind};
        constexpr duration tick = std::chrono::microseconds(1);
        if (here.deadlines.empty()) {
            // Long enough for what goes on in the background, or beside it.
            if ((here.what == role::use || here.what == role::create) && kind.kind == fault_kind::delay)
                return {fault::delay(a_while_)};
            return {};
        }
        const duration nearest = here.deadlines.front();
        std::vector<fault> delays;
        if (kind.kind == fault_kind::late) {
            // Any later would be as deaf.
            return {fault::late(nearest), fault::late(nearest + tick)};
        }
        if (nearest >= tick)
            delays.push_back(fault::delay(nearest - tick));
        for (const duration deadline : here.deadlines)
            delays.push_back(fault::delay(deadline));
        return delays;
    }
    case fault_kind::fail: {
        // What breaks a resource matters where it may be lent again.
        if (by_default_ && kind.error == breaking && here.what != role::use && here.what != role::maintenance)
            return {};
        std::vector<fault> failures{kind};
        if (by_default_ && kind.error == plain && !here.blocking)
            for (const duration deadline : here.deadlines)
                if (deadline != duration(0))
                    failures.push_back(fault::fail(kind.error, deadline));
        return failures;
    }
    default:
        return {kind};
    }
}

std::string menu::description() const
{
    std::vector<std::string> words;
    for (const fault& kind : kinds_)
        words.push_back(
            kind.kind == fault_kind::delay && kind.after == duration(0) ? "delay up to the deadlines"
            : by_default_ && kind == fault::fail(plain) ? to_string(kind) + ", at once and at the deadlines"
            : by_default_ && kind.error == breaking     ? to_string(kind) + " (uses and pings)"
            : kind.kind == fault_kind::late && kind.after == duration(0)
                ? "late at the deadline and by a microsecond"
            : kind.kind == fault_kind::cancel ? "cancellation of any client at any step"
                                              : to_string(kind));
    return fmt::format("{}", fmt::join(words, ", "));
}

} // namespace mishap::detail
