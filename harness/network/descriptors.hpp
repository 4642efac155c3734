// SPDX-License-Identifier: MIT
#pragma once
/// Numbers for sockets in memory: real ones, so that nothing else in the process gets them, with nothing
/// behind them.

namespace mishap::network {

/// Takes the lowest number that is free, or -1 with `errno` set where the process may have no more.
///
/// A number is made with a system call when none is free, and kept for good. A call of the kernel's that
/// mishap does not know about fails with `EBADF` on it.
/// Thread safety: any thread may call.
int take_descriptor() noexcept;

/// Gives a number back, to be taken again.
void return_descriptor(int number) noexcept;

/// Whether this number was ever taken here: nobody may close it, whether it is in use or not.
bool is_reserved(int number) noexcept;

} // namespace mishap::network
