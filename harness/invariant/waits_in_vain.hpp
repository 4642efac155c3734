// SPDX-License-Identifier: MIT
#pragma once

#include "invariants.hpp"
#include "servable.hpp"

#include <mishap/account.hpp>

#include <optional>
#include <vector>

namespace mishap::detail {

/// Finds clients that waited, for a while and not for ever, although they need not have.
///
/// Complexity: one pass over the events, and over the keys of clients where time passes.
class waits_in_vain
{
public:
    /// Preconditions: the contract has a capacity.
    explicit waits_in_vain(const evidence&);

    /// The client slept while a resource was idle or a slot free, and something that came later woke it.
    void judge_lost_wake_up(lane, violations&) const;

private:
    struct line
    {
        symbol key;
        std::vector<index> idle_at; ///< events after which time passed although somebody could be served
    };

    void find_keys();
    bool offers_slot(index at, const std::optional<duration>& failed) const;

    const evidence& e_;
    const servable could_;
    std::vector<line> lines_;
    std::vector<index> woken_; ///< by client: the first thing it did, or `none`
};

/// The client was cancelled where it waited for nothing that is an operation, and went on waiting.
void judge_unheard_cancellation(const evidence&, lane, violations&);

} // namespace mishap::detail
