// SPDX-License-Identifier: MIT
#include "reader.hpp"

#include <mishap/contract.hpp>
#include <mishap/duration.hpp>

namespace mishap::detail {

namespace {

/// One row per term: key, form, what holds without it, what it says, how it is read, and the member it sets.
/// They stand in the order of the members, group by group.
constexpr key_row<contract> terms[] = {
    {"create_timeout", "DURATION", "",
        "a create that does not end is given up within [T, T + 1 us] of its start",
        [](const value& v, contract& c) { c.time.create = v.time(); }, "time.create"},
    {"use_timeout", "DURATION", "",
        "a use in the body that does not end is given up within [T, T + 1 us] of its start",
        [](const value& v, contract& c) { c.time.use = v.time(); }, "time.use"},
    {"close_timeout", "DURATION", "", "likewise for a close",
        [](const value& v, contract& c) { c.time.close = v.time(); }, "time.close"},
    {"acquire_timeout", "DURATION", "",
        "a client without a resource gives up within [T, T + 1 us] of its start",
        [](const value& v, contract& c) { c.time.acquire = v.time(); }, "time.acquire"},
    {"whole_timeout", "DURATION", "",
        "a client has left its body, or given up waiting for a resource, within [T, T + 1 us] of its start",
        [](const value& v, contract& c) { c.time.whole = v.time(); }, "time.whole"},
    {"other_timeout", "DURATION", "",
        "likewise for each other step of the manager's: a handshake or logout (a use outside of the body), "
        "a begin, commit, rollback, ping, acquire or release",
        [](const value& v, contract& c) { c.time.other = v.time(); }, "time.other"},
    {"operation_timeouts", "{KIND.NAME: DURATION, ...}", "",
        "deadlines of these operations, in place of that of their role",
        [](const value& v, contract& c) {
            c.time.operations.clear();
            v.for_entries("operation_timeouts", [&](const reader&, const std::string& operation,
                                                    const reader& limit) {
                c.time.operations.push_back({operation,
                    limit.parse("a duration", [](const std::string& text) { return parse_duration(text); })});
            });
        },
        "time.operations"},
    {"clean_up_timeout", "DURATION", "",
        "a client's clean-up ends within [T, T + 1 us] of the start of its first step, whatever its steps",
        [](const value& v, contract& c) { c.time.clean_up = v.time(); }, "time.clean_up"},
    {"deadline_per_attempt", "true|false", "false", "each attempt has a create timeout of its own",
        [](const value& v, contract& c) { c.time.per_attempt = v.flag(); }, "time.per_attempt"},
    {"recovery_time", "DURATION", "the acquire timeout, else 60 s",
        "how long the fresh clients at the end may take",
        [](const value& v, contract& c) { c.time.recovery = v.time(); }, "time.recovery"},
    {"grace", "DURATION", "0", "work that outlives the last client, such as a detached close, has this long",
        [](const value& v, contract& c) { c.time.grace = v.time(); }, "time.grace"},
    {"timeout_errors", "[ERROR, ...]", "timed_out", "with which a passed deadline is reported",
        [](const value& v, contract& c) { c.time.errors = v.errors(); }, "time.errors"},
    {"unbounded", "[acquire|create|close|other, ...]", "", "these phases may last for ever",
        [](const value& v, contract& c) {
            constexpr phase phases[] = {phase::acquire, phase::create, phase::close, phase::other};
            c.time.unbounded.clear();
            for (const std::size_t word : v.words("phase"))
                c.time.unbounded.push_back(phases[word]);
        },
        "time.unbounded"},
    {"capacity", "1..100", "",
        "the maximum number of resources; makes it a manager that serves several clients",
        [](const value& v, contract& c) { c.capacity.resources = v.number<std::uint32_t>(); },
        "capacity.resources"},
    {"clients", "1..100", "1, or, with a capacity, two more than it", "how many run",
        [](const value& v, contract& c) { c.capacity.clients = v.number<std::uint32_t>(); },
        "capacity.clients"},
    {"waiters", "0..100", "0",
        "this many more clients may wait for a resource: of the fresh ones at the end as many more come, "
        "and all are served",
        [](const value& v, contract& c) { c.capacity.waiters = v.number<std::uint32_t>(); },
        "capacity.waiters"},
    {"shared", "true|false", "false",
        "one resource may be lent to several clients at once, all of whom may be told when it breaks",
        [](const value& v, contract& c) { c.capacity.shared = v.flag(); }, "capacity.shared"},
    {"together", "[MODE+MODE, ...]", "",
        "clients of these modes may hold one resource at once, as with `read+read`; see `client::mode`",
        [](const value& v, contract& c) {
            c.capacity.together.clear();
            v.for_items("together", [&](const reader& item) {
                const std::string text = item.text("two modes");
                const auto plus = text.find('+');
                if (plus == std::string::npos || !is_word(text.substr(0, plus)) ||
                    !is_word(text.substr(plus + 1)))
                    item.refuse(fmt::format("'{}' is no pair of modes such as read+read", text));
                c.capacity.together.emplace_back(text.substr(0, plus), text.substr(plus + 1));
            });
        },
        "capacity.together"},
    {"keyed", "true|false", "false",
        "a resource may be idle, or a slot free, while clients wait: not each resource serves every client",
        [](const value& v, contract& c) { c.capacity.keyed = v.flag(); }, "capacity.keyed"},
    {"fair", "true|false", "false", "clients are served in the order in which they came",
        [](const value& v, contract& c) { c.capacity.fair = v.flag(); }, "capacity.fair"},
    {"creates_max", "1..1000000", "", "no more creates are started, in the run or within `creates_within`",
        [](const value& v, contract& c) { c.capacity.creates = v.number<std::uint32_t>(); },
        "capacity.creates"},
    {"creates_within", "DURATION", "", "the time for which `creates_max` counts",
        [](const value& v, contract& c) { c.capacity.creates_within = v.time(); }, "capacity.creates_within"},
    {"wastes_nothing", "true|false", "false",
        "what was created is lent before a client closes it, unless something went wrong",
        [](const value& v, contract& c) { c.capacity.wastes_nothing = v.flag(); }, "capacity.wastes_nothing"},
    {"closing_counts", "true|false", "false",
        "a resource counts against the capacity until its close has ended, not only until it starts",
        [](const value& v, contract& c) { c.capacity.closing_counts = v.flag(); }, "capacity.closing_counts"},
    {"create_attempts", "1..1000|unlimited", "1",
        "this many creates may be tried, one after another that failed or beside one that is slow; they, "
        "and what is waited between them, share the create timeout",
        [](const value& v, contract& c) {
            c.attempts.create = v.node().IsScalar() && v.node().Scalar() == "unlimited"
                                    ? attempt_terms::unlimited
                                    : v.number<std::uint32_t>();
        },
        "attempts.create"},
    {"body_attempts", "1..1000", "1",
        "a client's body may be run this many times, again after it or the commit failed; of the attempts' "
        "errors only the last must reach the caller",
        [](const value& v, contract& c) { c.attempts.body = v.number<std::uint32_t>(); }, "attempts.body"},
    {"close_attempts", "1..1000", "1",
        "this many closes of one resource, each after one that did not succeed",
        [](const value& v, contract& c) { c.attempts.close = v.number<std::uint32_t>(); }, "attempts.close"},
    {"close_error", "either|raised|reported", "either",
        "what becomes of a close error when nothing else went wrong",
        [](const value& v, contract& c) {
            c.errors.close = static_cast<close_error_policy>(v.word("close_error policy"));
        },
        "errors.close"},
    {"suppresses", "[ERROR, ...]", "", "errors that the manager may swallow",
        [](const value& v, contract& c) { c.errors.suppresses = v.errors(); }, "errors.suppresses"},
    {"refuses", "[ERROR, ...]", "",
        "with which a client may be refused before its body is entered: a full queue, an open breaker; where "
        "fresh clients are refused, as many come again after the recovery time, and must be served",
        [](const value& v, contract& c) { c.errors.refuses = v.errors(); }, "errors.refuses"},
    {"ended", "[ERROR, ...]", "",
        "with which clients are refused when the manager has ended for good: fresh clients need not be "
        "served then",
        [](const value& v, contract& c) { c.errors.ended = v.errors(); }, "errors.ended"},
    {"translates", "{ERROR: ERROR, ...}", "", "errors that the manager turns into others",
        [](const value& v, contract& c) {
            c.errors.translates.clear();
            v.for_entries(
                "translates", [&](const reader& key, const std::string& from, const reader& becomes) {
                    const std::string to = becomes.text("an error");
                    key.expect_error(from);
                    becomes.expect_error(to);
                    c.errors.translates.push_back({from, to});
                });
        },
        "errors.translates"},
    {"cancelled_errors", "[ERROR, ...]", "",
        "with which a client that was cancelled may end, besides `operation_aborted`",
        [](const value& v, contract& c) { c.errors.cancelled = v.errors(); }, "errors.cancelled"},
    {"reports_cleanup_errors", "true|false", "false",
        "an error of a close, rollback or release that yields to another one is given to the report sink; "
        "`close_error: reported` says so too",
        [](const value& v, contract& c) { c.errors.reports_cleanup = v.flag(); }, "errors.reports_cleanup"},
    {"checks_are_told", "true|false", "false",
        "a check (`maintenance`) that fails in a client's lane, or is given up at its deadline, is told to "
        "that client, as of a lease that could not be renewed",
        [](const value& v, contract& c) { c.errors.checks_are_told = v.flag(); }, "errors.checks_are_told"},
    {"closed_by", "operation|destruction|either", "operation",
        "whether a close operation, the destruction of the resource's object, or either closes a resource",
        [](const value& v, contract& c) { c.closing.by = static_cast<closing>(v.word("way to be closed")); },
        "closing.by"},
    {"idempotent_close", "true|false", "false", "what is closed may be closed again",
        [](const value& v, contract& c) { c.closing.idempotent = v.flag(); }, "closing.idempotent"},
    {"forces_close", "true|false", "false",
        "a resource whose close failed, or was given up, is dropped by a `force_close`",
        [](const value& v, contract& c) { c.closing.forced = v.flag(); }, "closing.forced"},
    {"closes_in_any_order", "true|false", "false",
        "what one client was lent together may be closed in any order",
        [](const value& v, contract& c) { c.closing.any_order = v.flag(); }, "closing.any_order"},
    {"close_rolls_back", "true|false", "false",
        "a transaction, or what was acquired, may be left to the close of its session; else only that of a "
        "broken one",
        [](const value& v, contract& c) { c.closing.rolls_back = v.flag(); }, "closing.rolls_back"},
    {"uses", "[NAME, ...]", "use", "the operations that the scripted body makes",
        [](const value& v, contract& c) {
            c.work.uses.clear();
            v.for_items("uses", [&](const reader& item) {
                const std::string name = item.text("the name of a use");
                if (!is_word(name))
                    item.refuse(fmt::format("'{}' is no name of an operation: letters, digits and _", name));
                c.work.uses.push_back(name);
            });
        },
        "work.uses"},
    {"pipelined", "true|false", "false", "operations may overlap on one resource",
        [](const value& v, contract& c) { c.work.pipelined = v.flag(); }, "work.pipelined"},
    {"keeps_broken", "true|false", "false",
        "what is broken may be lent again: its health is not this manager's business, as with a lock",
        [](const value& v, contract& c) { c.work.keeps_broken = v.flag(); }, "work.keeps_broken"},
    {"cancelled_use_breaks", "true|false", "false", "a resource whose use was cancelled in flight is broken",
        [](const value& v, contract& c) { c.work.cancelled_use_breaks = v.flag(); },
        "work.cancelled_use_breaks"},
    {"survives_deaf", "true|false", "false",
        "what ignores being cancelled is given up, too; sweeps then have `deaf` and a long `late`",
        [](const value& v, contract& c) { c.work.survives_deaf = v.flag(); }, "work.survives_deaf"},
    {"abandonable", "true|false", "false",
        "clients may be destroyed where they are suspended; sweeps then abandon them, and depart from first "
        "come, first served, by default",
        [](const value& v, contract& c) { c.work.abandonable = v.flag(); }, "work.abandonable"},
    {"executor", "single_threaded|concurrent", "single_threaded", "whether ready handlers keep their order",
        [](const value& v, contract& c) {
            c.work.executor = static_cast<executor_model>(v.word("executor model"));
        },
        "work.executor"},
};

} // namespace

void read_contract(const reader& at, contract& into)
{
    read_keys(at, "contract", terms, into);
    if (const std::string why = contradiction(into); !why.empty())
        at.refuse(why);
}

key_section contract_section() { return section_of("contract", terms); }

} // namespace mishap::detail
