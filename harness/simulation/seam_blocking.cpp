// SPDX-License-Identifier: MIT
// The part of the seam that names what waits for the world outside: real descriptors, locks of files and
// processes. What can be had at once is; what cannot would keep the thread, and the simulation, for ever.

#include "seam.hpp"
#include "seam_real.hpp"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace mishap::detail {

void link_blocking() noexcept {}

namespace {

/// Whether nobody outside may be waited for, as where the test does not allow it.
const seam* closed_seam() noexcept
{
    const seam* const here = active_seam();
    return here && here->observer && !here->observer->may_be_answered() ? here : nullptr;
}

bool gives_up_by_itself(int number) noexcept
{
    timeval patience{};
    socklen_t length = sizeof patience;
    return ::getsockopt(number, SOL_SOCKET, SO_RCVTIMEO, &patience, &length) == 0 &&
           (patience.tv_sec != 0 || patience.tv_usec != 0);
}

void name_start_of_process(const char* call) noexcept
{
    if (const seam* const here = active_seam(); here && here->observer)
        here->observer->leaves(call);
}

} // namespace

void name_real_wait(int number, const char* call) noexcept
{
    const seam* const here = closed_seam();
    if (!here)
        return;
    static const auto look = real<int (*)(pollfd*, nfds_t, int)>("poll");
    pollfd one{.fd = number, .events = POLLIN, .revents = 0};
    if (look(&one, 1, 0) != 0 || (fcntl(number, F_GETFL) & O_NONBLOCK) != 0)
        return;
    if (gives_up_by_itself(number))
        here->observer->blocks(call);
    else
        wait_for_others(*here, call);
}

int lock_record(int number, int command, void* lock) noexcept
{
    static const auto next = real<int (*)(int, int, ...)>("fcntl");
    if (const seam* const here = closed_seam()) {
        const int taken = next(number, command == F_SETLKW ? F_SETLK : F_OFD_SETLK, lock);
        if (taken == 0 || (errno != EAGAIN && errno != EACCES))
            return taken;
        wait_for_others(*here, "fcntl (a part of a file that is locked already)");
    }
    return next(number, command, lock);
}

} // namespace mishap::detail

using namespace mishap::detail;

extern "C" {

int flock(int number, int operation) noexcept
{
    static const auto next = real<int (*)(int, int) noexcept>("flock");
    const seam* const here = closed_seam();
    if (here && (operation & (LOCK_NB | LOCK_UN)) == 0) {
        const int taken = next(number, operation | LOCK_NB);
        if (taken == 0 || errno != EWOULDBLOCK)
            return taken;
        wait_for_others(*here, "flock (a file that is locked already)");
    }
    return next(number, operation);
}

pid_t wait4(pid_t child, int* status, int options, rusage* used) noexcept
{
    static const auto next = real<pid_t (*)(pid_t, int*, int, rusage*) noexcept>("wait4");
    const seam* const here = closed_seam();
    if (here && (options & WNOHANG) == 0) {
        const pid_t ended = next(child, status, options | WNOHANG, used);
        if (ended != 0)
            return ended;
        wait_for_others(*here, "waitpid (a process that goes on)");
    }
    return next(child, status, options, used);
}

pid_t waitpid(pid_t child, int* status, int options)
{
    static const auto next = real<pid_t (*)(pid_t, int*, int)>("waitpid");
    return active_seam() ? wait4(child, status, options, nullptr) : next(child, status, options);
}

pid_t wait(int* status)
{
    static const auto next = real<pid_t (*)(int*)>("wait");
    return active_seam() ? wait4(-1, status, 0, nullptr) : next(status);
}

int posix_spawn(pid_t* child, const char* path, const posix_spawn_file_actions_t* actions,
    const posix_spawnattr_t* attributes, char* const arguments[], char* const environment[])
{
    static const auto next = real<int (*)(pid_t*, const char*, const posix_spawn_file_actions_t*,
        const posix_spawnattr_t*, char* const*, char* const*)>("posix_spawn");
    name_start_of_process("a process was started (posix_spawn)");
    return next(child, path, actions, attributes, arguments, environment);
}

int posix_spawnp(pid_t* child, const char* file, const posix_spawn_file_actions_t* actions,
    const posix_spawnattr_t* attributes, char* const arguments[], char* const environment[])
{
    static const auto next = real<int (*)(pid_t*, const char*, const posix_spawn_file_actions_t*,
        const posix_spawnattr_t*, char* const*, char* const*)>("posix_spawnp");
    name_start_of_process("a process was started (posix_spawnp)");
    return next(child, file, actions, attributes, arguments, environment);
}

int system(const char* command)
{
    static const auto next = real<int (*)(const char*)>("system");
    name_start_of_process("a process was started (system)");
    return next(command);
}

FILE* popen(const char* command, const char* mode)
{
    static const auto next = real<FILE* (*)(const char*, const char*)>("popen");
    name_start_of_process("a process was started (popen)");
    return next(command, mode);
}

} // extern "C"
