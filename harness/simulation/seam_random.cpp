// SPDX-License-Identifier: MIT
// Randomness: what libc, libstdc++ and the kernel hand out is the same in each run, as time is. A program
// that draws from any of them is tested with one sequence of numbers, so that equal plans give equal runs.

// Checked variants of `open` would be defined twice.
#undef _FORTIFY_SOURCE

#include "seam_real.hpp"

#include "vocabulary/mix.hpp"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <cstdarg>
#include <cstdint>
#include <random>

namespace mishap::detail {

void link_random() noexcept {}

namespace {

std::uint64_t next_number(seam& here) noexcept { return mix(0x6d697368'61700000u, ++here.numbers_drawn); }

/// As `rand` and `random` do: 31 bits.
long next_positive(seam& here) noexcept { return static_cast<long>(next_number(here) >> 33); }

void fill(seam& here, void* into, std::size_t size) noexcept
{
    auto* bytes = static_cast<unsigned char*>(into);
    while (size > 0) {
        const std::uint64_t number = next_number(here);
        const std::size_t count = std::min(size, sizeof number);
        memcpy(bytes, &number, count);
        bytes += count;
        size -= count;
    }
}

bool is_random_device(const char* path) noexcept
{
    return path && (strcmp(path, "/dev/urandom") == 0 || strcmp(path, "/dev/random") == 0);
}

/// A file in memory in the device's place, with more bytes than a seed takes; it is a real descriptor, so
/// that reading and closing it need no part of the seam.
int open_numbers(seam& here, int flags) noexcept
{
    constexpr std::size_t size = 16 * 1024;
    const int descriptor = memfd_create("random", (flags & O_CLOEXEC) ? MFD_CLOEXEC : 0u);
    if (descriptor < 0)
        return descriptor;
    unsigned char bytes[1024];
    for (std::size_t written = 0; written < size; written += sizeof bytes) {
        fill(here, bytes, sizeof bytes);
        if (write(descriptor, bytes, sizeof bytes) != static_cast<ssize_t>(sizeof bytes))
            break;
    }
    lseek(descriptor, 0, SEEK_SET);
    return descriptor;
}

} // namespace

/// Whether a run is under way, whose sequence of numbers this chooses.
static bool is_seeded(unsigned seed) noexcept
{
    seam* const here = active_seam();
    if (here)
        here->numbers_drawn = std::uint64_t(seed) << 32;
    return here != nullptr;
}

/// For the calls that go straight to the kernel: what `getrandom` would return.
long draw_random_bytes(seam& here, void* into, std::size_t size) noexcept
{
    fill(here, into, size);
    return static_cast<long>(size);
}

} // namespace mishap::detail

// std::random_device asks the processor and not libc. Weak, so that a program that links libstdc++ statically
// keeps that one's.
__attribute__((weak)) std::random_device::result_type std::random_device::_M_getval()
{
    if (auto* here = mishap::detail::active_seam())
        return static_cast<result_type>(mishap::detail::next_number(*here));
    static const auto next =
        mishap::detail::real<result_type (*)(std::random_device*)>("_ZNSt13random_device9_M_getvalEv");
    return next(this);
}

extern "C" {

ssize_t getrandom(void* into, size_t size, unsigned flags)
{
    if (auto* here = mishap::detail::active_seam()) {
        mishap::detail::fill(*here, into, size);
        return static_cast<ssize_t>(size);
    }
    static const auto next = mishap::detail::real<ssize_t (*)(void*, size_t, unsigned)>("getrandom");
    return next(into, size, flags);
}

int getentropy(void* into, size_t size)
{
    if (auto* here = mishap::detail::active_seam()) {
        if (size > 256) {
            errno = EIO;
            return -1;
        }
        mishap::detail::fill(*here, into, size);
        return 0;
    }
    static const auto next = mishap::detail::real<int (*)(void*, size_t)>("getentropy");
    return next(into, size);
}

int rand() noexcept
{
    if (auto* here = mishap::detail::active_seam())
        return static_cast<int>(mishap::detail::next_positive(*here));
    static const auto next = mishap::detail::real<int (*)() noexcept>("rand");
    return next();
}

void srand(unsigned seed) noexcept
{
    if (mishap::detail::is_seeded(seed))
        return;
    static const auto next = mishap::detail::real<void (*)(unsigned) noexcept>("srand");
    next(seed);
}

long random() noexcept
{
    if (auto* here = mishap::detail::active_seam())
        return mishap::detail::next_positive(*here);
    static const auto next = mishap::detail::real<long (*)() noexcept>("random");
    return next();
}

void srandom(unsigned seed) noexcept
{
    if (mishap::detail::is_seeded(seed))
        return;
    static const auto next = mishap::detail::real<void (*)(unsigned) noexcept>("srandom");
    next(seed);
}

std::uint32_t arc4random() noexcept
{
    if (auto* here = mishap::detail::active_seam())
        return static_cast<std::uint32_t>(mishap::detail::next_number(*here));
    static const auto next = mishap::detail::real<std::uint32_t (*)() noexcept>("arc4random");
    return next();
}

void arc4random_buf(void* into, size_t size) noexcept
{
    if (auto* here = mishap::detail::active_seam())
        return mishap::detail::fill(*here, into, size);
    static const auto next = mishap::detail::real<void (*)(void*, size_t) noexcept>("arc4random_buf");
    next(into, size);
}

std::uint32_t arc4random_uniform(std::uint32_t bound) noexcept
{
    if (auto* here = mishap::detail::active_seam())
        return bound == 0 ? 0 : static_cast<std::uint32_t>(mishap::detail::next_number(*here) % bound);
    static const auto next =
        mishap::detail::real<std::uint32_t (*)(std::uint32_t) noexcept>("arc4random_uniform");
    return next(bound);
}

int open(const char* path, int flags, ...)
{
    if (auto* here = mishap::detail::active_seam(); here && mishap::detail::is_random_device(path))
        return mishap::detail::open_numbers(*here, flags);
    va_list list;
    va_start(list, flags);
    const mode_t mode = va_arg(list, mode_t);
    va_end(list);
    static const auto next = mishap::detail::real<int (*)(const char*, int, ...)>("open");
    return next(path, flags, mode);
}

int open64(const char* path, int flags, ...)
{
    if (auto* here = mishap::detail::active_seam(); here && mishap::detail::is_random_device(path))
        return mishap::detail::open_numbers(*here, flags);
    va_list list;
    va_start(list, flags);
    const mode_t mode = va_arg(list, mode_t);
    va_end(list);
    static const auto next = mishap::detail::real<int (*)(const char*, int, ...)>("open64");
    return next(path, flags, mode);
}

FILE* fopen(const char* path, const char* mode)
{
    if (auto* here = mishap::detail::active_seam(); here && mishap::detail::is_random_device(path))
        return fdopen(mishap::detail::open_numbers(*here, 0), "rb");
    static const auto next = mishap::detail::real<FILE* (*)(const char*, const char*)>("fopen");
    return next(path, mode);
}

FILE* fopen64(const char* path, const char* mode)
{
    if (auto* here = mishap::detail::active_seam(); here && mishap::detail::is_random_device(path))
        return fdopen(mishap::detail::open_numbers(*here, 0), "rb");
    static const auto next = mishap::detail::real<FILE* (*)(const char*, const char*)>("fopen64");
    return next(path, mode);
}

} // extern "C"
