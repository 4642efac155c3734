// SPDX-License-Identifier: MIT
#include "descriptors.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>

namespace mishap::network {

namespace {

/// Above what programs use themselves, and within what select() can take.
constexpr int first = 512;
constexpr int most = 1 << 16;
constexpr int bits = 64;

using bitmap = std::array<std::atomic<std::uint64_t>, most / bits>;
constinit bitmap reserved{};
constinit bitmap vacant{};
constinit std::mutex mutex;

std::uint64_t bit_of(int number) noexcept { return std::uint64_t(1) << (number % bits); }
auto& word_of(bitmap& in, int number) noexcept { return in[static_cast<std::size_t>(number / bits)]; }

} // namespace

int take_descriptor() noexcept
{
    const std::scoped_lock lock(mutex);
    for (std::size_t i = 0; i < vacant.size(); ++i) {
        const std::uint64_t word = vacant[i].load(std::memory_order_relaxed);
        if (word == 0)
            continue;
        const int number = static_cast<int>(i) * bits + __builtin_ctzll(word);
        vacant[i].fetch_and(~bit_of(number), std::memory_order_relaxed);
        return number;
    }
    // A path only: whatever reads, writes or waits on it is refused by the kernel.
    const int made = ::open("/", O_PATH | O_CLOEXEC);
    if (made < 0)
        return -1;
    int number = ::fcntl(made, F_DUPFD_CLOEXEC, first);
    if (number >= 0)
        ::close(made);
    else
        number = made; // the process is only allowed lower ones
    if (number >= most) {
        ::close(number);
        return -1;
    }
    word_of(reserved, number).fetch_or(bit_of(number), std::memory_order_release);
    return number;
}

void return_descriptor(int number) noexcept
{
    const std::scoped_lock lock(mutex);
    word_of(vacant, number).fetch_or(bit_of(number), std::memory_order_relaxed);
}

bool is_reserved(int number) noexcept
{
    return number >= 0 && number < most &&
           (word_of(reserved, number).load(std::memory_order_acquire) & bit_of(number)) != 0;
}

} // namespace mishap::network
