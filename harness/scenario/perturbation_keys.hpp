// SPDX-License-Identifier: MIT
#pragma once
/// The keys of a scenario that choose something against its manager, and say when its clients come.

#include "reader.hpp"

namespace mishap::detail {

/// `faults: {session.query: fail io_error, body: fail io_error after session.query#2}`.
void read_faults(const reader& at, scenario& into);

/// `cancel: session.query`, or `cancel: {at: session.query, when: queued, type: partial, client: 1}`.
void read_cancellations(const reader& at, scenario& into);

/// As `cancel`, without a type, and with `client: world`.
void read_abandonments(const reader& at, scenario& into);

/// `schedule: run c1 before c0/session.close`.
void read_schedule(const reader& at, scenario& into);

/// `arrivals: sequential` or `relay`, or when single clients come: `arrivals: {c1: 2s}`. Preconditions: the
/// contract and the number of clients have been read.
void read_arrivals(const value& at, scenario& into);

key_section cancel_section();
key_section abandon_section();

} // namespace mishap::detail
