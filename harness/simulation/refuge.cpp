// SPDX-License-Identifier: MIT
#include "refuge.hpp"

#include "seam.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/io_context_strand.hpp>
#include <boost/asio/strand.hpp>

#include <cxxabi.h>

#include <algorithm>
#include <cerrno>
#include <csetjmp>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <mutex>
#include <new>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <time.h>
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
std::uint64_t (*progress_of_run)() = nullptr;
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

/// A stack for the handler of a signal that says that the thread's own is used up.
class alternate_stack
{
public:
    alternate_stack() noexcept
    {
        pthread_attr_t attributes;
        if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
            void* low = nullptr;
            std::size_t size = 0;
            if (pthread_attr_getstack(&attributes, &low, &size) == 0)
                end_ = reinterpret_cast<std::uintptr_t>(low);
            pthread_attr_destroy(&attributes);
        }
        stack_t before = {};
        if (sigaltstack(nullptr, &before) != 0 || !(before.ss_flags & SS_DISABLE))
            return; // a sanitizer's, or the program's own
        memory_.reset(new (std::nothrow) char[size]);
        const stack_t ours{.ss_sp = memory_.get(), .ss_flags = 0, .ss_size = size};
        if (!memory_ || sigaltstack(&ours, nullptr) != 0)
            memory_.reset();
    }
    ~alternate_stack()
    {
        const stack_t none{.ss_sp = nullptr, .ss_flags = SS_DISABLE, .ss_size = size};
        if (memory_)
            sigaltstack(&none, nullptr);
    }
    alternate_stack(const alternate_stack&) = delete;
    alternate_stack& operator=(const alternate_stack&) = delete;

    /// Whether this address is where a stack that is used up was to grow.
    bool ends_at(const void* address) const noexcept
    {
        const auto at = reinterpret_cast<std::uintptr_t>(address);
        return end_ != 0 && at + (std::uintptr_t(1) << 20) > end_ && at < end_ + (std::uintptr_t(1) << 16);
    }

private:
    static constexpr std::size_t size = std::size_t(1) << 17;
    std::unique_ptr<char[]> memory_;
    std::uintptr_t end_ = 0; ///< the lowest address of the thread's own stack
};

thread_local const alternate_stack* own_stack = nullptr;

void on_signal(int number, siginfo_t* about, void*)
{
    // The heap may be what broke: whoever waits for its lock must not wait for ever.
    std::signal(SIGALRM, SIG_DFL);
    alarm(5);
    const bool is_overflow = number == SIGSEGV && own_stack && own_stack->ends_at(about->si_addr);
    say_what_dies(is_overflow                             ? "the stack overflowed"
                  : number == SIGABRT                     ? "the program was aborted"
                  : number == SIGTERM || number == SIGINT ? "the program was told to end"
                                                          : "the program crashed");
    std::fflush(stdout);
    std::signal(number, SIG_DFL);
    std::raise(number);
}

void watch_signals()
{
    for (const int number : {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGTERM, SIGINT}) {
        struct sigaction before = {};
        if (sigaction(number, nullptr, &before) != 0 || before.sa_handler != SIG_DFL)
            continue; // a sanitizer's, or the program's own
        struct sigaction ours = {};
        ours.sa_sigaction = &on_signal;
        ours.sa_flags = SA_NODEFER | SA_RESETHAND | SA_SIGINFO | SA_ONSTACK;
        sigaction(number, &ours, nullptr);
    }
}

pid_t program = 0;

/// Whether the program, not a child that it forked, is about to end in the middle of a run; says so.
bool dies_by(const char* call)
{
    if (getpid() != program || !describe_run || !*describe_run())
        return false;
    std::fflush(stdout);
    say_what_dies(call);
    return true;
}

using exit_function = void (*)(int);

[[noreturn]] void end_program(int status)
{
    static const auto next = reinterpret_cast<exit_function>(dlsym(RTLD_NEXT, "_exit"));
    next(status);
    __builtin_trap();
}

/// The code that was asked for is not known here; that it may have been 0 is what matters.
void never_end_well(const char* call)
{
    if (dies_by(call))
        end_program(1);
}

void watch_exits()
{
    program = getpid();
    std::atexit([] { never_end_well("std::exit was called"); });
    std::at_quick_exit([] { never_end_well("std::quick_exit was called"); });
}

/// Reads a small file of the kernel's, as a signal handler may.
std::string_view read_small(const char* file, std::span<char> into) noexcept
{
    const int in = ::open(file, O_RDONLY | O_CLOEXEC);
    const ssize_t got = in < 0 ? 0 : ::read(in, into.data(), into.size());
    if (in >= 0)
        ::close(in);
    return {into.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
}

bool is_debugged() noexcept
{
    char buffer[4096];
    const std::string_view status = read_small("/proc/self/status", buffer);
    const auto at = status.find("TracerPid:\t");
    return at != std::string_view::npos && at + 11 < status.size() && status[at + 11] != '0';
}

/// Pages of memory that the program uses.
std::uint64_t pages_in_use() noexcept
{
    char buffer[128];
    const std::string_view pages = read_small("/proc/self/statm", buffer);
    std::uint64_t value = 0;
    for (const char c : pages.substr(std::min(pages.find(' '), pages.size() - 1) + 1)) {
        if (c < '0' || c > '9')
            break;
        value = value * 10 + static_cast<std::uint64_t>(c - '0');
    }
    return value;
}

/// Looks now and then, by the clock of this thread's processor time, whether its handler comes to an end.
class watchdog
{
public:
    watchdog() noexcept
    {
        const int number = SIGRTMAX - 3;
        struct sigaction before = {};
        if (is_debugged() || sigaction(number, nullptr, &before) != 0 ||
            (before.sa_handler != SIG_DFL && before.sa_handler != &look))
            return;
        struct sigaction ours = {};
        ours.sa_handler = &look;
        // Not on the alternate stack: AddressSanitizer would take the frames of the thread's own for dead
        // ones.
        ours.sa_flags = SA_RESTART;
        sigaction(number, &ours, nullptr);
        struct sigevent tick = {};
        tick.sigev_notify = SIGEV_THREAD_ID;
        tick.sigev_signo = number;
        tick._sigev_un._tid = gettid();
        if (timer_create(CLOCK_THREAD_CPUTIME_ID, &tick, &timer_) != 0)
            return;
        runs_ = true;
        const itimerspec quarter{.it_interval = {0, 250'000'000}, .it_value = {0, 250'000'000}};
        timer_settime(timer_, 0, &quarter, nullptr);
    }
    ~watchdog()
    {
        if (runs_)
            timer_delete(timer_);
    }
    watchdog(const watchdog&) = delete;
    watchdog& operator=(const watchdog&) = delete;

private:
    static void look(int) noexcept
    {
        static thread_local std::uint64_t last = 0;
        static thread_local std::uint64_t pages = 0;
        static thread_local int ticks = 0;
        const int error = errno;
        seam* const simulated = std::exchange(active_seam(), nullptr); // the calls made here are real ones
        const std::uint64_t now = progress_of_run();
        constexpr int ticks_max = 40;
        const std::uint64_t pages_max =
            (std::uint64_t(2) << 30) / static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
        if (now == 0 || now != last) {
            last = now;
            ticks = 0;
            pages = pages_in_use();
        } else if (++ticks >= ticks_max) {
            end("a handler used ten seconds of processor time and did not return");
        } else if (pages_in_use() > pages + pages_max) {
            end("a handler took two gibibytes of memory and did not return");
        }
        active_seam() = simulated;
        errno = error;
    }

    static void end(const char* why) noexcept
    {
        std::signal(SIGALRM, SIG_DFL);
        alarm(5);
        if (dies_by(why))
            end_program(1);
    }

    timer_t timer_ = {};
    bool runs_ = false;
};

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

void name_what_dies(const death_notes& notes)
{
    static const bool installed = [&] {
        describe_run = notes.describe;
        progress_of_run = notes.progress;
        terminate_before = std::set_terminate(&on_terminate);
        watch_signals();
        watch_exits();
        if (__sanitizer_set_death_callback)
            __sanitizer_set_death_callback([] { say_what_dies("a sanitizer ended the program"); });
        return true;
    }();
    static_cast<void>(installed);
    static thread_local const alternate_stack mine;
    own_stack = &mine;
    static thread_local const watchdog watching;
    static_cast<void>(watching);
}

} // namespace mishap::detail

extern "C" {

/// A run that ends the program took every test after it along: that is no success.
__attribute__((noreturn)) void _exit(int status)
{
    const bool died = mishap::detail::dies_by("_exit was called");
    mishap::detail::end_program(died && status == 0 ? 1 : status);
}

__attribute__((noreturn)) void _Exit(int status) noexcept
{
    const bool died = mishap::detail::dies_by("_Exit was called");
    mishap::detail::end_program(died && status == 0 ? 1 : status);
}

} // extern "C"
