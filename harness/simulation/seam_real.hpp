// SPDX-License-Identifier: MIT
#pragma once
/// What the parts of the seam share.

#include "seam.hpp"

#include <dlfcn.h>
#include <pthread.h>
#include <time.h>

#include <cstring>

namespace mishap::detail {

/// The C library's own function, or a sanitizer's in front of it, which may be linked in beside ours. Looked
/// up on first use, not by a static initialiser: a user's global io_context may call ours before that would
/// have run.
template <class Function>
Function real(const char* name) noexcept
{
    char intercepted[64] = "__interceptor_";
    std::strncat(intercepted, name, sizeof intercepted - std::strlen(intercepted) - 1);
    void* const sanitizers = dlsym(RTLD_DEFAULT, intercepted);
    return reinterpret_cast<Function>(sanitizers ? sanitizers : dlsym(RTLD_NEXT, name));
}

/// Whether a sanitizer's runtime calls. UBSan's check of virtual calls looks whether memory can be read by
/// writing it to a pipe with raw system calls, so that must be a real one.
inline bool is_sanitizer(const void* caller) noexcept
{
    Dl_info where{};
    const auto names_one = [](const char* name, const char* part) { return name && std::strstr(name, part); };
    return dladdr(caller, &where) != 0 &&
           (names_one(where.dli_fname, "san.so") || names_one(where.dli_sname, "sanitizer"));
}

// Naming these pulls the other parts of the seam out of the archive together with the first.
void link_blocking() noexcept;
void link_readiness() noexcept;
void link_random() noexcept;
void link_sockets() noexcept;
void link_threads() noexcept;

timespec to_timespec(duration) noexcept;
duration to_duration(const timespec&) noexcept;

/// What the kernel's `getrandom` does. Returns how many bytes it wrote: all of them.
long draw_random_bytes(seam& here, void* into, std::size_t size) noexcept;

/// A call that blocks the thread waits until something happens in the network, or until that time. Returns
/// false where the time has come or nothing can ever happen, and true where something may have changed.
bool let_time_pass(seam& here, duration until, const char* call) noexcept;

/// Names a call that would wait for what comes on a real descriptor, unless something outside may send it.
void name_real_wait(int number, const char* call) noexcept;
/// `fcntl` with F_SETLKW or F_OFD_SETLKW; names one that would wait.
int lock_record(int number, int command, void* lock) noexcept;

/// A blocked thread lets time pass: the code that asked goes on when it meant to, and timers are late, as
/// they would be. A helper thread only waits.
void sleep_until(seam& here, duration until, const char* call) noexcept;
void sleep_for(seam& here, duration how_long, const char* call) noexcept;
/// Virtual time at which a clock reads that value.
duration when(clockid_t clock, const timespec& absolute) noexcept;
/// The thread waits for somebody else to wake it, and leaves that mutex, if any, meanwhile.
void wait_for_others(const seam& here, const char* call, pthread_mutex_t* leaves = nullptr) noexcept;

} // namespace mishap::detail
