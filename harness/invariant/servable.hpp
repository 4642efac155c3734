// SPDX-License-Identifier: MIT
#pragma once

#include "invariants.hpp"

#include <mishap/account.hpp>

#include <string>
#include <vector>

namespace mishap::detail {

/// What could serve a client that waits for its turn: an idle resource, or a free slot.
///
/// Complexity: one pass over operations and events; then constant, or linear in the resources.
class servable
{
public:
    /// Preconditions: the contract has a capacity.
    explicit servable(const evidence&);

    /// Whether it can be said at all what serves this client.
    bool is_known_for(lane) const;
    /// A resource that was idle at that event and serves this client, or `none`.
    index idle_for(lane, index at) const;
    /// Whether a slot was free at that event, which no client holds between two attempts, and which nothing
    /// in the background keeps free for a while after a failure.
    bool slot_is_free(index at) const;
    /// The last event by then at which something that the manager tried came to nothing, or `none`.
    index last_failure_by(index at) const;

    /// Words for what could have served the client at that event: "c0/conn#1 was idle", "a slot was free".
    /// Empty where there was nothing; a slot does not count where `pauses` says that it may be left free.
    std::string name(lane, index at, bool pauses, std::string_view verb) const;

private:
    void read_pauses();
    void read_weights();

    const evidence& e_;
    std::vector<index> failed_;          ///< ends of what came to nothing, in order
    std::vector<std::int32_t> retrying_; ///< by event: clients between two attempts
    std::vector<std::int32_t> cooling_;  ///< by event: tasks of the background between two attempts
    std::vector<std::int32_t> beyond_;   ///< by event: what clients inside take beyond one unit each
    std::int32_t needed_ = 1;            ///< the largest weight of a client, behind which others may wait
};

/// Whether this is something that the manager tries so that a client can be served: creating, or a step with
/// what was created, such as a handshake or a check.
bool is_attempt(const operation_record&);

} // namespace mishap::detail
