// SPDX-License-Identifier: MIT
#pragma once

#include <mishap/account.hpp>
#include <mishap/contract.hpp>
#include <mishap/plan.hpp>
#include <mishap/trace.hpp>

#include <exception>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mishap {

/// A rule that was broken, once.
struct violation
{
    std::string_view invariant;
    /// One sentence about this run.
    std::string sentence;
    mishap::lane lane = 0;
    /// What it concerns, for "the same violation" while shrinking; `none` where it concerns a client.
    index resource = none;
    mishap::role role = role::body;
    /// Events that prove it, each with a remark for the timeline.
    struct evidence
    {
        index event;
        std::string remark;
    };
    std::vector<evidence> proof;
    std::string expected;
    std::string actual;
};

/// All violations of one run.
struct verdict
{
    std::vector<violation> violations;

    bool holds() const noexcept { return violations.empty(); }
    bool violates(std::string_view invariant) const noexcept;
};

/// What an invariant judges. It sees values only: nothing of the simulation, nothing of Asio.
struct evidence
{
    const mishap::contract& contract;
    const fault_plan& plan;
    const mishap::trace& trace;
    /// What the trace comes to: waits, reasons, stays, and what was to be had.
    const mishap::account& account;
    /// By client: its hang or escape is reported already, and what followed in its lane is consequence.
    std::vector<bool> consequence;

    bool excused(lane) const noexcept;

    /// How sentences name things: `session.query#2`, `session#1`, `client 0`, `io_error (raised by
    /// session.query#2)`.
    std::string name_of(const operation_record&) const;
    std::string name_of(const resource_record&) const;
    std::string name_of_client(lane) const;
    std::string name_of(const std::exception_ptr&) const;

    /// A violation that this operation is, in its lane and on its resource, with its start as the proof.
    violation broken_by(const operation_record&, std::string sentence) const;
};

/// A named rule.
struct invariant
{
    std::string_view name;
    std::string_view rule;
    void (*judge)(const evidence&, std::vector<violation>&) = nullptr;
    /// Judged also where a run is narrowed to other invariants.
    bool always = false;
};

/// Every invariant, in the order in which a report lists violations: mishap's own, then registered ones.
std::span<const invariant> invariants() noexcept;

/// Makes a rule known by name, for the whole process: every run is judged by it.
///
/// What it throws is a violation of it. What it finds in a lane that is `excused` is left out, as are proofs
/// that are no event of the trace.
/// Preconditions: called before the first run (a static initialiser is the usual place: `MISHAP_INVARIANT`).
/// Errors: throws `input_error` for a name that is taken or is not made of `a-z`, `0-9` and `_`, and for a
/// missing rule or function.
void register_invariant(const invariant&);

/// The invariants of these names; none for none, which stands for all.
///
/// Errors: throws `input_error` for an unknown name, naming the nearest match and all that are known.
std::vector<const invariant*> select_invariants(std::span<const std::string> names);

/// Judges a finished run by all invariants, or only by these and those that are judged `always`.
///
/// Verdict hygiene: for a client that hung against its contract, and for a lane from which an exception
/// escaped, that alone is reported.
verdict judge(const contract&, const fault_plan&, const trace&, std::span<const invariant* const> only = {});

namespace detail {

/// Registers in a static initialiser: what is refused is one of `registration_errors`, and every run throws
/// it.
struct invariant_registration
{
    invariant_registration(const invariant&, std::string_view file, int line);
};

/// What was refused.
const std::vector<std::string>& invariant_errors() noexcept;

} // namespace detail
} // namespace mishap

/// Registers a rule of your own, which every run is judged by.
///
/// ```
/// MISHAP_INVARIANT(creates_once, "one resource is enough", const mishap::evidence& e,
///     std::vector<mishap::violation>& found)
/// {
///     int created = 0;
///     for (const mishap::operation_record& op : e.trace.operations)
///         if (op.role == mishap::role::create && ++created > 1)
///             found.push_back(e.broken_by(op, e.name_of(op) + " is one resource too many"));
/// }
/// ```
///
/// The first argument is the name (an identifier of `a-z`, `0-9` and `_`), the second the rule in one
/// sentence, the rest the parameters of the function that follows. Restrictions: as `MISHAP_MANAGER`.
#define MISHAP_INVARIANT(name, rule, ...)                                                                    \
    static void mishap_invariant_##name(__VA_ARGS__);                                                        \
    static const ::mishap::detail::invariant_registration mishap_invariant_registration_##name(              \
        {#name, rule, &mishap_invariant_##name}, __FILE__, __LINE__);                                        \
    static void mishap_invariant_##name(__VA_ARGS__)
