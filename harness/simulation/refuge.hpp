// SPDX-License-Identifier: MIT
#pragma once
/// What becomes of a run that must not go on: it is left where it stands, and the program lives.

#include <exception>

namespace mishap::detail {

/// How `take_refuge` ended.
struct rescue
{
    bool left = false;        ///< `leave_run` was called, or std::terminate
    bool terminated = false;  ///< it was std::terminate
    std::exception_ptr cause; ///< the exception that was under way then, or null
};

/// Calls `what(with)`, on this thread. When std::terminate is called meanwhile, on this thread, nothing that
/// it had begun goes on: its frames are neither unwound nor destroyed, but stay in memory for good, and this
/// function returns. Asio's and the C++ runtime's notes on the thread (who runs on it, which exceptions are
/// under way) are those from before the call.
///
/// Jumping over frames that own something is undefined by the language, and works with GCC's and Clang's
/// runtimes on Linux; the alternative is a dead test program.
rescue take_refuge(void (*what)(void*), void* with);

/// Leaves what `take_refuge` called last, as std::terminate does. Returns only where it was not called.
void leave_run() noexcept;

} // namespace mishap::detail
