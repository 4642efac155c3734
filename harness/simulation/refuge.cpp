#include "refuge.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/io_context_strand.hpp>
#include <boost/asio/strand.hpp>

#include <cxxabi.h>

#include <csetjmp>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <new>
#include <span>
#include <vector>

#include <unistd.h>

extern "C" {
__attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)());
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
const char* (*describe_run)() = nullptr;
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

void say_what_dies(const char* how)
{
    if (const char* const run = describe_run ? describe_run() : ""; *run)
        std::fprintf(stderr, "mishap: %s in the run that this repeats:\n  %s\n", how, run);
    std::fflush(stderr);
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

void on_signal(int number)
{
    // The heap may be what broke: whoever waits for its lock must not wait for ever.
    std::signal(SIGALRM, SIG_DFL);
    alarm(5);
    say_what_dies(number == SIGABRT ? "the program was aborted" : "the program crashed");
    std::signal(number, SIG_DFL);
    std::raise(number);
}

void watch_signals()
{
    for (const int number : {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV}) {
        struct sigaction before = {};
        if (sigaction(number, nullptr, &before) != 0 || before.sa_handler != SIG_DFL)
            continue; // a sanitizer's, or the program's own
        struct sigaction ours = {};
        ours.sa_handler = &on_signal;
        ours.sa_flags = SA_NODEFER | SA_RESETHAND;
        sigaction(number, &ours, nullptr);
    }
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

void name_what_dies(const char* (*describe)())
{
    static const bool installed = [&] {
        describe_run = describe;
        terminate_before = std::set_terminate(&on_terminate);
        watch_signals();
        if (__sanitizer_set_death_callback)
            __sanitizer_set_death_callback([] { say_what_dies("a sanitizer ended the program"); });
        return true;
    }();
    static_cast<void>(installed);
}

} // namespace mishap::detail
