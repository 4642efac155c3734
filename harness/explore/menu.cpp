// SPDX-License-Identifier: MIT
#include "menu.hpp"

#include "vocabulary/wire_errors.hpp"

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
    return !fault{.kind = kind}.hangs() && !fault{.kind = kind}.cancels_client() && kind != fault_kind::late;
}

std::vector<fault> default_kinds()
{
    return {fault::fail("io_error"), fault::fail("foreign"), fault::fail_after_effect("io_error"),
        fault::hang(), fault::delay(duration(0)), fault::late(duration(0)), fault::cancel(),
        fault::cancel_after_effect(), fault::hang_after_effect()};
}

bool holds_back(const fault_plan& plan, const operation_id& at)
{
    return std::any_of(plan.perturbations.begin(), plan.perturbations.end(),
        [&](const perturbation& p) { return p.yields() && p.at == at; });
}

} // namespace

menu::menu(const sweep_options& options, const contract& promises)
    : promises_(promises), by_default_(options.kinds.empty()),
      kinds_(by_default_ ? default_kinds() : options.kinds),
      abandons_(options.abandon || (by_default_ && promises.work.abandonable)),
      deviates_(options.deviate || (by_default_ && promises.work.abandonable)),
      a_while_(std::min<duration>(
          std::max<duration>(std::chrono::minutes(1), 2 * promises.time.recovery.value_or(duration(0))),
          options.limits.horizon.value_or(std::chrono::hours(24)) / 4))
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
    if (here.wire != wire_call::none && by_default_) {
        for (const fault& fitted : wire_faults(here))
            all.push_back({.at = here.id, .what = operation_fault{told_apart(plan, fitted, here.wire)}});
        return all;
    }
    for (const fault& kind : kinds_)
        for (const fault& fitted : fit(kind, here))
            all.push_back({.at = here.id, .what = operation_fault{told_apart(plan, fitted, here.wire)}});
    return all;
}

namespace {

/// How the plainest failure of all comes about on a socket.
fault as_of(wire_call call, fault plainest)
{
    if (call != wire_call::none && plainest.error == plain)
        plainest.error = plain_error(call);
    return plainest;
}

} // namespace

/// Two sites do not fail with the same value: where a manager keeps nothing of an error but that, it
/// tells which of them the caller saw.
fault menu::told_apart(const fault_plan& plan, const fault& kind, wire_call wire) const
{
    // Who tries again because of an error must be able to meet it twice.
    if (promises_.attempts.create > 1 || promises_.attempts.body > 1 || promises_.attempts.close > 1)
        return kind;
    struct substitute
    {
        symbol error;
        symbol other;
    };
    static const substitute substitutes[] = {{plain, "access_denied"}, {breaking, "connection_aborted"},
        {"connection_refused", "network_unreachable"}, {"host_not_found", "host_not_found_try_again"}};
    const bool fails = kind.kind == fault_kind::fail || kind.kind == fault_kind::fail_after_effect;
    fault changed = kind;
    for (const auto& [error, other] : substitutes) {
        const auto has_it = [&](const perturbation& p) { return p.is_fault() && p.fault().error == error; };
        if (fails && kind.error == error && (error != breaking || wire != wire_call::none) &&
            std::any_of(plan.perturbations.begin(), plan.perturbations.end(), has_it))
            changed.error = other;
    }
    return changed;
}

/// What a network does to a call on a socket.
std::vector<fault> menu::wire_faults(const place& here) const
{
    const auto append_timing = [&](std::vector<fault>& to) {
        to.push_back(fault::hang());
        for (const fault& delay : fit(fault::delay(duration(0)), here))
            to.push_back(delay);
        for (const fault& cancelled : fit(fault::cancel(), here))
            to.push_back(cancelled);
    };
    std::vector<fault> all;
    switch (here.wire) {
    case wire_call::socket:
        return {fault::fail("too_many_files")};
    case wire_call::connect:
        all = {fault::fail("connection_refused"), fault::fail("host_unreachable")};
        for (const duration deadline : here.deadlines)
            if (deadline != duration(0))
                all.push_back(fault::fail("connection_refused", deadline));
        append_timing(all);
        return all;
    case wire_call::accept:
        return {fault::fail("too_many_files"), fault::fail("connection_aborted")};
    case wire_call::receive:
        all = {fault::fail(breaking), fault::fail_after_effect(breaking), fault::fail("end_of_file"),
            fault::one_byte()};
        append_timing(all);
        return all;
    case wire_call::send:
        all = {fault::fail(breaking), fault::fail_after_effect(breaking), fault::one_byte()};
        append_timing(all);
        return all;
    case wire_call::resolve:
        all = {fault::fail("host_not_found"), fault::hang()};
        for (const fault& delay : fit(fault::delay(duration(0)), here))
            all.push_back(delay);
        return all;
    case wire_call::none:
    case wire_call::shutdown:
    case wire_call::close:
        break;
    }
    return {};
}

std::vector<perturbation> menu::plain_choices(const place& here, const fault_plan& plan) const
{
    std::vector<perturbation> all;
    if (here.boundary)
        return all;
    for (const fault& kind : kinds_)
        if (kind == fault::fail(plain) || kind == fault::hang() || kind == fault::cancel())
            if (!fit(kind, here).empty())
                all.push_back({.at = here.id,
                    .what = operation_fault{told_apart(plan, as_of(here.wire, kind), here.wire)}});
    return all;
}

std::vector<perturbation> menu::choices_at(
    const place& here, std::span<const duration> instants, const fault_plan& plan) const
{
    std::vector<perturbation> all;
    for (const duration when : instants) {
        const auto& known = here.deadlines;
        if (std::find(known.begin(), known.end(), when) != known.end())
            continue;
        for (const fault& what : {fault::late(when), as_of(here.wire, fault::fail(plain, when))})
            all.push_back({.at = here.id, .what = operation_fault{told_apart(plan, what, here.wire)}});
    }
    return all;
}

bool menu::tries_again() const noexcept
{
    return promises_.serves_clients() || promises_.attempts.create > 1 || promises_.attempts.body > 1 ||
           promises_.attempts.close > 1;
}

std::vector<menu::outage> menu::outages(
    const fault_plan& plan, const trace& happened, index from, index arrival) const
{
    std::vector<outage> all;
    const bool fails = std::find(kinds_.begin(), kinds_.end(), fault::fail(plain)) != kinds_.end();
    if (!fails || !by_default_ || !plan.perturbations.empty() || !tries_again())
        return all;
    // Where clients wait without a deadline they would do so until the horizon.
    constexpr std::uint32_t a_dozen = 12;
    const bool bounded = promises_.time.acquire || promises_.time.whole || promises_.attempts.create > 1;
    const auto strikes = [&](const operation_id& at, wire_call wire, bool every_lane) {
        operation_id first = at;
        first.occurrence = first.attempt = 1;
        if (every_lane)
            first.lane = 0; // of any
        repetition repeats{.every_lane = every_lane};
        if (!bounded)
            repeats.last = a_dozen;
        return perturbation{.at = first, .what = operation_fault{as_of(wire, fault::fail(plain)), repeats}};
    };
    const auto place_of = [&](const operation_record& op) {
        return place{.position = op.position,
            .id = op.id,
            .what = op.role,
            .prefix_hash = op.prefix_hash,
            .step = happened.events[op.started].step};
    };
    lane last = 0;
    for (const operation_record& op : happened.operations)
        if (!op.in_probe)
            last = std::max(last, op.id.lane);
    std::vector<operation_id> names; // of what has its outage
    std::vector<perturbation> peer_gone;
    const operation_record* first_of_last = nullptr;
    for (const operation_record& op : happened.operations) {
        if (op.in_probe || op.started == none || op.role == role::force_close || op.role == role::body)
            continue;
        if (arrival != none && op.id.lane == last && op.position >= arrival && !first_of_last)
            first_of_last = &op;
        const bool known = std::any_of(names.begin(), names.end(),
            [&](const operation_id& id) { return id.kind == op.id.kind && id.name == op.id.name; });
        if (known)
            continue;
        names.push_back(op.id);
        if (op.role != role::close) {
            operation_id mine = op.id;
            mine.lane = last;
            peer_gone.push_back(strikes(mine, op.wire, false));
        }
        if (op.position < from)
            continue;
        outage& one = all.emplace_back(outage{place_of(op), {}});
        if (arrival == none) {
            one.what.push_back(strikes(op.id, op.wire, true));
            continue;
        }
        // Whoever came before meets it, and nobody else.
        for (lane client = background_lane; client < last; ++client) {
            operation_id theirs = op.id;
            theirs.lane = client;
            one.what.push_back(strikes(theirs, op.wire, false));
        }
    }
    // What was left idle is of no use any more, and nothing new is to be had.
    if (first_of_last)
        all.push_back({place_of(*first_of_last), std::move(peer_gone)});
    return all;
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
    case fault_kind::cancel_after_effect:
    case fault_kind::hang_after_effect: {
        // What a client or its deadline gave up may have come about all the same.
        const bool begins =
            here.what == role::begin || here.what == role::acquire || here.what == role::commit;
        const bool fits = begins || (!by_default_ && here.what != role::create);
        return fits && (here.id.lane >= 0 || !kind.cancels_client()) ? std::vector<fault>{kind}
                                                                     : std::vector<fault>();
    }
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

std::string menu::beyond_the_default() const
{
    std::vector<std::string> words;
    if (!by_default_)
        for (const fault& kind : kinds_)
            words.push_back(to_string(kind));
    else if (promises_.work.survives_deaf)
        words.emplace_back("deaf operations");
    if (abandons_)
        words.emplace_back("abandonment");
    if (deviates_)
        words.emplace_back("deviations of the schedule");
    return words.empty() ? std::string()
                         : fmt::format("{} {}", by_default_ ? ", with" : " of", fmt::join(words, ", "));
}

std::span<const coverage_row> default_coverage()
{
    static constexpr coverage_row rows[] = {
        {"fail io_error",
            "each operation, and each use in a body; at once, and at each deadline that the contract "
            "gives, or else that the run armed a timer for"},
        {"fail foreign", "likewise, at once: an exception that derives from nothing"},
        {"fail connection_reset", "uses and checks, where several clients share what may break"},
        {"fail after effect", "closes and commits: done, but the reply is lost"},
        {"hang", "each operation: it ends when it is cancelled"},
        {"delay",
            "each operation: until a microsecond before each deadline, and until it; without any, a minute"},
        {"late", "each operation: cancelled, it ends at the deadline all the same, or a microsecond later"},
        {"cancel", "each client, at each step of the run and in each of its operations"},
        {"cancel, hang after effect", "begins, acquires and commits: given up, though they came about"},
        {"an outage", "where anybody tries again or several clients come: all operations of one name fail"},
        {"clients one by one",
            "where several come: in turns, in relays, and the last one after an idle while"},
        {"capacity 1", "where the adapter reads a setting `capacity` and the contract gives more than one"},
        {"faults of a network",
            "sockets of the code under test: refused, unreachable, reset before and after a message, end of "
            "file, one byte at a time, names not found, no descriptors left"},
        {"deaf, late by an hour", "with `survives_deaf` in the contract"},
        {"abandonment, deviations",
            "with `abandonable` in the contract, or `--also abandon,deviate`: a client's coroutine, or the "
            "whole world, is destroyed at each step; an operation lets another client go first"},
    };
    return rows;
}

std::span<const coverage_row> claims_of_completeness()
{
    static constexpr coverage_row rows[] = {
        {"every plan of at most N perturbations",
            "each set of N of the above was run, also those at operations that exist only since others "
            "failed; an outage counts as one"},
        {"of equal operations",
            "the first 16 were struck (`occurrences_max`), and there were no more; clients were interrupted "
            "until then"},
        {"clients",
            "at once, in turns, in relays, and with the last one a while later; as many as the contract "
            "or the scenario says"},
        {"schedules",
            "first come, first served; under `all P`, besides, each with at most P operations held back, "
            "each until any number of steps of another client, or until nothing else is ready"},
        {"times", "a microsecond before each deadline, at it, and after it: no others"},
        {"what was left out",
            "what would go on from a run like one that was followed: event for event, at the same steps and "
            "of the same causes, with faults at the same operations, and nothing of its plan still to come; "
            "`--check-pruning` runs that, too, and compares"},
        {"not claimed",
            "races between threads, values that operations return, and what happens below the fakes"},
    };
    return rows;
}

} // namespace mishap::detail
