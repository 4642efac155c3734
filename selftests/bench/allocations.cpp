// SPDX-License-Identifier: MIT
#include "allocations.hpp"

#include <atomic>
#include <cstdlib>
#include <new>

// In a file of its own, since a compiler that sees through new and delete takes them for mismatched.

namespace {
std::atomic<std::uint64_t> count = 0;
} // namespace

std::uint64_t bench::allocations() noexcept { return count; }

// Asio's own allocations go this way.
extern "C" void* __libc_memalign(std::size_t alignment, std::size_t size);
extern "C" void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept
{
    count.fetch_add(1, std::memory_order_relaxed);
    return __libc_memalign(alignment, size);
}

void* operator new(std::size_t size)
{
    count.fetch_add(1, std::memory_order_relaxed);
    if (void* memory = std::malloc(size))
        return memory;
    throw std::bad_alloc();
}

void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
