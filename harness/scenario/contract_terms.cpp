// SPDX-License-Identifier: MIT
#include "reader.hpp"

#include <mishap/contract.hpp>

namespace mishap::detail {

namespace {

/// One row per term: key, form, what holds without it, what it says, and how it is read.
constexpr key_row<contract> terms[] = {
    {"create_timeout", "DURATION", "",
        "a create that does not end is given up within [T, T + 1 us] of its start",
        [](const value& v, contract& c) { c.create_timeout = v.time(); }},
    {"create_attempts", "1..1000", "1",
        "so many creates may be tried, one after another that failed or beside one that is slow; they, and "
        "what is waited between them, share the create time-out",
        [](const value& v, contract& c) { c.create_attempts = v.number<std::uint32_t>(); }},
    {"deadline_per_attempt", "true|false", "false", "each attempt has a create time-out of its own",
        [](const value& v, contract& c) { c.deadline_per_attempt = v.flag(); }},
    {"use_timeout", "DURATION", "",
        "a use in the body that does not end is given up within [T, T + 1 us] of its start",
        [](const value& v, contract& c) { c.use_timeout = v.time(); }},
    {"other_timeout", "DURATION", "",
        "likewise for each other step of the manager's: a handshake or logout (a use outside of the body), a "
        "begin, commit, rollback, ping, acquire or release",
        [](const value& v, contract& c) { c.other_timeout = v.time(); }},
    {"whole_timeout", "DURATION", "",
        "a client has left its body, or given up waiting for a resource, within [T, T + 1 us] of its start",
        [](const value& v, contract& c) { c.whole_timeout = v.time(); }},
    {"close_timeout", "DURATION", "", "likewise for a close",
        [](const value& v, contract& c) { c.close_timeout = v.time(); }},
    {"acquire_timeout", "DURATION", "",
        "a client without a resource gives up within [T, T + 1 us] of its start",
        [](const value& v, contract& c) { c.acquire_timeout = v.time(); }},
    {"unbounded", "[acquire|create|close|other, ...]", "", "these phases may last for ever",
        [](const value& v, contract& c) {
            constexpr phase phases[] = {phase::acquire, phase::create, phase::close, phase::other};
            c.unbounded.clear();
            for (const std::size_t word : v.words("phase"))
                c.unbounded.push_back(phases[word]);
        }},
    {"capacity", "1..100", "",
        "so many resources may exist at once; makes it a manager that serves several clients",
        [](const value& v, contract& c) { c.capacity = v.number<std::uint32_t>(); }},
    {"waiters", "0..100", "0",
        "so many more clients may wait for a resource: of the fresh ones at the end as many more come, and "
        "all are served",
        [](const value& v, contract& c) { c.waiters = v.number<std::uint32_t>(); }},
    {"clients", "1..100", "1, or, with a capacity, two more than it", "how many run",
        [](const value& v, contract& c) { c.clients = v.number<std::uint32_t>(); }},
    {"shared", "true|false", "false",
        "one resource may be lent to several clients at once, all of whom may be told when it breaks",
        [](const value& v, contract& c) { c.shared = v.flag(); }},
    {"keyed", "true|false", "false",
        "a resource may be idle, or a slot free, while clients wait: not each resource serves every client",
        [](const value& v, contract& c) { c.keyed = v.flag(); }},
    {"pipelined", "true|false", "false", "operations may overlap on one resource",
        [](const value& v, contract& c) { c.pipelined = v.flag(); }},
    {"body_attempts", "1..1000", "1",
        "a client's body may be run so many times, again after it or the commit failed; of the attempts' "
        "errors only the last must reach the caller",
        [](const value& v, contract& c) { c.body_attempts = v.number<std::uint32_t>(); }},
    {"fair", "true|false", "false", "clients are served in the order in which they came",
        [](const value& v, contract& c) { c.fair = v.flag(); }},
    {"keeps_broken", "true|false", "false",
        "what is broken may be lent again: its health is not this manager's business, as with a lock",
        [](const value& v, contract& c) { c.keeps_broken = v.flag(); }},
    {"cancelled_use_breaks", "true|false", "false", "a resource whose use was cancelled in flight is broken",
        [](const value& v, contract& c) { c.cancelled_use_breaks = v.flag(); }},
    {"recovery_time", "DURATION", "the acquire time-out, else 60 s",
        "how long the fresh clients at the end may take",
        [](const value& v, contract& c) { c.recovery_time = v.time(); }},
    {"timeout_errors", "[ERROR, ...]", "timed_out", "with which a passed deadline is reported",
        [](const value& v, contract& c) { c.timeout_errors = v.errors(); }},
    {"close_error", "either|raised|reported", "either",
        "what becomes of a close error when nothing else went wrong",
        [](const value& v, contract& c) {
            c.close_error = static_cast<close_error_policy>(v.word("close_error policy"));
        }},
    {"close_attempts", "1..1000", "1", "so many closes of one resource, each after one that did not succeed",
        [](const value& v, contract& c) { c.close_attempts = v.number<std::uint32_t>(); }},
    {"idempotent_close", "true|false", "false", "what is closed may be closed again",
        [](const value& v, contract& c) { c.idempotent_close = v.flag(); }},
    {"forces_close", "true|false", "false",
        "a resource whose close failed, or was given up, is dropped by a `force_close`",
        [](const value& v, contract& c) { c.forces_close = v.flag(); }},
    {"closing_counts", "true|false", "false",
        "a resource counts against the capacity until its close has ended, not only until it starts",
        [](const value& v, contract& c) { c.closing_counts = v.flag(); }},
    {"suppresses", "[ERROR, ...]", "", "errors that the manager may swallow",
        [](const value& v, contract& c) { c.suppresses = v.errors(); }},
    {"refuses", "[ERROR, ...]", "",
        "with which a client may be refused before its body is entered: a full queue, an open breaker; where "
        "fresh clients are refused, as many come again after the recovery time, and must be served",
        [](const value& v, contract& c) { c.refuses = v.errors(); }},
    {"translates", "{ERROR: ERROR, ...}", "", "errors that the manager turns into others",
        [](const value& v, contract& c) {
            c.translates.clear();
            v.for_entries(
                "translates", [&](const reader& key, const std::string& from, const reader& becomes) {
                    const std::string to = becomes.text("an error");
                    key.expect_error(from);
                    becomes.expect_error(to);
                    c.translates.push_back({from, to});
                });
        }},
    {"survives_deaf", "true|false", "false",
        "what ignores being cancelled is given up, too; sweeps then have `deaf` and a long `late`",
        [](const value& v, contract& c) { c.survives_deaf = v.flag(); }},
    {"closed_by", "operation|destruction|either", "operation",
        "whether a close operation, the destruction of the resource's object, or either closes a resource",
        [](const value& v, contract& c) { c.closed_by = static_cast<closing>(v.word("way to be closed")); }},
    {"checks_are_told", "true|false", "false",
        "a check (`maintenance`) that fails in a client's lane, or is given up at its deadline, is told to "
        "that client, as of a lease that could not be renewed",
        [](const value& v, contract& c) { c.checks_are_told = v.flag(); }},
    {"reports_cleanup_errors", "true|false", "false",
        "an error of a close, rollback or release that yields to another one is given to the report sink; "
        "`close_error: reported` says so too",
        [](const value& v, contract& c) { c.reports_cleanup_errors = v.flag(); }},
    {"closes_in_any_order", "true|false", "false",
        "what one client was lent together may be closed in any order",
        [](const value& v, contract& c) { c.closes_in_any_order = v.flag(); }},
    {"close_rolls_back", "true|false", "false",
        "a transaction, or what was acquired, may be left to the close of its session; else only that of a "
        "broken one",
        [](const value& v, contract& c) { c.close_rolls_back = v.flag(); }},
    {"uses", "[NAME, ...]", "use", "the operations that the scripted body makes",
        [](const value& v, contract& c) {
            c.uses.clear();
            v.for_items("uses", [&](const reader& item) {
                const std::string name = item.text("the name of a use");
                if (!is_word(name))
                    item.refuse(fmt::format("'{}' is no name of an operation: letters, digits and _", name));
                c.uses.push_back(name);
            });
        }},
    {"grace", "DURATION", "0", "work that outlives the last client, such as a detached close, has so long",
        [](const value& v, contract& c) { c.grace = v.time(); }},
    {"executor", "single_threaded|concurrent", "single_threaded", "whether ready handlers keep their order",
        [](const value& v, contract& c) {
            c.executor = static_cast<executor_model>(v.word("executor model"));
        }},
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
