// SPDX-License-Identifier: MIT
#pragma once

#include "invariants.hpp"

#include <mishap/account.hpp>

#include <optional>
#include <vector>

namespace mishap::detail {

/// Finds clients that waited, for a while and not for ever, although they need not have.
///
/// Complexity: one pass over the events; then, for each client, over its own operations.
class waits_in_vain
{
public:
    /// Preconditions: the contract has a capacity.
    explicit waits_in_vain(const evidence&);

    /// The client slept while a resource was idle or a slot free, and something that came later woke it.
    void judge_lost_wake_up(lane, violations&) const;
    /// The client was cancelled in the line, and went on waiting.
    void judge_unheard_cancellation(lane, violations&) const;

private:
    bool could_serve(index at, const std::optional<duration>& failed) const;
    bool is_terminal(index struck) const;

    const evidence& e_;
    std::vector<index> idle_at_; ///< events after which time passed although somebody could be served
    std::vector<index> woken_;   ///< by client: the first thing it did, or `none`
};

} // namespace mishap::detail
