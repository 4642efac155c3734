// SPDX-License-Identifier: MIT
#include "refuge.hpp"

#include "last_words.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/io_context_strand.hpp>
#include <boost/asio/strand.hpp>

#include <cxxabi.h>

#include <csetjmp>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <new>
#include <span>
#include <utility>
#include <vector>

extern "C" {
__attribute__((weak)) void* __asan_get_current_fake_stack();
__attribute__((weak)) void* __asan_addr_is_in_fake_stack(
    void* stack, void* address, void** begin, void** end);
}

namespace mishap::detail {

namespace {

namespace asio_detail = boost::asio::detail;

/// What the C++ runtime knows of this thread's exceptions (Itanium C++ ABI: Exception Handling, 2.2.2).
struct exceptions_under_way
{
    void* caught;
    unsigned int uncaught;
};

exceptions_under_way& of_this_thread() noexcept
{
    return *reinterpret_cast<exceptions_under_way*>(abi::__cxa_get_globals());
}

/// Asio keeps lists, in frames of the thread's stack, of what runs on the thread. An entry of one's own,
/// when it goes, takes with it all that came later.
class asio_notes
{
    template <class... What>
    using list_of = typename asio_detail::call_stack<What...>::context;

    asio_detail::thread_info_base memory_;
    list_of<asio_detail::thread_context, asio_detail::thread_info_base> contexts_{nullptr, memory_};
    list_of<asio_detail::strand_executor_service::strand_impl> strands_{nullptr};
    list_of<asio_detail::strand_service::strand_impl> old_strands_{nullptr};
};

struct refuge
{
    std::jmp_buf back;
    const std::uintptr_t* stack = nullptr; ///< where it begins
    refuge* outer = nullptr;
    rescue found;
};

constinit thread_local refuge* innermost = nullptr;
std::terminate_handler terminate_before = nullptr;

/// Where frames of the stack are that AddressSanitizer moved to the heap (detect_stack_use_after_return).
class moved_frames
{
public:
    /// The frame that an address on the stack leads to, or an empty one.
    __attribute__((no_sanitize("address"))) std::span<const std::uintptr_t> at(std::uintptr_t address) const
    {
        void* begin = nullptr;
        void* end = nullptr;
        if (!stack_ || !__asan_addr_is_in_fake_stack(stack_, reinterpret_cast<void*>(address), &begin, &end))
            return {};
        return {static_cast<const std::uintptr_t*>(begin), static_cast<const std::uintptr_t*>(end)};
    }

private:
    void* stack_ = __asan_get_current_fake_stack ? __asan_get_current_fake_stack() : nullptr;
};

/// What was on the stack stays in memory, so that a leak checker finds all that it owned.
__attribute__((noinline, no_sanitize("address", "thread", "undefined"))) void keep_stack(
    const std::uintptr_t* until, void* under_way)
{
    static std::mutex mutex;
    static auto* const kept = new std::deque<std::vector<std::uintptr_t>>;
    std::jmp_buf registers; // which may hold what no frame does
    static_cast<void>(_setjmp(registers));
    const auto* at = static_cast<const volatile std::uintptr_t*>(__builtin_frame_address(0));
    const moved_frames moved;
    try {
        const std::scoped_lock lock(mutex);
        auto& copy = kept->emplace_back();
        copy.push_back(reinterpret_cast<std::uintptr_t>(under_way));
        for (; at <= until; ++at) {
            const std::uintptr_t word = *at;
            copy.push_back(word);
            for (const std::uintptr_t& there : moved.at(word)) {
                const std::uintptr_t moved_word = there; // read here, unchecked: it may be out of its scope
                copy.push_back(moved_word);
            }
        }
    } catch (const std::bad_alloc&) { // then the leak checker may report what this run owned
    }
}

[[noreturn]] void jump_back()
{
    keep_stack(innermost->stack, of_this_thread().caught);
    innermost->found.left = true;
    std::longjmp(innermost->back, 1);
}

[[noreturn]] void on_terminate()
{
    if (innermost) {
        innermost->found.terminated = true;
        innermost->found.cause = std::current_exception();
        jump_back();
    }
    say_what_dies("std::terminate was called");
    terminate_before();
    std::abort();
}

__attribute__((noinline)) bool came_back(refuge& here, void (*what)(void*), void* with)
{
    if (_setjmp(here.back) != 0)
        return false;
    what(with);
    return true;
}

} // namespace

rescue take_refuge(void (*what)(void*), void* with)
{
    const exceptions_under_way before = of_this_thread();
    const asio_notes notes;
    // A program may have set a handler of its own since.
    if (const auto own = std::get_terminate(); own != &on_terminate) {
        terminate_before = own;
        std::set_terminate(&on_terminate);
    }
    refuge here;
    here.stack = static_cast<const std::uintptr_t*>(__builtin_frame_address(0));
    here.outer = innermost;
    innermost = &here;
    if (!came_back(here, what, with))
        of_this_thread() = before;
    innermost = here.outer;
    return std::move(here.found);
}

void leave_run() noexcept
{
    if (innermost)
        jump_back();
}

} // namespace mishap::detail
