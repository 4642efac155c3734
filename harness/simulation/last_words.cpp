// SPDX-License-Identifier: MIT
#include "last_words.hpp"

#include "seam_real.hpp"

#include "vocabulary/printable.hpp"

#include <mishap/duration.hpp>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <limits>
#include <memory>
#include <new>
#include <span>
#include <string_view>
#include <utility>

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

extern "C" {
__attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)());
}

namespace mishap::detail {

namespace {

/// Until `name_what_dies` is called there is no run.
death_notes notes_of_run{[] { return ""; }, [] { return ""; }, []() -> std::uint64_t { return 0; }};
constinit thread_local const so_far* innermost_account = nullptr;
pid_t program = 0;

/// SIGTERM, SIGINT or SIGHUP, once it came.
constinit std::atomic<int> told = 0;
/// What ends the program, whatever keeps it from saying so.
constinit std::atomic<int> last_signal = 0;
constexpr const char* told_to_end = "the program was told to end";

/// Somebody says what there is to say, and has said it.
constinit std::atomic_flag speaks;
constinit std::atomic_flag has_spoken;
/// How the program dies.
constinit std::atomic<const char*> dies_how = "";

/// Where a worker's parent reads how it died.
constinit death_row* row_of_worker = nullptr;

void note_death(const char* how, death_row::cause why) noexcept
{
    if (!row_of_worker || row_of_worker->why.load() != death_row::cause::none)
        return;
    std::strncpy(row_of_worker->how, how, sizeof row_of_worker->how - 1);
    row_of_worker->why = why;
}

[[noreturn]] void end_by(int number)
{
    std::signal(number, SIG_DFL);
    std::raise(number);
    std::abort(); // only where it is blocked
}

/// What can be said without memory.
void say_in_brief()
{
    if (has_spoken.test_and_set())
        return;
    const char* const manager = notes_of_run.manager();
    const bool in_run = *manager;
    for (const char* const part : {"mishap: ", dies_how.load(), in_run ? " in a run of " : "", manager,
             in_run ? "; its plan cannot be told, since the heap is broken or in use" : "", "\n"})
        static_cast<void>(!::write(STDERR_FILENO, part, std::strlen(part)));
}

/// The heap may be what broke: whoever waits for its lock must not wait for ever.
void speak_briefly(int number)
{
    last_signal = number;
    std::signal(SIGALRM, [](int) {
        say_in_brief();
        end_by(last_signal);
    });
    alarm(5);
}

/// Where in memory the functions of the heap are.
struct range
{
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
};

const range& home_of_the_heap()
{
    static const range found = [] {
        range home{reinterpret_cast<std::uintptr_t>(&std::malloc), 0};
        const auto look = [](dl_phdr_info* object, std::size_t, void* into) {
            range& wanted = *static_cast<range*>(into);
            for (int i = 0; i < object->dlpi_phnum; ++i) {
                const auto& part = object->dlpi_phdr[i];
                const std::uintptr_t begin = object->dlpi_addr + part.p_vaddr;
                if (part.p_type == PT_LOAD && wanted.begin >= begin && wanted.begin < begin + part.p_memsz) {
                    wanted = {begin, begin + part.p_memsz};
                    return 1;
                }
            }
            return 0;
        };
        dl_iterate_phdr(look, &home);
        return home;
    }();
    return found;
}

/// Whether a signal came while the thread may have been working on the heap, which then must be left alone.
bool is_in_heap(const void* context) noexcept
{
#if defined(__x86_64__)
    const auto at =
        static_cast<std::uintptr_t>(static_cast<const ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP]);
#elif defined(__aarch64__)
    const auto at = static_cast<std::uintptr_t>(static_cast<const ucontext_t*>(context)->uc_mcontext.pc);
#else
    static_cast<void>(context);
    const std::uintptr_t at = 0;
#endif
    return at >= home_of_the_heap().begin && at < home_of_the_heap().end;
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

const char* what_happened(int number, const siginfo_t& about)
{
    switch (number) {
    case SIGSEGV:
        return own_stack && own_stack->ends_at(about.si_addr) ? "the stack overflowed"
                                                              : "the program crashed";
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
        return "the program crashed";
    case SIGABRT:
        return "the program was aborted";
    default: {
        static char text[64];
        const char* const name = sigabbrev_np(number);
        std::snprintf(text, sizeof text, "the program was ended by SIG%s", name ? name : "???");
        return text;
    }
    }
}

void on_death(int number, siginfo_t* about, void*)
{
    if (getpid() == program) {
        speak_briefly(number);
        say_what_dies(what_happened(number, *about));
        std::fflush(stdout);
    }
    end_by(number);
}

void on_patience_lost(int, siginfo_t*, void* context)
{
    static int attempts = 0;
    if (is_in_heap(context) && ++attempts < 100) {
        constexpr itimerval soon{.it_interval = {0, 0}, .it_value = {0, 10'000}};
        setitimer(ITIMER_REAL, &soon, nullptr);
        return;
    }
    speak_briefly(told);
    end_as_told(notes_of_run.describe());
}

/// The thread may be anywhere, and hold any lock: what is told is told later, and here only where nobody else
/// does within a second.
void on_request(int number, siginfo_t* about, void*)
{
    // A worker's parent is told to end, too, and decides; what the code under test sends is its own affair.
    if (row_of_worker && about->si_pid != getpid())
        return;
    if (getpid() != program || told.exchange(number) != 0)
        end_by(number);
    dies_how = told_to_end;
    struct sigaction later = {};
    later.sa_sigaction = &on_patience_lost;
    later.sa_flags = SA_SIGINFO | SA_RESTART;
    sigaction(SIGALRM, &later, nullptr);
    alarm(1);
}

/// Takes over a signal that would end the program; not so where a sanitizer, the program itself or, by
/// ignoring it, whoever started the program has a say.
void watch_signal(int number, const struct sigaction& ours)
{
    struct sigaction before = {};
    if (sigaction(number, nullptr, &before) == 0 && before.sa_handler == SIG_DFL)
        sigaction(number, &ours, nullptr);
}

void watch_signals()
{
    struct sigaction death = {};
    death.sa_sigaction = &on_death;
    death.sa_flags = SA_NODEFER | SA_RESETHAND | SA_SIGINFO | SA_ONSTACK;
    for (const int number : {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP, SIGQUIT, SIGXCPU,
             SIGXFSZ, SIGALRM, SIGVTALRM, SIGUSR1, SIGUSR2})
        watch_signal(number, death);
    struct sigaction request = {};
    request.sa_sigaction = &on_request;
    request.sa_flags = SA_SIGINFO | SA_RESTART; // not on the alternate stack, as with the watchdog below
    for (const int number : {SIGTERM, SIGINT, SIGHUP})
        watch_signal(number, request);
}

/// Whether the program, not a child that it forked, is about to end in the middle of a run; says so.
bool dies_by(const char* call)
{
    if (getpid() != program || !*notes_of_run.manager())
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
    if (is_told_to_end() && getpid() == program)
        end_as_told(notes_of_run.describe());
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

/// A limit in words, made while nothing is amiss.
struct named_limits
{
    handler_limits most;
    std::uint64_t wait; ///< by the clock on the wall, in nanoseconds; 0 for no limit
    std::string on_time;
    std::string on_memory;
    std::string on_wait;

    static const named_limits& in_force()
    {
        static const named_limits all(read_handler_limits());
        return all;
    }

private:
    explicit named_limits(const handler_limits& given)
        : most(given), wait(waits_of_time * std::min(given.nanoseconds, longest)),
          on_time("a handler used " + to_string(duration(given.nanoseconds)) +
                  " of processor time and did not return (MISHAP_HANDLER_TIME)"),
          on_memory("a handler took " + std::to_string(given.bytes >> 20) +
                    " MiB of memory and did not return (MISHAP_HANDLER_MEMORY)"),
          on_wait("a handler blocked the thread for " + to_string(duration(wait)) +
                  " and did not return (six times MISHAP_HANDLER_TIME)")
    {}

    static constexpr std::uint64_t waits_of_time = 6;
    static constexpr std::uint64_t longest = std::numeric_limits<std::int64_t>::max() / waits_of_time;
};

/// Looks now and then, by the clock of this thread's processor time, whether its handler comes to an end; and
/// by the clock on the wall, which tells of a call that waits in the kernel.
class watchdog
{
public:
    watchdog() noexcept
    {
        const handler_limits& most = named_limits::in_force().most;
        const int number = SIGRTMAX - 3;
        struct sigaction before = {};
        if ((most.nanoseconds == 0 && most.bytes == 0) || is_debugged() ||
            sigaction(number, nullptr, &before) != 0 ||
            (before.sa_handler != SIG_DFL && before.sa_sigaction != &look))
            return;
        struct sigaction ours = {};
        ours.sa_sigaction = &look;
        // Not on the alternate stack: AddressSanitizer would take the frames of the thread's own for dead
        // ones.
        ours.sa_flags = SA_SIGINFO | SA_RESTART;
        sigaction(number, &ours, nullptr);
        struct sigevent tick = {};
        tick.sigev_notify = SIGEV_THREAD_ID;
        tick.sigev_signo = number;
        tick._sigev_un._tid = gettid();
        if (timer_create(CLOCK_THREAD_CPUTIME_ID, &tick, &timer_) != 0)
            return;
        runs_ = true;
        own = &timer_;
        look_every(between_looks());
        tick.sigev_value.sival_int = on_the_wall;
        if (named_limits::in_force().wait != 0 && timer_create(CLOCK_MONOTONIC, &tick, &wall_timer_) == 0)
            own_wall = &wall_timer_;
    }
    ~watchdog()
    {
        if (own_wall == &wall_timer_) {
            own_wall = nullptr;
            timer_delete(wall_timer_);
        }
        if (runs_)
            timer_delete(timer_);
    }
    watchdog(const watchdog&) = delete;
    watchdog& operator=(const watchdog&) = delete;

    /// Looks by the clock on the wall from now on, or no more: what is no run may sleep undisturbed.
    static void look_at_waits(bool on) noexcept
    {
        if (!own_wall || std::exchange(looks_at_waits, on) == on)
            return;
        set(*own_wall, on ? named_limits::in_force().wait / waits_max : 0);
    }

private:
    static void set(timer_t timer, std::uint64_t nanoseconds) noexcept
    {
        const timespec one = to_timespec(duration(nanoseconds));
        const itimerspec often{.it_interval = one, .it_value = one};
        timer_settime(timer, 0, &often, nullptr);
    }
    static void look_every(std::uint64_t nanoseconds) noexcept { set(*own, nanoseconds); }

    static std::uint64_t between_looks() noexcept
    {
        constexpr std::uint64_t quarter = 250'000'000;
        const std::uint64_t time = named_limits::in_force().most.nanoseconds;
        return time == 0 ? quarter : std::clamp<std::uint64_t>(time / 4, 1'000'000, quarter);
    }

    static void look(int, siginfo_t* about, void* context) noexcept
    {
        if (about->si_value.sival_int == on_the_wall) {
            look_for_wait();
            return;
        }
        static thread_local std::uint64_t last = 0;
        static thread_local std::uint64_t pages = 0;
        static thread_local std::uint64_t used = 0;
        const int error = errno;
        seam* const simulated = std::exchange(active_seam(), nullptr); // the calls made here are real ones
        const named_limits& limits = named_limits::in_force();
        const std::uint64_t now = notes_of_run.progress();
        const auto page_size = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
        if (now == 0 || now != last) {
            last = now;
            used = 0;
            pages = pages_in_use();
            if (std::exchange(amiss, nullptr))
                look_every(between_looks());
            attempts = 0;
        } else if (!amiss) {
            used += between_looks();
            if (limits.most.nanoseconds != 0 && used >= limits.most.nanoseconds)
                amiss = limits.on_time.c_str();
            else if (limits.most.bytes != 0 && pages_in_use() > pages + limits.most.bytes / page_size)
                amiss = limits.on_memory.c_str();
        }
        if (amiss)
            end(context);
        active_seam() = simulated;
        errno = error;
    }

    static void end(const void* context) noexcept
    {
        if (is_debugged())
            return;
        constexpr int attempts_max = 100;
        if (is_in_heap(context) && ++attempts < attempts_max) {
            look_every(1'000'000); // so soon that hardly anything happens until then
            return;
        }
        note_death(amiss, amiss == named_limits::in_force().on_time.c_str() ? death_row::cause::took_time
                                                                            : death_row::cause::took_memory);
        speak_briefly(SIGABRT);
        if (dies_by(amiss))
            end_program(1);
    }

    /// A handler that computes, however slowly, is no business of this.
    static void look_for_wait() noexcept
    {
        static thread_local std::uint64_t last = 0;
        static thread_local std::int64_t used = 0;
        static thread_local int waits = 0;
        constexpr std::int64_t hardly_any = 10'000'000;
        const int error = errno;
        seam* const simulated = std::exchange(active_seam(), nullptr);
        const std::uint64_t now = notes_of_run.progress();
        timespec processor = {};
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &processor);
        const std::int64_t uses = to_duration(processor).count();
        if (now == 0)
            look_at_waits(false);
        if (now == 0 || now != last || uses - used > hardly_any) {
            last = now;
            used = uses;
            waits = 0;
        } else if (++waits >= waits_max && !is_debugged()) {
            const char* const waited = named_limits::in_force().on_wait.c_str();
            speak_briefly(SIGABRT);
            note_death(waited, death_row::cause::took_time);
            if (dies_by(waited))
                end_program(1);
        }
        active_seam() = simulated;
        errno = error;
    }

    static constexpr int on_the_wall = 1;
    /// Several, since a program that was stopped for a while gets a tick as it goes on.
    static constexpr int waits_max = 3;

    static inline thread_local const timer_t* own = nullptr;
    static inline thread_local const timer_t* own_wall = nullptr;
    static inline thread_local bool looks_at_waits = false;
    static inline thread_local const char* amiss = nullptr;
    static inline thread_local int attempts = 0; ///< to find the thread outside of the heap

    timer_t timer_ = {};
    timer_t wall_timer_ = {};
    bool runs_ = false;
};

void tell_of_sanitizers()
{
    constexpr auto told = [] { dies_by("a sanitizer ended the program"); };
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(told);
    // Beside ASan's runtime GCC's UBSan has one of its own, which that call does not reach.
    void* const runtime = ::dlopen("libubsan.so.1", RTLD_LAZY | RTLD_NOLOAD);
    if (!runtime)
        return;
    using setter = void (*)(void (*)());
    if (const auto set = reinterpret_cast<setter>(::dlsym(runtime, "__sanitizer_set_death_callback")))
        set(told);
}

} // namespace

void name_what_dies(const death_notes& notes)
{
    static_cast<void>(named_limits::in_force());
    static const bool installed = [&] {
        notes_of_run = notes;
        static_cast<void>(home_of_the_heap());
        watch_signals();
        watch_exits();
        tell_of_sanitizers();
        return true;
    }();
    static_cast<void>(installed);
    static thread_local const alternate_stack mine;
    own_stack = &mine;
    static thread_local const watchdog watching;
    static_cast<void>(watching);
}

void note_death_in(death_row& row) noexcept
{
    row_of_worker = &row;
    program = getpid();
}

so_far::so_far(std::function<std::string()> tell) : tell_(std::move(tell)), outer_(innermost_account)
{
    innermost_account = this;
}

so_far::~so_far()
{
    innermost_account = outer_;
    if (!outer_)
        watchdog::look_at_waits(false);
}

void watch_waits() noexcept { watchdog::look_at_waits(true); }

void so_far::say_all()
{
    for (const so_far* one = innermost_account; one; one = one->outer_)
        std::fprintf(stderr, "mishap: so far, %s\n", printable(one->tell_()).c_str());
    std::fflush(stderr);
}

void say_what_dies(const char* how) noexcept
{
    if (!*notes_of_run.manager())
        return;
    if (speaks.test_and_set()) { // and died of it
        say_in_brief();
        return;
    }
    dies_how = how;
    note_death(how, death_row::cause::died);
    const char* const run = notes_of_run.describe();
    has_spoken.test_and_set();
    std::fprintf(stderr, "mishap: %s in the run that this repeats:\n  %s\n", how, run);
    so_far::say_all();
}

bool is_told_to_end() noexcept { return told != 0; }

void end_as_told(const std::string& run)
{
    if (!speaks.test_and_set()) {
        std::fflush(stdout);
        has_spoken.test_and_set();
        std::fprintf(stderr,
            run.empty() ? "mishap: %s\n" : "mishap: %s in the run that this repeats:\n  %s\n", told_to_end,
            run.c_str());
        so_far::say_all();
    }
    end_by(told);
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
