// SPDX-License-Identifier: MIT
// Every check: its name, its sentence, the wrong and the right code, and the rule that blames it in a run.
// The reference is printed from here, and the tests run each check over its own two pieces of code.

#include "checks.hpp"

namespace mishap::tools {

namespace {

constexpr check table[] = {
    {"cleanup-skipped",
        "An exception, or a path that leaves early, skips a clean-up that needs `co_await`, which no "
        "destructor can do.",
        R"(asio::awaitable<void> wrong(session& s)
{
    co_await s.open();
    co_await s.query(); // throws: the session stays open
    co_await s.close();
})",
        R"(asio::awaitable<void> right(session& s)
{
    co_await s.open();
    std::exception_ptr error;
    try {
        co_await s.query();
    } catch (...) {
        error = std::current_exception();
    }
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    try {
        co_await s.close();
    } catch (...) {
        if (!error)
            throw;
    }
    if (error)
        std::rethrow_exception(error);
})",
        "closes_everything"},
    {"close-replaces-error",
        "A clean-up may throw while an earlier error is held: the caller then sees the wrong one.",
        R"(asio::awaitable<void> wrong(session& s)
{
    std::exception_ptr error;
    try {
        co_await s.query();
    } catch (...) {
        error = std::current_exception();
    }
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    co_await s.close(); // throws: `error` is lost
    if (error)
        std::rethrow_exception(error);
})",
        R"(asio::awaitable<void> right(session& s, std::function<void(std::exception_ptr)> log)
{
    std::exception_ptr error;
    try {
        co_await s.query();
    } catch (...) {
        error = std::current_exception();
    }
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    try {
        co_await s.close();
    } catch (...) {
        if (!error)
            throw;
        log(std::current_exception());
    }
    if (error)
        std::rethrow_exception(error);
})",
        "preserves_error"},
    {"unshielded-cleanup",
        "In a cancelled coroutine each `co_await` throws at once, so a clean-up must switch cancellation off "
        "first.",
        R"(asio::awaitable<void> wrong(session& s, std::function<void(std::exception_ptr)> log)
{
    co_await s.open();
    std::exception_ptr error;
    try {
        co_await s.query();
    } catch (...) {
        error = std::current_exception();
    }
    try {
        co_await s.close(); // after a cancellation this does nothing but throw
    } catch (...) {
        log(std::current_exception());
    }
    if (error)
        std::rethrow_exception(error);
})",
        R"(asio::awaitable<void> right(session& s, std::function<void(std::exception_ptr)> log)
{
    co_await s.open();
    std::exception_ptr error;
    try {
        co_await s.query();
    } catch (...) {
        error = std::current_exception();
    }
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    try {
        co_await s.close();
    } catch (...) {
        log(std::current_exception());
    }
    if (error)
        std::rethrow_exception(error);
})",
        "closes_everything", "switches cancellation off before the statement"},
    {"closes-uncreated", "A clean-up also runs where the creation failed, on something that never was.",
        R"(asio::awaitable<void> wrong(session& s)
{
    std::exception_ptr error;
    try {
        co_await s.open();
        co_await s.query();
    } catch (...) {
        error = std::current_exception();
    }
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    try {
        co_await s.close(); // even if open() threw
    } catch (...) {
    }
    if (error)
        std::rethrow_exception(error);
})",
        R"(asio::awaitable<void> right(session& s)
{
    bool opened = false;
    std::exception_ptr error;
    try {
        co_await s.open();
        opened = true;
        co_await s.query();
    } catch (...) {
        error = std::current_exception();
    }
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    try {
        if (opened)
            co_await s.close();
    } catch (...) {
    }
    if (error)
        std::rethrow_exception(error);
})",
        "closes_only_what_exists"},
    {"or-as-timeout",
        "`a || b` waits for the timer when the operation throws, and drops a result that arrives together "
        "with it.",
        R"(asio::awaitable<void> wrong(session& s)
{
    using namespace asio::experimental::awaitable_operators;
    asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::seconds(5));
    co_await (s.open() || timer.async_wait(asio::use_awaitable));
})",
        R"(asio::awaitable<void> right(session& s)
{
    co_await with_deadline([&] { return s.open(); }, std::chrono::seconds(5));
})",
        "honours_timeout"},
    {"detached-cleanup",
        "A clean-up that nobody waits for has no deadline either: it may outlive what it uses.",
        R"(void wrong(asio::any_io_executor executor, std::shared_ptr<session> s)
{
    asio::co_spawn(executor, [s]() -> asio::awaitable<void> { co_await s->close(); }, asio::detached);
})",
        R"(void right(asio::any_io_executor executor, std::shared_ptr<session> s)
{
    asio::co_spawn(
        executor,
        [s]() -> asio::awaitable<void> {
            co_await with_deadline([&] { return s->close(); }, std::chrono::seconds(5));
        },
        asio::detached);
})",
        "no_stray_work"},
    {"swallowed-exception",
        "An exception is dropped and nobody is told; in a coroutine that includes its own cancellation.",
        R"(asio::awaitable<void> wrong(session& s)
{
    try {
        co_await s.query();
    } catch (...) {
    }
})",
        R"(asio::awaitable<void> right(session& s, std::function<void(std::exception_ptr)> log)
{
    try {
        co_await s.query();
    } catch (...) {
        log(std::current_exception());
        throw;
    }
})",
        "swallows_no_error"},
    {"throwing-destructor", "An exception that leaves a destructor ends the program.",
        R"(struct wrong
{
    bool open = true;
    ~wrong()
    {
        if (open)
            throw std::logic_error("still open");
    }
};)",
        R"(struct right
{
    bool open = true;
    ~right() { assert(!open); }
};)",
        "no_escape"},
    {"blocking-destructor",
        "A destructor that waits for asynchronous work blocks the thread which that work may need.",
        R"(struct wrong
{
    std::future<void> closed;
    ~wrong() { closed.wait(); }
};)",
        R"(struct right
{
    std::future<void> closed;
    void wait_until_closed() { closed.get(); } // called by whoever runs on another thread
};)",
        "blocks_the_thread"},
    {"permit-lost",
        "A permit, a lock, a counter or an entry is taken before a `co_await` and given back only on "
        "success.",
        R"(struct wrong
{
    int in_use = 0;
    asio::awaitable<void> use(session& s)
    {
        ++in_use;
        co_await s.query(); // throws: the count stays up for ever
        --in_use;
    }
};)",
        R"(struct right
{
    int in_use = 0;
    asio::awaitable<void> use(session& s)
    {
        ++in_use;
        std::exception_ptr error;
        try {
            co_await s.query();
        } catch (...) {
            error = std::current_exception();
        }
        --in_use;
        if (error)
            std::rethrow_exception(error);
    }
};)",
        "recovers"},
    {"lock-across-await",
        "A thread's lock is held while a coroutine is suspended: it may resume on another thread, or never.",
        R"(asio::awaitable<void> wrong(session& s, std::mutex& mutex)
{
    std::lock_guard<std::mutex> lock(mutex);
    co_await s.query();
})",
        R"(asio::awaitable<void> right(session& s, std::mutex& mutex, int& count)
{
    {
        std::lock_guard<std::mutex> lock(mutex);
        ++count;
    }
    co_await s.query();
})",
        "completes"},
    {"waiter-keeps-place",
        "A waiter that is cancelled or gives up stays in the line, and the next wake-up is lost on it.",
        R"(struct wrong
{
    std::list<asio::steady_timer*> waiters;
    asio::awaitable<void> wait()
    {
        asio::steady_timer mine(co_await asio::this_coro::executor, std::chrono::seconds(5));
        waiters.push_back(&mine);
        co_await mine.async_wait(asio::use_awaitable);
    }
};)",
        R"(struct right
{
    std::list<asio::steady_timer*> waiters;
    asio::awaitable<void> wait()
    {
        asio::steady_timer mine(co_await asio::this_coro::executor, std::chrono::seconds(5));
        waiters.push_back(&mine);
        boost::system::error_code error;
        co_await mine.async_wait(asio::redirect_error(asio::use_awaitable, error));
        waiters.remove(&mine);
    }
};)",
        "completes"},
    {"discarded-release",
        "`unique_ptr::release()` frees nothing: where its result is dropped, the object leaks.",
        R"(void wrong(std::unique_ptr<int> p)
{
    p.release();
})",
        R"(void right(std::unique_ptr<int> p)
{
    p.reset();
})",
        "closes_everything"},
    {"timeout-restarted",
        "A relative timeout that a loop starts anew with each round: wake-ups put the deadline off for "
        "ever.",
        R"(bool wrong(
    std::mutex& mutex, std::condition_variable& changed, const bool& ready, std::chrono::seconds timeout)
{
    std::unique_lock<std::mutex> lock(mutex);
    while (!ready)
        if (changed.wait_for(lock, timeout) == std::cv_status::timeout)
            return false;
    return true;
})",
        R"(bool right(
    std::mutex& mutex, std::condition_variable& changed, const bool& ready, std::chrono::seconds timeout)
{
    std::unique_lock<std::mutex> lock(mutex);
    return changed.wait_for(lock, timeout, [&] { return ready; });
})",
        "honours_timeout"},
    {"handler-before-cleanup",
        "A completion handler runs before the clean-up: it may come back, or destroy the object that called "
        "it.",
        R"(struct wrong
{
    std::map<int, int> pending;
    void finish(int id, std::function<void()> handler)
    {
        handler();
        pending.erase(id);
    }
};)",
        R"(struct right
{
    std::map<int, int> pending;
    void finish(int id, std::function<void()> handler)
    {
        pending.erase(id);
        handler();
    }
};)",
        "recovers"},
    {"commit-in-destructor", "A destructor also runs on errors: what commits there commits half of the work.",
        R"(struct wrong
{
    session& s;
    ~wrong() { s.commit(); }
};)",
        R"(struct right
{
    session& s;
    bool done = false;
    asio::awaitable<void> commit()
    {
        co_await s.commit();
        done = true;
    }
    ~right()
    {
        if (!done)
            s.force_close();
    }
};)",
        "commits_or_rolls_back"},
    {"double-close", "One path cleans the same thing up twice.",
        R"(asio::awaitable<void> wrong(session& s, bool failed)
{
    co_await s.close();
    if (failed)
        co_await s.close();
})",
        R"(asio::awaitable<void> right(session& s, bool failed)
{
    if (failed)
        s.force_close();
    else
        co_await s.close();
})",
        "closes_once"},
    {"validates-late", "Arguments are checked only after something was created, which then has to be undone.",
        R"(asio::awaitable<void> wrong(session& s, int size)
{
    co_await s.open();
    if (size <= 0)
        throw std::invalid_argument("size");
})",
        R"(asio::awaitable<void> right(session& s, int size)
{
    if (size <= 0)
        throw std::invalid_argument("size");
    co_await s.open();
})",
        "validates_first"},
    {"unbounded-call",
        "A call that can hang has no deadline: a shutdown that waits for its peer, or a timeout that is "
        "never read.",
        R"(asio::awaitable<void> wrong(session& s, std::chrono::seconds timeout)
{
    co_await s.open();
})",
        R"(asio::awaitable<void> right(session& s, std::chrono::seconds timeout)
{
    co_await with_deadline([&] { return s.open(); }, timeout);
})",
        "completes"},
    {"lends-twice", "A manager runs its body a second time on the same path.",
        R"(template <class Body>
asio::awaitable<void> wrong(session& first, session& second, Body body)
{
    co_await body(first);
    co_await body(second);
})",
        R"(template <class Body>
asio::awaitable<void> right(session& first, session& second, Body body)
{
    co_await body(first, second);
})",
        "body_runs_once"},
    {"never-closed", "A class creates a resource and keeps it, and nothing in the class ever closes it.",
        R"(struct wrong
{
    std::shared_ptr<session> kept;
    asio::awaitable<void> start()
    {
        auto made = std::make_shared<session>();
        co_await made->open();
        kept = made;
    }
};)",
        R"(struct right
{
    std::shared_ptr<session> kept;
    asio::awaitable<void> start()
    {
        auto made = std::make_shared<session>();
        co_await made->open();
        kept = made;
    }
    asio::awaitable<void> stop() { co_await kept->close(); }
};)",
        "closes_everything"},
};

} // namespace

std::span<const check> checks() { return table; }

} // namespace mishap::tools
