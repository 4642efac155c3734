// SPDX-License-Identifier: MIT
// A right manager that does something deadly once its use has failed, once for each way to die or to hang.

#include <mishap/environment.hpp>
#include <mishap/manager.hpp>
#include <mishap/resource.hpp>

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>

#include <csignal>
#include <cstdlib>
#include <exception>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

namespace asio = boost::asio;

namespace {

using mishap::awaitable;
using mishap::environment;

volatile unsigned sink = 0;
std::mutex shared_lock;

/// Memory that nobody may write to. A null pointer would do, but UBSan ends the program before that is
/// written to.
volatile char* forbidden()
{
    static void* const page = ::mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return static_cast<volatile char*>(page);
}

[[gnu::noinline]] unsigned descend(unsigned depth)
{
    volatile char frame[256];
    frame[depth % 256] = static_cast<char>(depth);
    // The condition always holds, but the compiler cannot know that, and does not warn of the recursion.
    return sink == 0 ? descend(depth + 1) + static_cast<unsigned char>(frame[depth % 256]) : 0;
}

/// What ends or hangs the program, each by its name.
const std::vector<std::pair<const char*, void (*)()>> ways{
    {"nothing", [] {}},
    {"segfault", [] { *forbidden() = 1; }},
    {"aborts", [] { std::abort(); }},
    {"overflows_the_stack", [] { sink = descend(0); }},
    {"own_terminate_handler",
        [] {
            std::set_terminate([] { std::_Exit(9); });
            std::terminate();
        }},
    {"thread_crashes", [] { std::thread([] { *forbidden() = 1; }).join(); }},
    {"thread_throws", [] { std::thread([] { throw std::runtime_error("on a thread"); }).join(); }},
    {"told_to_end", [] { std::raise(SIGTERM); }},
    {"interrupted", [] { std::raise(SIGINT); }},
    {"locks_again",
        [] {
            static std::mutex mine;
            mine.lock();
            mine.lock();
        }},
    {"keeps_a_lock",
        [] {
            shared_lock.lock();
            shared_lock.lock();
        }},
    {"needs_the_kept_lock", [] { const std::scoped_lock lock(shared_lock); }},
    {"reads_what_never_comes",
        [] {
            int ends[2] = {};
            if (::pipe(ends) != 0)
                std::abort();
            char byte = 0;
            sink = static_cast<unsigned>(::read(ends[0], &byte, 1));
        }},
    {"forks",
        [] {
            if (::fork() < 0)
                std::abort();
        }},
    {"loops",
        [] {
            for (;;)
                sink = sink + 1;
        }},
};

const bool registered = [] {
    for (const auto& [name, way] : ways) {
        mishap::contract promises{.time = {.unbounded = {mishap::phase::create, mishap::phase::close}}};
        mishap::register_manager({name,
            [way = way](environment& env) -> awaitable<void> {
                mishap::mock_resource session("session");
                co_await session.create();
                std::exception_ptr error;
                try {
                    co_await env.body()(session);
                } catch (...) {
                    error = std::current_exception();
                }
                co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
                if (error)
                    way();
                try {
                    co_await session.close();
                } catch (...) {
                    if (!error)
                        throw;
                }
                if (error)
                    std::rethrow_exception(error);
            },
            promises});
    }
    return true;
}();

} // namespace
