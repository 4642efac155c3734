// Goal: contexts keep their protocol: what is lent is cleaned up whatever the body did, and no error is lost.
// Method: the protocol alone on a plain io_context, as in production; then managers made of contexts, in the
// simulation, with every fault and every cancellation that a sweep finds.

#include "simulate.hpp"

#include <mishap/context.hpp>
#include <mishap/explore.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>

#include <memory>
#include <string>
#include <tuple>
#include <vector>

namespace {

using mishap::context;
using mishap::context_error;

// The protocol, without a simulation
// ----------------------------------------------------------------------------------------------------

/// Lets others run, so that a coroutine is suspended for real.
asio::awaitable<void> turn() { co_await asio::post(asio::use_awaitable); }

/// What came out of a coroutine on an io_context of its own.
struct ended
{
    std::exception_ptr error;
    bool done = false;

    /// The message of the error, or nothing.
    std::string what() const
    {
        try {
            if (error)
                std::rethrow_exception(error);
        } catch (const std::exception& e) {
            return e.what();
        } catch (int number) {
            return "the int " + std::to_string(number);
        }
        return {};
    }
};

template <class Main>
ended run_alone(Main main)
{
    asio::io_context io;
    ended end;
    asio::co_spawn(io, main(), [&](std::exception_ptr error) {
        end.error = error;
        end.done = true;
    });
    io.run();
    return end;
}

/// What happened, in order.
using journal = std::vector<std::string>;

struct thing
{
    journal& happened;
};

/// A context with everything in it that can go wrong.
struct options
{
    std::exception_ptr opening = {};
    std::exception_ptr closing = {};
    bool suppresses = false;
    bool translates = false;
};

context<thing> lend(journal& happened, const options& how)
{
    co_await turn();
    if (how.opening)
        std::rethrow_exception(how.opening);
    happened.push_back("open");
    thing lent{happened};
    std::exception_ptr error;
    try {
        co_yield lent;
    } catch (const std::exception& e) {
        happened.push_back("sees " + std::string(e.what()));
        error = std::current_exception();
        if (how.translates) {
            try {
                std::throw_with_nested(std::runtime_error("translated"));
            } catch (...) {
                error = std::current_exception();
            }
        }
    }
    co_await turn();
    happened.push_back("close");
    if (how.closing)
        std::rethrow_exception(how.closing);
    if (error && !how.suppresses)
        std::rethrow_exception(error);
}

std::exception_ptr error_of(const char* what) { return std::make_exception_ptr(std::runtime_error(what)); }

/// Lends to a body that fails with that error, or succeeds.
ended run_lending(journal& happened, const options& how, std::exception_ptr failing)
{
    return run_alone([&]() -> asio::awaitable<void> {
        const auto body = [failing](thing& lent) -> asio::awaitable<void> {
            co_await turn();
            lent.happened.push_back("body");
            if (failing)
                std::rethrow_exception(failing);
        };
        const auto report = [&happened](std::exception_ptr error) {
            happened.push_back("report " + ended{.error = error}.what());
        };
        co_await mishap::with(lend(happened, how), body, report);
    });
}

TEST(with, enters_runs_the_body_and_leaves)
{
    journal happened;
    const auto end = run_lending(happened, {}, nullptr);
    EXPECT_TRUE(end.done);
    EXPECT_EQ(end.what(), "");
    EXPECT_EQ(happened, (journal{"open", "body", "close"}));
}

TEST(with, throws_the_body_error_at_the_co_yield_and_then_at_the_caller)
{
    journal happened;
    const auto failing = error_of("lost");
    const auto end = run_lending(happened, {}, failing);
    EXPECT_EQ(end.error, failing);
    EXPECT_EQ(happened, (journal{"open", "body", "sees lost", "close"}));
}

TEST(with, passes_on_errors_of_any_type)
{
    journal happened;
    const auto end = run_alone([&]() -> asio::awaitable<void> {
        const auto plain = [](journal& into) -> context<journal> {
            co_yield into; // nothing catches: the error passes through
        };
        co_await mishap::with(plain(happened), [](journal&) -> asio::awaitable<void> { throw 42; });
    });
    EXPECT_EQ(end.what(), "the int 42");
}

TEST(with, does_not_run_the_body_when_entering_fails)
{
    journal happened;
    const auto failing = error_of("refused");
    EXPECT_EQ(run_lending(happened, {.opening = failing}, nullptr).error, failing);
    EXPECT_EQ(happened, journal{});
}

TEST(with, lets_a_context_suppress_the_body_error)
{
    journal happened;
    EXPECT_EQ(run_lending(happened, {.suppresses = true}, error_of("lost")).what(), "");
    EXPECT_EQ(happened, (journal{"open", "body", "sees lost", "close"}));
}

TEST(with, raises_a_clean_up_error_that_comes_alone)
{
    journal happened;
    const auto failing = error_of("stuck");
    EXPECT_EQ(run_lending(happened, {.closing = failing}, nullptr).error, failing);
    EXPECT_EQ(happened, (journal{"open", "body", "close"}));
}

TEST(with, reports_a_clean_up_error_beside_the_body_error)
{
    journal happened;
    const auto failing = error_of("lost");
    EXPECT_EQ(run_lending(happened, {.closing = error_of("stuck")}, failing).error, failing);
    EXPECT_EQ(happened, (journal{"open", "body", "sees lost", "close", "report stuck"}));
}

TEST(with, keeps_the_body_error_without_a_sink_and_with_one_that_throws)
{
    const auto failing = error_of("lost");
    for (const mishap::report_sink& sink :
        {mishap::report_sink(), mishap::report_sink([](std::exception_ptr) { throw 1; })}) {
        journal happened;
        const auto end = run_alone([&]() -> asio::awaitable<void> {
            const options how{.closing = error_of("stuck")};
            const auto body = [&](thing&) -> asio::awaitable<void> {
                std::rethrow_exception(failing);
                co_return;
            };
            co_await mishap::with(lend(happened, how), body, sink);
        });
        EXPECT_EQ(end.error, failing);
    }
}

TEST(with, lets_a_context_translate_the_body_error_if_it_keeps_it_nested)
{
    journal happened;
    const auto end = run_lending(happened, {.translates = true}, error_of("lost"));
    EXPECT_EQ(end.what(), "translated");
    EXPECT_EQ(happened, (journal{"open", "body", "sees lost", "close"}));
    try {
        std::rethrow_exception(end.error);
    } catch (const std::nested_exception& e) {
        EXPECT_EQ(ended{.error = e.nested_ptr()}.what(), "lost");
    } catch (...) {
        FAIL() << "the cause is lost";
    }
}

TEST(with, gives_what_the_body_gives)
{
    journal happened;
    std::unique_ptr<int> got;
    const auto end = run_alone([&]() -> asio::awaitable<void> {
        const options how;
        got = co_await mishap::with(lend(happened, how),
            [](thing&) -> asio::awaitable<std::unique_ptr<int>> { co_return std::make_unique<int>(7); });
    });
    EXPECT_EQ(end.what(), "");
    ASSERT_TRUE(got);
    EXPECT_EQ(*got, 7);
    EXPECT_EQ(happened, (journal{"open", "close"}));
}

TEST(with, says_so_when_a_value_is_suppressed)
{
    journal happened;
    const auto end = run_alone([&]() -> asio::awaitable<void> {
        const options how{.suppresses = true};
        co_await mishap::with(lend(happened, how), [](thing&) -> asio::awaitable<int> {
            throw std::runtime_error("lost");
            co_return 7;
        });
    });
    try {
        std::rethrow_exception(end.error);
    } catch (const context_error& e) {
        EXPECT_NE(std::string(e.what()).find("was to give a value"), std::string::npos) << e.what();
        try {
            std::rethrow_if_nested(e);
            FAIL() << "the cause is lost";
        } catch (const std::runtime_error& cause) {
            EXPECT_STREQ(cause.what(), "lost");
        }
    }
}

TEST(context, that_lends_nothing_is_an_error)
{
    const auto end = run_alone([]() -> asio::awaitable<void> {
        const auto empty = [](bool lends) -> context<int> {
            int lent = 1;
            if (lends)
                co_yield lent;
        };
        co_await mishap::with(empty(false), [](int&) -> asio::awaitable<void> {
            ADD_FAILURE() << "there is nothing to lend";
            co_return;
        });
    });
    EXPECT_NE(end.what().find("ended without lending anything"), std::string::npos) << end.what();
}

/// Lends two things, one after the other, and cleans up behind both.
context<int> lend_twice(journal& happened, std::exception_ptr closing)
{
    int first = 1;
    int second = 2;
    std::exception_ptr error;
    try {
        co_yield first;
        co_yield second;
    } catch (...) {
        error = std::current_exception();
    }
    co_await turn();
    happened.push_back("close");
    if (closing)
        std::rethrow_exception(closing);
    std::rethrow_exception(error);
}

TEST(context, that_lends_twice_is_an_error_and_cleans_up)
{
    journal happened;
    int bodies = 0;
    const auto end = run_alone([&]() -> asio::awaitable<void> {
        co_await mishap::with(lend_twice(happened, nullptr), [&](int&) -> asio::awaitable<void> {
            ++bodies;
            co_return;
        });
    });
    EXPECT_NE(end.what().find("came to a second co_yield"), std::string::npos) << end.what();
    EXPECT_EQ(bodies, 1);
    EXPECT_EQ(happened, journal{"close"});
}

TEST(context, that_lends_twice_nests_the_error_of_its_clean_up)
{
    journal happened;
    const auto closing = error_of("stuck");
    const auto end = run_alone([&]() -> asio::awaitable<void> {
        co_await mishap::with(
            lend_twice(happened, closing), [](int&) -> asio::awaitable<void> { co_return; });
    });
    EXPECT_NE(end.what().find("came to a second co_yield"), std::string::npos) << end.what();
    EXPECT_TRUE(mishap::detail::carries(end.error, closing));
}

TEST(context, that_lends_again_after_an_error_cannot_replace_it)
{
    journal happened;
    const auto stubborn = [](int& lent) -> context<int> {
        for (;;) {
            try {
                co_yield lent;
            } catch (...) { // and on it goes
            }
        }
    };
    const auto failing = error_of("lost");
    const auto end = run_alone([&]() -> asio::awaitable<void> {
        int lent = 1;
        const auto body = [&](int&) -> asio::awaitable<void> {
            std::rethrow_exception(failing);
            co_return;
        };
        const auto report = [&](std::exception_ptr error) {
            happened.push_back(ended{.error = error}.what());
        };
        co_await mishap::with(stubborn(lent), body, report);
    });
    EXPECT_EQ(end.error, failing);
    ASSERT_EQ(happened.size(), 1u);
    EXPECT_NE(happened[0].find("came to a second co_yield"), std::string::npos) << happened[0];
}

TEST(context, is_entered_once_and_left_once_in_that_order)
{
    const auto one = [](int& lent) -> context<int> { co_yield lent; };
    int lent = 1;
    EXPECT_NE(run_alone([&]() -> asio::awaitable<void> {
        auto c = one(lent);
        co_await c.exit(nullptr);
    })
                  .what()
                  .find("left once, and after it was entered"),
        std::string::npos);
    EXPECT_NE(run_alone([&]() -> asio::awaitable<void> {
        auto c = one(lent);
        EXPECT_EQ(&(co_await c.enter()).get(), &lent);
        EXPECT_FALSE(co_await c.exit(nullptr));
        co_await c.enter();
    })
                  .what()
                  .find("can be entered once"),
        std::string::npos);
}

TEST(context, moves_until_it_is_entered)
{
    const auto one = [](int& lent) -> context<int> { co_yield lent; };
    int first = 1;
    int second = 2;
    const auto end = run_alone([&]() -> asio::awaitable<void> {
        auto a = one(first);
        auto b = one(second);
        a = std::move(b);
        auto c = std::move(a);
        EXPECT_EQ((co_await c.enter()).get(), 2);
        EXPECT_FALSE(co_await c.exit(nullptr));
    });
    EXPECT_EQ(end.what(), "");
}

TEST(context, may_lend_what_it_yields_itself_and_what_derives_from_it)
{
    struct base
    {
        int value;
    };
    struct derived : base
    {};
    const auto temporary = []() -> context<std::tuple<int, int>> { co_yield std::tuple(1, 2); };
    const auto child = []() -> context<base> {
        derived lent{{3}};
        co_yield lent;
    };
    const auto end = run_alone([&]() -> asio::awaitable<void> {
        co_await mishap::with(temporary(), [](std::tuple<int, int>& both) -> asio::awaitable<void> {
            co_await turn();
            EXPECT_EQ(both, std::tuple(1, 2));
        });
        const int value =
            co_await mishap::with(child(), [](base& lent) -> asio::awaitable<int> { co_return lent.value; });
        EXPECT_EQ(value, 3);
    });
    EXPECT_EQ(end.what(), "");
}

TEST(context, runs_on_the_executor_of_whoever_enters)
{
    asio::io_context io;
    auto strand = asio::make_strand(io);
    const auto where = [&]() -> context<int> {
        int lent = 1;
        EXPECT_TRUE(co_await asio::this_coro::executor == asio::any_io_executor(strand));
        co_await turn();
        EXPECT_TRUE(strand.running_in_this_thread());
        co_yield lent;
        EXPECT_TRUE(co_await asio::this_coro::executor == asio::any_io_executor(strand));
        co_await turn();
        EXPECT_TRUE(strand.running_in_this_thread());
    };
    bool done = false;
    asio::co_spawn(
        strand,
        [&]() -> asio::awaitable<void> {
            co_await mishap::with(where(), [](int&) -> asio::awaitable<void> { co_await turn(); });
            EXPECT_TRUE(strand.running_in_this_thread());
        },
        [&](std::exception_ptr error) { done = !error; });
    io.run();
    EXPECT_TRUE(done);
}

/// Spawns `main`, lets it run until it waits, cancels it, lets it run on.
template <class Main>
ended run_cancelled(Main main)
{
    asio::io_context io;
    ended end;
    asio::cancellation_signal signal;
    asio::co_spawn(io, main(), asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr error) {
        end.error = error;
        end.done = true;
    }));
    io.poll();
    signal.emit(asio::cancellation_type::terminal);
    io.restart();
    io.run();
    return end;
}

bool is_abort(const std::exception_ptr& error)
{
    try {
        std::rethrow_exception(error);
    } catch (const boost::system::system_error& e) {
        return e.code() == asio::error::operation_aborted;
    } catch (...) {
        return false;
    }
}

/// Never expires by itself.
asio::awaitable<void> wait_for_ever()
{
    asio::steady_timer timer(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
    co_await timer.async_wait(asio::use_awaitable);
}

TEST(cancellation_of_a_context, reaches_the_operation_awaited_while_entering)
{
    journal happened;
    const auto waits = [](journal& into) -> context<journal> {
        try {
            co_await wait_for_ever();
        } catch (const boost::system::system_error&) {
            into.push_back("aborted");
            throw;
        }
        co_yield into;
    };
    const auto end = run_cancelled([&]() -> asio::awaitable<void> {
        co_await mishap::with(waits(happened), [](journal& into) -> asio::awaitable<void> {
            into.push_back("body");
            co_return;
        });
    });
    EXPECT_TRUE(is_abort(end.error));
    EXPECT_EQ(happened, journal{"aborted"});
}

TEST(cancellation_of_a_context, reaches_the_body_and_not_the_clean_up)
{
    journal happened;
    const auto end = run_cancelled([&]() -> asio::awaitable<void> {
        const options how;
        co_await mishap::with(lend(happened, how), [](thing&) { return wait_for_ever(); });
    });
    EXPECT_TRUE(is_abort(end.error));
    ASSERT_EQ(happened.size(), 3u);
    EXPECT_EQ(happened[2], "close"); // which is suspended once before
}

TEST(cancellation_of_a_context, that_comes_while_leaving_is_seen_afterwards)
{
    journal happened;
    asio::cancellation_signal signal;
    const auto end = run_alone([&]() -> asio::awaitable<void> {
        const auto inner = [&]() -> asio::awaitable<void> {
            const auto struck = [&]() -> context<journal> {
                co_yield happened;
                signal.emit(asio::cancellation_type::terminal);
                co_await turn();
                happened.push_back("close");
            };
            co_await mishap::with(struck(), [](journal&) -> asio::awaitable<void> { co_return; });
            happened.push_back("after");
            const bool noticed = (co_await asio::this_coro::cancellation_state).cancelled() ==
                                 asio::cancellation_type::terminal;
            happened.push_back(noticed ? "cancelled" : "not cancelled");
            co_await turn();
            happened.push_back("too far");
        };
        co_await asio::co_spawn(co_await asio::this_coro::executor, inner(),
            asio::bind_cancellation_slot(signal.slot(), asio::use_awaitable));
    });
    EXPECT_TRUE(is_abort(end.error));
    EXPECT_EQ(happened, (journal{"close", "after", "cancelled"}));
}

TEST(cancellation_of_a_context, is_what_this_coro_says_inside)
{
    bool shields = false;
    journal happened;
    const auto shielded = [&]() -> context<journal> {
        EXPECT_TRUE(co_await asio::this_coro::throw_if_cancelled());
        try {
            co_await wait_for_ever();
        } catch (const boost::system::system_error&) {
            happened.push_back("aborted");
        }
        EXPECT_EQ(
            (co_await asio::this_coro::cancellation_state).cancelled(), asio::cancellation_type::terminal);
        if (shields) {
            co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
            co_await turn(); // would throw otherwise
        } else {
            try {
                co_await turn();
                ADD_FAILURE() << "a cancelled coroutine goes on";
            } catch (const boost::system::system_error&) {
                happened.push_back("aborted again");
            }
            co_await asio::this_coro::throw_if_cancelled(false);
            EXPECT_FALSE(co_await asio::this_coro::throw_if_cancelled());
            co_await turn();
        }
        happened.push_back("open");
        co_yield happened;
    };
    for (const bool now : {false, true}) {
        shields = now;
        happened.clear();
        const auto end = run_cancelled([&]() -> asio::awaitable<void> {
            co_await mishap::with(shielded(), [](journal&) -> asio::awaitable<void> { co_return; });
        });
        EXPECT_EQ(end.what(), "");
        EXPECT_EQ(
            happened, shields ? (journal{"aborted", "open"}) : (journal{"aborted", "aborted again", "open"}));
    }
}

/// Sets a flag when it is destroyed.
struct flag_setter
{
    bool& flag;
    ~flag_setter() { flag = true; }
};

TEST(context, is_destroyed_with_whoever_awaits_it)
{
    // In which phase it waits for ever: entering, the body, leaving.
    for (int phase = 0; phase < 3; ++phase) {
        SCOPED_TRACE(phase);
        bool destroyed = false;
        {
            asio::io_context io;
            const auto waiting = [&]() -> context<int> {
                const flag_setter mark{destroyed};
                int lent = 1;
                if (phase == 0)
                    co_await wait_for_ever();
                co_yield lent;
                if (phase == 2)
                    co_await wait_for_ever();
            };
            asio::co_spawn(
                io,
                [&]() -> asio::awaitable<void> {
                    co_await mishap::with(waiting(), [&](int&) -> asio::awaitable<void> {
                        if (phase == 1)
                            co_await wait_for_ever();
                    });
                },
                [](std::exception_ptr) {});
            io.poll();
            EXPECT_FALSE(destroyed);
        }
        EXPECT_TRUE(destroyed);
    }
}

/// A class instead of a coroutine, which lends a value that `with` keeps.
class ticket_office
{
public:
    explicit ticket_office(journal& happened) : happened_(&happened) {}

    asio::awaitable<std::string> enter()
    {
        co_await turn();
        co_return "ticket";
    }

    asio::awaitable<bool> exit(std::exception_ptr error)
    {
        co_await turn();
        happened_->push_back(error ? "refund" : "used");
        co_return error != nullptr;
    }

private:
    journal* happened_;
};

TEST(with, takes_a_class_that_enters_and_exits)
{
    journal happened;
    const auto end = run_alone([&]() -> asio::awaitable<void> {
        co_await mishap::with(ticket_office(happened), [](std::string& lent) -> asio::awaitable<void> {
            EXPECT_EQ(lent, "ticket");
            co_return;
        });
        co_await mishap::with(ticket_office(happened),
            [](std::string&) -> asio::awaitable<void> { throw std::runtime_error("suppressed"); });
    });
    EXPECT_EQ(end.what(), "");
    EXPECT_EQ(happened, (journal{"used", "refund"}));
}

static_assert(mishap::async_context<context<int>>);
static_assert(mishap::async_context<ticket_office>);
static_assert(!mishap::async_context<asio::awaitable<int>>);
static_assert(!mishap::async_context<int>);

// Managers made of contexts, in the simulation
// ----------------------------------------------------------------------------------------------------

context<mishap::mock_resource> open_session(mishap::mock_resource& session)
{
    co_await session.create();
    std::exception_ptr error;
    try {
        co_yield session;
    } catch (...) {
        error = std::current_exception();
    }
    co_await session.close();
    if (error)
        std::rethrow_exception(error);
}

/// A session opened inside another one's body.
mishap::awaitable<void> nested(mishap::environment& env)
{
    const auto log = [&env](std::exception_ptr error) { env.report(error); };
    mishap::mock_resource outer("outer");
    mishap::mock_resource inner("inner");
    const auto both = [&](mishap::mock_resource&) {
        return mishap::with(open_session(inner), env.body(), log);
    };
    co_await mishap::with(open_session(outer), both, log);
}

mishap::awaitable<void> several(mishap::environment& env)
{
    const auto log = [&env](std::exception_ptr error) { env.report(error); };
    co_await env.clients([&](mishap::client& client) -> mishap::awaitable<void> {
        mishap::mock_resource session("session");
        co_await mishap::with(open_session(session), client.body(), log);
    });
}

testing::AssertionResult holds(const mishap::campaign_result& result)
{
    if (result.holds() && result.complete)
        return testing::AssertionSuccess();
    auto failure = testing::AssertionFailure() << result.covered << ' ' << result.invalid;
    for (const mishap::counterexample& c : result.counterexamples)
        failure << '\n' << mishap::report(c);
    return failure;
}

TEST(with, holds_under_any_two_mishaps_when_nested)
{
    const mishap::manager under_test(
        "nested", &nested, {.unbounded = {mishap::phase::create, mishap::phase::close}});
    EXPECT_TRUE(holds(mishap::sweep(under_test)));
}

TEST(with, holds_for_several_clients_whoever_fails_or_is_cancelled)
{
    const mishap::manager under_test(
        "several", &several, {.unbounded = {mishap::phase::create, mishap::phase::close}, .clients = 2});
    EXPECT_TRUE(holds(mishap::sweep(
        under_test, {.kinds = {mishap::fault::fail("io_error"), mishap::fault::fail("foreign"),
                         mishap::fault::fail_after_effect("io_error"), mishap::fault::cancel()}})));
}

TEST(with, holds_whatever_is_cancelled_in_any_way)
{
    const mishap::manager under_test(
        "nested", &nested, {.unbounded = {mishap::phase::create, mishap::phase::close}});
    EXPECT_TRUE(holds(
        mishap::sweep(under_test, {.perturbations = 3,
                                      .kinds = {mishap::fault::fail("io_error"), mishap::fault::cancel(),
                                          mishap::fault::cancel(mishap::cancellation::total)}})));
}

TEST(with, costs_no_step_of_its_own)
{
    // What it adds to a manager written by hand runs inline, so that plans by step mean the same in both.
    const auto by_hand = [](mishap::environment& env) -> mishap::awaitable<void> {
        mishap::mock_resource session("session");
        co_await session.create();
        co_await env.body()(session);
        co_await session.close();
    };
    const auto by_context = [](mishap::environment& env) -> mishap::awaitable<void> {
        mishap::mock_resource session("session");
        co_await mishap::with(open_session(session), env.body());
    };
    EXPECT_EQ(mishap::run(mishap::manager("hand", by_hand), {}).trace.steps,
        mishap::run(mishap::manager("context", by_context), {}).trace.steps);
}

} // namespace
