// SPDX-License-Identifier: MIT
// A right manager that does something hostile once its use has failed: one for each way to die, to hang, to
// leave something behind or to misuse what it was given.

#include <mishap/environment.hpp>
#include <mishap/manager.hpp>
#include <mishap/require.hpp>
#include <mishap/resource.hpp>
#include <mishap/run.hpp>

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <future>
#include <latch>
#include <memory>
#include <mutex>
#include <semaphore>
#include <shared_mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

using mishap::awaitable;
using mishap::environment;
using mishap::mock_resource;

volatile unsigned sink = 0;
/// What the compiler cannot know.
volatile bool always = true;
std::mutex shared_lock;

/// Memory that nobody may write to. A null pointer would do, but UBSan ends the program before that is
/// written to.
volatile char* forbidden()
{
    static void* const page = ::mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return static_cast<volatile char*>(page);
}

/// Real descriptors, made before any run, on which nothing ever comes, and a file that is locked for good.
struct quiet_descriptors
{
    int pipe[2] = {-1, -1};
    int pair[2] = {-1, -1};
    int listener = ::socket(AF_UNIX, SOCK_STREAM, 0);
    int locked = ::memfd_create("locked", 0);
    int same_file = -1;

    quiet_descriptors()
    {
        const std::string name = "/proc/self/fd/" + std::to_string(locked);
        same_file = ::open(name.c_str(), O_RDWR);
        sockaddr_un of_its_own_choice = {};
        of_its_own_choice.sun_family = AF_UNIX;
        if (::pipe(pipe) != 0 || ::socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0 || same_file < 0 ||
            ::flock(locked, LOCK_EX) != 0 || ::fcntl(locked, F_OFD_SETLK, &whole_file()) != 0 ||
            ::bind(listener, reinterpret_cast<const sockaddr*>(&of_its_own_choice), sizeof(sa_family_t)) !=
                0 ||
            ::listen(listener, 1) != 0)
            std::abort();
    }

    static struct flock& whole_file()
    {
        static struct flock all = [] {
            struct flock one = {};
            one.l_type = F_WRLCK;
            one.l_whence = SEEK_SET;
            return one;
        }();
        return all;
    }
};
const quiet_descriptors quiet;
char byte = 0;

/// A process that mishap does not see start, and that ends with this one.
pid_t unseen_child()
{
    const auto child = static_cast<pid_t>(::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
    if (child == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            ::syscall(SYS_ppoll, nullptr, 0, nullptr, nullptr, 0);
    }
    return child;
}

[[gnu::noinline]] unsigned descend(unsigned depth)
{
    volatile char frame[256];
    frame[depth % 256] = static_cast<char>(depth);
    return always ? descend(depth + 1) + static_cast<unsigned char>(frame[depth % 256]) : 0;
}

awaitable<void> descend_in_coroutines(unsigned depth)
{
    if (always)
        co_await descend_in_coroutines(depth + 1);
    sink = depth;
}

[[noreturn]] void loop()
{
    for (;;)
        sink = sink + 1;
}

struct throws_when_destroyed
{
    throws_when_destroyed() = default;
    throws_when_destroyed(const throws_when_destroyed&) = delete;
    throws_when_destroyed& operator=(const throws_when_destroyed&) = delete;
    ~throws_when_destroyed() noexcept(false) { throw std::runtime_error("from a destructor"); }
};

void throws() { throw std::runtime_error("from a function that is noexcept"); }

void throws_in_spite_of_noexcept() noexcept { throws(); }

void fork_a_child(void (*in_child)())
{
    const pid_t child = ::fork();
    if (child < 0)
        std::abort();
    if (child == 0)
        in_child();
    int status = 0;
    if (child > 0)
        ::waitpid(child, &status, 0);
}

using plain = std::pair<const char*, void (*)()>;

/// What ends the program.
const std::vector<plain> deadly{
    {"nothing", [] {}},
    {"segfault", [] { *forbidden() = 1; }},
    {"aborts", [] { std::abort(); }},
    {"traps", [] { std::raise(SIGTRAP); }},
    {"rings", [] { std::raise(SIGALRM); }},
    {"signals", [] { std::raise(SIGUSR1); }},
    {"hangs_up", [] { std::raise(SIGHUP); }},
    {"told_to_end", [] { std::raise(SIGTERM); }},
    {"interrupted", [] { std::raise(SIGINT); }},
    {"told_and_loops",
        [] {
            std::raise(SIGTERM);
            loop();
        }},
    {"overflows_the_stack", [] { sink = descend(0); }},
    {"frees_twice",
        [] {
            static int* volatile twice = new int(1);
            delete twice;
            delete twice;
        }},
    {"own_terminate_handler",
        [] {
            std::set_terminate([] { std::_Exit(9); });
            std::terminate();
        }},
    {"thread_crashes", [] { std::thread([] { *forbidden() = 1; }).join(); }},
    {"thread_throws", [] { std::thread([] { throw std::runtime_error("on a thread"); }).join(); }},
    {"exits", [] { std::exit(0); }},
    {"exits_quickly", [] { std::quick_exit(0); }},
    {"exits_at_once", [] { std::_Exit(0); }},
    {"exits_with_seven", [] { ::_exit(7); }},
    {"ends_its_thread", [] { ::pthread_exit(nullptr); }},
    {"loops", [] { loop(); }},
    {"spins",
        [] {
            std::atomic_flag flag;
            flag.test_and_set();
            while (flag.test_and_set())
                std::this_thread::yield();
        }},
    {"spins_on_a_lock",
        [] {
            static pthread_spinlock_t lock;
            ::pthread_spin_init(&lock, PTHREAD_PROCESS_PRIVATE);
            ::pthread_spin_lock(&lock);
            ::pthread_spin_lock(&lock);
        }},
    {"spins_until_a_time",
        [] {
            const auto until = std::chrono::steady_clock::now() + 1s;
            while (std::chrono::steady_clock::now() < until)
                sink = sink + 1;
        }},
    {"computes_for_a_while",
        [] {
            // By a clock that mishap does not answer, and once.
            static bool has_computed = false;
            if (std::exchange(has_computed, true))
                return;
            timespec began = {};
            timespec now = {};
            ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &began);
            do
                ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
            while (now.tv_sec - began.tv_sec < 2);
        }},
    {"allocates",
        [] {
            std::vector<std::vector<char>> all;
            for (;;)
                all.emplace_back(std::size_t(1) << 20, 'x');
        }},
};

/// What blocks the thread.
const std::vector<plain> blocking{
    {"locks_again",
        [] {
            std::mutex mine;
            mine.lock();
            mine.lock();
        }},
    {"keeps_a_lock",
        [] {
            shared_lock.lock();
            shared_lock.lock();
        }},
    {"needs_the_kept_lock", [] { const std::scoped_lock lock(shared_lock); }},
    {"locks_a_shared_mutex_again",
        [] {
            std::shared_mutex mine;
            mine.lock();
            mine.lock_shared();
        }},
    {"waits_for_a_timed_mutex",
        [] {
            static std::timed_mutex mine;
            mine.lock();
            sink = mine.try_lock_for(1h);
            mine.unlock();
        }},
    {"reads_what_never_comes",
        [] {
            int ends[2] = {};
            if (::pipe(ends) != 0)
                std::abort();
            char byte = 0;
            sink = static_cast<unsigned>(::read(ends[0], &byte, 1));
        }},
    {"reads_a_real_pipe", [] { sink = static_cast<unsigned>(::read(quiet.pipe[0], &byte, 1)); }},
    {"reads_a_real_pipe_in_parts",
        [] {
            const iovec part{&byte, 1};
            sink = static_cast<unsigned>(::readv(quiet.pipe[0], &part, 1));
        }},
    {"reads_a_real_pipe_as_c_does",
        [] { sink = static_cast<unsigned>(::fgetc(::fdopen(quiet.pipe[0], "r"))); }},
    {"receives_on_a_real_socket", [] { sink = static_cast<unsigned>(::recv(quiet.pair[0], &byte, 1, 0)); }},
    {"receives_a_real_message",
        [] {
            iovec part{&byte, 1};
            msghdr message = {};
            message.msg_iov = &part;
            message.msg_iovlen = 1;
            sink = static_cast<unsigned>(::recvmsg(quiet.pair[0], &message, 0));
        }},
    {"accepts_on_a_real_socket",
        [] { sink = static_cast<unsigned>(::accept(quiet.listener, nullptr, nullptr)); }},
    {"locks_a_locked_file", [] { sink = static_cast<unsigned>(::flock(quiet.same_file, LOCK_EX)); }},
    {"locks_a_locked_record",
        [] {
            sink = static_cast<unsigned>(
                ::fcntl(quiet.same_file, F_OFD_SETLKW, &quiet_descriptors::whole_file()));
        }},
    {"waits_for_a_process", [] { sink = static_cast<unsigned>(::waitpid(unseen_child(), nullptr, 0)); }},
    {"waits_for_any_process",
        [] {
            unseen_child();
            sink = static_cast<unsigned>(::wait(nullptr));
        }},
    {"waits_for_a_semaphore_of_c",
        [] {
            static sem_t none;
            ::sem_init(&none, 0, 0);
            ::sem_wait(&none);
        }},
    {"locks_only_what_is_free",
        [] {
            // At once, and where somebody gives up by itself.
            sink = static_cast<unsigned>(::flock(quiet.same_file, LOCK_EX | LOCK_NB));
            sink = static_cast<unsigned>(::recv(quiet.pair[0], &byte, 1, MSG_DONTWAIT));
            sink = static_cast<unsigned>(::waitpid(-1, nullptr, WNOHANG));
        }},
    {"sleeps", [] { std::this_thread::sleep_for(1h); }},
    {"sleeps_as_in_c", [] { ::sleep(3600); }},
    {"pauses", [] { ::pause(); }},
    {"waits_on_a_condition",
        [] {
            std::mutex mutex;
            std::condition_variable condition;
            std::unique_lock lock(mutex);
            condition.wait(lock);
        }},
    {"waits_a_while_on_a_condition",
        [] {
            std::mutex mutex;
            std::condition_variable condition;
            std::unique_lock lock(mutex);
            condition.wait_for(lock, 10s);
        }},
    {"waits_for_a_promise",
        [] {
            std::promise<void> never;
            never.get_future().get();
        }},
    {"waits_for_a_semaphore",
        [] {
            std::counting_semaphore<> none(0);
            none.acquire();
        }},
    {"waits_for_a_latch",
        [] {
            std::latch never(1);
            never.wait();
        }},
    {"waits_on_an_atomic",
        [] {
            const std::atomic<int> zero{0};
            zero.wait(0);
        }},
    {"runs_a_context_for_ever",
        [] {
            asio::io_context own;
            const auto work = asio::make_work_guard(own);
            own.run();
        }},
    {"runs_a_context_with_a_timer",
        [] {
            asio::io_context own;
            asio::steady_timer timer(own, 5s);
            timer.async_wait([](auto) {});
            own.run();
        }},
};

/// What leaves the simulation, or throws what nobody expects.
const std::vector<plain> others{
    {"starts_a_thread", [] { std::thread([] {}).join(); }},
    {"starts_async", [] { sink = std::async(std::launch::async, [] { return 1u; }).get(); }},
    {"forks", [] { fork_a_child([] {}); }},
    {"forks_and_ends_the_child", [] { fork_a_child([] { ::_exit(0); }); }},
    {"forks_and_exits_from_the_child", [] { fork_a_child([] { std::exit(0); }); }},
    {"starts_a_process",
        [] {
            char name[] = "true";
            char* const arguments[] = {name, nullptr};
            pid_t child = 0;
            int status = 0;
            if (::posix_spawnp(&child, name, nullptr, nullptr, arguments, nullptr) == 0)
                ::waitpid(child, &status, 0);
        }},
    {"runs_a_command", [] { sink = static_cast<unsigned>(std::system(":")); }},
    {"reads_from_a_command",
        [] {
            if (FILE* const out = ::popen(":", "r"))
                ::pclose(out);
        }},
    {"terminates", [] { std::terminate(); }},
    {"throws_in_spite_of_noexcept", [] { throws_in_spite_of_noexcept(); }},
    {"throws_while_unwinding",
        [] {
            const throws_when_destroyed bomb;
            throw 5;
        }},
    {"throws_from_a_destructor", [] { const throws_when_destroyed bomb; }},
    {"throws_an_int", [] { throw 42; }},
    {"throws_text", [] { throw "text"; }},
    {"breaks_a_promise", [] { std::make_unique<std::promise<void>>()->get_future().get(); }},
    {"closes_its_output", [] { ::close(STDOUT_FILENO); }},
    {"fails_a_requirement", [] { MISHAP_REQUIRE(!always); }},
    {"runs_inside_a_run",
        [] {
            static const mishap::manager another(
                "another", [](environment&) -> awaitable<void> { co_return; });
            (void)mishap::run(another, {});
        }},
};

struct posts_itself
{
    asio::any_io_executor on;
    int times;
    void operator()() const
    {
        for (int i = 0; i < times; ++i)
            asio::post(on, posts_itself{on, times});
    }
};

struct dispatches_itself
{
    asio::any_io_executor on;
    void operator()() const { asio::dispatch(on, dispatches_itself{on}); }
};

awaitable<void> waits_for_ever()
{
    asio::steady_timer timer(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
    co_await timer.async_wait(asio::use_awaitable);
}

using hostility = awaitable<void> (*)(environment&, mock_resource&);

/// What needs the environment.
const std::vector<std::pair<const char*, hostility>> with_environment{
    {"recurses_in_coroutines",
        [](environment&, mock_resource&) -> awaitable<void> { co_await descend_in_coroutines(0); }},
    {"dispatches_itself",
        [](environment& env, mock_resource&) -> awaitable<void> {
            asio::dispatch(env.executor(), dispatches_itself{env.executor()});
            co_return;
        }},
    {"throws_in_a_handler",
        [](environment& env, mock_resource&) -> awaitable<void> {
            asio::post(env.executor(), [] { throw std::runtime_error("from a handler"); });
            co_return;
        }},
    {"throws_in_a_detached_coroutine",
        [](environment& env, mock_resource&) -> awaitable<void> {
            asio::co_spawn(
                env.executor(),
                []() -> awaitable<void> {
                    throw 7;
                    co_return;
                },
                asio::detached);
            co_return;
        }},
    {"yields_for_ever",
        [](environment&, mock_resource&) -> awaitable<void> {
            for (;;)
                co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
        }},
    {"waits_no_time_for_ever",
        [](environment&, mock_resource&) -> awaitable<void> {
            for (;;) {
                asio::steady_timer timer(co_await asio::this_coro::executor, 0s);
                co_await timer.async_wait(asio::use_awaitable);
            }
        }},
    {"posts_itself",
        [](environment& env, mock_resource&) -> awaitable<void> {
            asio::post(env.executor(), posts_itself{env.executor(), 1});
            co_return;
        }},
    {"posts_itself_twice",
        [](environment& env, mock_resource&) -> awaitable<void> {
            asio::post(env.executor(), posts_itself{env.executor(), 2});
            co_return;
        }},
    {"leaves_a_coroutine",
        [](environment& env, mock_resource&) -> awaitable<void> {
            asio::co_spawn(env.executor(), waits_for_ever(), asio::detached);
            co_return;
        }},
    {"leaves_a_timer",
        [](environment& env, mock_resource&) -> awaitable<void> {
            const auto timer =
                std::make_shared<asio::steady_timer>(env.executor(), asio::steady_timer::time_point::max());
            timer->async_wait([timer](auto) {});
            co_return;
        }},
    {"runs_the_context",
        [](environment& env, mock_resource&) -> awaitable<void> {
            env.context().run();
            co_return;
        }},
    {"reads_what_comes_from_outside",
        [](environment& env, mock_resource&) -> awaitable<void> {
            const auto allowed = env.allow_outside();
            int ends[2] = {};
            if (::pipe(ends) != 0)
                std::abort();
            std::thread writer([to = ends[1]] { sink = static_cast<unsigned>(::write(to, "x", 1)); });
            sink = static_cast<unsigned>(::read(ends[0], &byte, 1));
            writer.join();
            ::close(ends[0]);
            ::close(ends[1]);
            co_return;
        }},
    {"stops_the_context",
        [](environment& env, mock_resource&) -> awaitable<void> {
            env.context().stop();
            co_return;
        }},
    {"writes_many_notes",
        [](environment& env, mock_resource&) -> awaitable<void> {
            for (int i = 0; i < 20'000; ++i)
                env.note("much to say");
            co_return;
        }},
    {"reports_nothing",
        [](environment& env, mock_resource&) -> awaitable<void> {
            env.report(nullptr);
            co_return;
        }},
    {"asks_for_clients",
        [](environment& env, mock_resource&) -> awaitable<void> {
            co_await env.clients([](mishap::client&) -> awaitable<void> { co_return; });
        }},
    {"resource_of_another_run",
        [](environment&, mock_resource&) -> awaitable<void> {
            static auto* const kept = new mock_resource("kept");
            co_await kept->create();
        }},
};

/// Whatever the hostility throws is reported beside the error that came before it.
awaitable<void> with_session(environment& env, void (*act)(), hostility more)
{
    mock_resource session("session");
    co_await session.create();
    std::exception_ptr error;
    try {
        co_await env.body()(session);
    } catch (...) {
        error = std::current_exception();
    }
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    if (error) {
        try {
            if (act)
                act();
            if (more)
                co_await more(env, session);
        } catch (...) {
            env.report(std::current_exception());
        }
    }
    try {
        co_await session.close();
    } catch (...) {
        if (!error)
            throw;
        env.report(std::current_exception());
    }
    if (error)
        std::rethrow_exception(error);
}

/// Forgets to close after an error, and is told to end when closing fails.
awaitable<void> found_before_it_is_told(environment& env)
{
    mock_resource session("session");
    co_await session.create();
    co_await env.body()(session);
    try {
        co_await session.close();
    } catch (...) {
        std::raise(SIGTERM);
        throw;
    }
}

awaitable<void> depends_on_the_run_before(environment& env)
{
    static int calls = 0;
    mock_resource session("session");
    co_await session.create();
    if (++calls % 2 == 0)
        co_await session.use("more");
    co_await env.body()(session);
    co_await session.close();
}

const bool registered = [] {
    const mishap::contract promises{.time = {.unbounded = {mishap::phase::create, mishap::phase::close}}};
    for (const auto* const kind : {&deadly, &blocking, &others})
        for (const auto& [name, act] : *kind)
            mishap::register_manager({name,
                [act = act](environment& env) -> awaitable<void> { return with_session(env, act, nullptr); },
                promises});
    for (const auto& [name, act] : with_environment)
        mishap::register_manager({name,
            [act = act](environment& env) -> awaitable<void> { return with_session(env, nullptr, act); },
            promises});
    mishap::register_manager({"found_before_it_is_told", &found_before_it_is_told, promises});
    mishap::register_manager({"depends_on_the_run_before", &depends_on_the_run_before, promises});
    return true;
}();

} // namespace
