// SPDX-License-Identifier: MIT
#pragma once
/// The exceptions about what clients are told and how long they wait: one table, which the rules, `mishap
/// list waivers` and the README share.

#include <mishap/account.hpp>

#include <span>

namespace mishap::detail {

/// A reason of a client's, among all that it has.
struct reason_in_question
{
    const account& of;
    const client_account& client;
    std::span<const reason> all;
    const reason& one;
};

/// Each predicate says whether the waiver applies; a waiver lacks those for questions it has no say in.
struct waiver_row : waiver
{
    /// A client need not be told of this reason.
    bool (*of_reason)(const reason_in_question&) = nullptr;
    /// A client may end with its error, which hides `owed`; or, without `owed`, which no reason explains.
    bool (*of_ending)(const account&, const client_account&, const reason* owed) = nullptr;
    /// A wait may end later than its deadline.
    bool (*of_late)(const account&, const wait&) = nullptr;
    /// A wait may be given up before its deadline.
    bool (*of_early)(const account&, const wait&) = nullptr;
    /// Somebody may have waited in vain then, or what was to be closed stayed open.
    bool (*of_keeping)(const account&, const interval&) = nullptr;
    /// A client may still wait for its turn when nothing can happen any more.
    bool (*of_rest)(const account&, lane, index rest) = nullptr;
};

std::span<const waiver_row> waiver_table() noexcept;

/// Whether a client may end as it did, although that hides the reason that it owed, or fits none.
bool may_end(const account&, const client_account&, const reason* owed);
bool may_be_late(const account&, const wait&);
bool may_be_early(const account&, const wait&);
/// Whether something may have been kept from others during that time.
bool may_be_kept(const account&, const interval&);
/// Whether this client may wait for its turn for ever.
bool may_wait_for_ever(const account&, lane, index rest);

/// Whether a reason is the registered error of that name, by what was injected, or else by what it is.
bool is_named(const trace&, const reason&, symbol name);

/// The last thing that this client did before that event, or `none`.
index last_act_before(const trace&, lane, index event);

/// Whether operations of this role clean up.
inline bool cleans_up(role what) noexcept
{
    return what == role::close || what == role::rollback || what == role::release;
}

/// Whether a create succeeded with a null handle.
inline bool yielded_nothing(const operation_record& op) noexcept
{
    return op.role == role::create && op.fault.kind == fault_kind::empty && op.result == result::ok;
}

/// Whether something other than a deadline of its contract went wrong for this client by that event, of which
/// it must be told, or was.
bool has_other_reason(const account&, const client_account&, index by);

} // namespace mishap::detail
