// SPDX-License-Identifier: MIT
// Goal: each style of delivery keeps the promises that are its own: executor, cancellation slot, blocked
// time, identity of codes. Method: one small run for each promise.

#include "simulate.hpp"

#include <mishap/error.hpp>
#include <mishap/explore.hpp>
#include <mishap/plan.hpp>
#include <mishap/result.hpp>
#include <mishap/scenario.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/strand.hpp>

#include <boost/system/result.hpp>

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace {

using boost::system::error_code;
using boost::system::system_error;
using mishap::role;

// Results

enum class service_errc
{
    not_found,
    busy
};

MISHAP_ERROR(service_not_found, mishap::returned{service_errc::not_found});
MISHAP_ERROR(
    service_busy, mishap::returned{service_errc::busy}, {.breaking = true, .about = "come back later"});

/// Gives the registered value, and one for all the other errors.
struct enum_result
{
    bool has_value() const noexcept { return !failed; }
    service_errc error() const { return *failed; }

    std::optional<service_errc> failed = {};
};

mishap::awaitable<enum_result> ask(mishap::resource& session)
{
    return session.result(role::use, "query", enum_result{}, [](const mishap::failure& f) {
        const auto* const registered = f.value<service_errc>();
        return enum_result{registered ? *registered : service_errc::busy};
    });
}

TEST(results, give_the_value_that_was_registered)
{
    const auto answer_under = [](const char* plan) {
        std::optional<service_errc> got;
        const auto run = simulate(
            [&](mishap::resource& session) -> asio::awaitable<void> {
                got = (co_await ask(session)).failed;
                EXPECT_EQ(session.usable(), got != service_errc::busy);
            },
            mishap::parse_plan(plan));
        EXPECT_EQ(run.fired, mishap::parse_plan(plan));
        return got;
    };
    EXPECT_EQ(answer_under(""), std::nullopt);
    EXPECT_EQ(answer_under("session.query=fail(service_not_found)"), service_errc::not_found);
    EXPECT_EQ(answer_under("session.query=fail(service_busy)"), service_errc::busy);
}

TEST(results, that_were_registered_are_named_in_reports)
{
    const auto throws_it = [](mishap::resource& session) -> asio::awaitable<void> {
        mishap::throw_error_of(co_await ask(session));
    };
    const auto run = simulate(throws_it, mishap::parse_plan("session.query=fail(service_not_found)"));
    EXPECT_NE(mishap::timeline(run).find("throws service_not_found"), std::string::npos)
        << mishap::timeline(run);
    // Thrown where operations throw, it is the same value.
    EXPECT_EQ(mishap::describe(std::make_exception_ptr(service_errc::busy)), "service_busy");
}

TEST(results, that_stand_for_other_errors_are_told_by_their_value)
{
    const auto passes_on = [](mishap::resource& session) -> asio::awaitable<void> {
        mishap::throw_error_of(co_await ask(session));
    };
    const auto right = simulate(passes_on, mishap::parse_plan("session.query=fail(io_error)"));
    EXPECT_FALSE(right.violates("preserves_error") || right.violates("invents_no_error")) << why(right);
    const auto replaces = [](mishap::resource& session) -> asio::awaitable<void> {
        if (!(co_await ask(session)).has_value())
            throw service_errc::not_found;
    };
    const auto wrong = simulate(replaces, mishap::parse_plan("session.query=fail(io_error)"));
    EXPECT_TRUE(wrong.violates("preserves_error")) << mishap::timeline(wrong);
    const auto swallows = [](mishap::resource& session) -> asio::awaitable<void> { co_await ask(session); };
    const auto lost = simulate(swallows, mishap::parse_plan("session.query=fail(service_not_found)"));
    EXPECT_TRUE(lost.violates("swallows_no_error")) << mishap::timeline(lost);
}

// Completion tokens

TEST(async, never_calls_its_handler_from_within)
{
    for (const char* plan : {"", "session.query=ok_now", "session.query=fail(io_error)"}) {
        bool called = false;
        bool called_within = true;
        const auto run = simulate(
            [&](mishap::resource& session) -> asio::awaitable<void> {
                session.async<void(error_code)>(role::use, "query", [&](error_code) { called = true; });
                called_within = called;
                co_await asio::post(asio::use_awaitable);
                co_await asio::post(asio::use_awaitable);
            },
            mishap::parse_plan(plan));
        EXPECT_TRUE(called) << plan;
        EXPECT_FALSE(called_within) << plan;
    }
}

TEST(async, runs_its_handler_on_the_associated_executor)
{
    for (const char* plan : {"", "session.query=delay(1s)"}) {
        bool in_strand = false;
        bool elsewhere = true;
        simulate(
            [&](mishap::resource& session) -> asio::awaitable<void> {
                auto& env = mishap::environment::current();
                auto strand = asio::make_strand(env.executor());
                session.async<void(error_code)>(role::use, "query",
                    asio::bind_executor(
                        strand, [&](error_code) { in_strand = strand.running_in_this_thread(); }));
                session.async<void(error_code)>(role::use, "ping",
                    [&, strand](error_code) { elsewhere = strand.running_in_this_thread(); });
                co_await asio::steady_timer(env.executor(), 2s).async_wait(asio::use_awaitable);
            },
            mishap::parse_plan(plan));
        EXPECT_TRUE(in_strand) << plan;
        EXPECT_FALSE(elsewhere) << plan;
    }
}

TEST(async, is_stopped_through_the_cancellation_slot)
{
    std::vector<std::string> ends;
    const auto run = simulate(
        [&](mishap::resource& session) -> asio::awaitable<void> {
            asio::cancellation_signal signal;
            session.async<void(error_code, int)>(role::use, "query",
                asio::bind_cancellation_slot(signal.slot(),
                    [&](error_code error, int answer) {
                        ends.push_back(error == asio::error::operation_aborted ? "aborted" : "other");
                        EXPECT_EQ(answer, 0);
                    }),
                42);
            signal.emit(asio::cancellation_type::terminal);
            co_await asio::post(asio::use_awaitable);
            co_await asio::post(asio::use_awaitable);
        },
        mishap::parse_plan("session.query=hang"));
    EXPECT_EQ(ends, std::vector<std::string>{"aborted"});
    EXPECT_EQ(run.trace.operations[1].result, mishap::result::aborted);
}

TEST(async, that_is_left_hanging_fails_at_the_end_as_others_do)
{
    std::string end;
    const auto run = simulate(
        [&](mishap::resource& session) -> asio::awaitable<void> {
            session.async<void(error_code)>(role::use, "query", [&](error_code error) {
                end = error == asio::error::connection_aborted ? "peer gone" : error.message();
            });
            co_await asio::post(asio::use_awaitable);
        },
        mishap::parse_plan("session.query=hang"));
    EXPECT_EQ(end, "peer gone");
}

TEST(async, gives_move_only_results)
{
    int answer = 0;
    simulate([&](mishap::resource& session) -> asio::awaitable<void> {
        auto given = co_await session.async<void(error_code, std::unique_ptr<int>)>(
            role::use, "query", asio::use_awaitable, std::make_unique<int>(42));
        answer = *given;
    });
    EXPECT_EQ(answer, 42);
}

TEST(async, of_clients_in_lanes_is_counted_in_the_lane_of_the_handler)
{
    const auto run = mishap::run(mishap::manager([](mishap::environment& env) -> mishap::awaitable<void> {
        co_await env.clients([](mishap::client&) -> mishap::awaitable<void> {
            mishap::resource session("session");
            co_await session.async<void(error_code)>(role::create, "create", asio::use_awaitable);
            co_await session.async<void(error_code)>(role::close, "close", asio::use_awaitable);
        });
    }),
        mishap::parse_plan("c1/session.create=fail(io_error)"),
        {.contract = mishap::contract{.capacity = {.clients = 2}}});
    EXPECT_HOLDS(run);
    EXPECT_FALSE(run.trace.outcomes.at(0).error);
    EXPECT_EQ(mishap::describe(run.trace.outcomes.at(1).error), "io_error");
}

TEST(async, in_what_a_torn_down_run_destroys_starts_nothing)
{
    // The coroutine hangs for ever; when its frame is destroyed, a destructor starts operations.
    struct parting
    {
        mishap::resource& session;
        ~parting()
        {
            session.async<void(error_code)>(role::close, "close", [](error_code) {});
            error_code error;
            session.now(role::close, "close", error);
            EXPECT_FALSE(error);
        }
    };
    const auto run = mishap::run(mishap::manager([](mishap::environment& env) -> mishap::awaitable<void> {
        asio::co_spawn(
            env.executor(),
            []() -> asio::awaitable<void> {
                mishap::resource session("session");
                parting last{session};
                co_await session.create();
                asio::steady_timer never(
                    co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
                co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
                co_await never.async_wait(asio::use_awaitable);
            },
            [](std::exception_ptr) {});
        co_await asio::post(asio::use_awaitable);
    }),
        {});
    EXPECT_TRUE(run.violates("no_stray_work"));
    EXPECT_TRUE(run.violates("closes_everything")) << mishap::timeline(run);
}

// Codes

TEST(codes, compare_equal_and_are_told_apart)
{
    std::vector<error_code> codes;
    const auto run = simulate(
        [&](mishap::resource& session) -> asio::awaitable<void> {
            for (int i = 0; i < 2; ++i) {
                error_code error;
                co_await session.async<void(error_code)>(
                    role::use, "query", asio::redirect_error(asio::use_awaitable, error));
                codes.push_back(error);
            }
        },
        mishap::parse_plan("session.query#1=fail(io_error) session.query#2=fail(io_error)"));
    ASSERT_EQ(codes.size(), 2u);
    EXPECT_EQ(codes[0], codes[1]);
    EXPECT_EQ(codes[0], boost::system::errc::io_error);
    EXPECT_EQ(find_source(run.trace, codes[0]), 1u);
    EXPECT_EQ(find_source(run.trace, codes[1]), 2u);
    // Copied by hand into another exception, it is still the first one's.
    EXPECT_EQ(find_source(run.trace, std::make_exception_ptr(system_error(codes[0], "while querying"))), 1u);
    // Equal, but nobody injected it.
    const auto own = boost::system::errc::make_error_code(boost::system::errc::io_error);
    EXPECT_EQ(find_source(run.trace, own), mishap::none);
    EXPECT_EQ(find_source(run.trace, std::make_exception_ptr(system_error(own))), mishap::none);
    // Of an earlier run: in this one, that operation did not fail, or not so.
    const auto other = simulate([](mishap::resource&) -> asio::awaitable<void> { co_return; });
    EXPECT_EQ(find_source(other.trace, codes[0]), mishap::none);
}

TEST(codes, of_thrown_errors_are_recognised_where_a_manager_throws_them_anew)
{
    const auto run = simulate(
        [](mishap::resource& session) -> asio::awaitable<void> {
            std::optional<error_code> caught;
            try {
                co_await session.use("query");
            } catch (const system_error& e) {
                caught = e.code();
            }
            if (caught)
                throw system_error(*caught, "the query failed");
        },
        mishap::parse_plan("session.query=fail(io_error)"));
    const auto source = find_source(run.trace, run.trace.outcomes[0].error);
    ASSERT_NE(source, mishap::none);
    EXPECT_EQ(to_string(run.trace.operations[source].id), "session.query#1");
}

TEST(codes, of_errors_that_can_only_be_thrown_name_them)
{
    for (const char* name : {"foreign", "value_error"}) {
        const error_code code = code_of(mishap::get_error(name));
        EXPECT_TRUE(code.failed());
        EXPECT_STREQ(code.category().name(), "mishap");
        EXPECT_EQ(code.message(), name);
        EXPECT_EQ(mishap::describe(std::make_exception_ptr(system_error(code))), name);
    }
    EXPECT_NE(code_of(mishap::get_error("foreign")), code_of(mishap::get_error("value_error")));
    EXPECT_EQ(code_of(mishap::get_error("io_error")), boost::system::errc::io_error);
}

// Synchronous calls

TEST(now, that_takes_its_time_makes_timers_late)
{
    mishap::duration fired{0};
    simulate(
        [&](mishap::resource& session) -> asio::awaitable<void> {
            const auto start = std::chrono::steady_clock::now();
            asio::steady_timer timer(mishap::environment::current().executor(), 1s);
            timer.async_wait([&](error_code) { fired = std::chrono::steady_clock::now() - start; });
            session.now(role::use, "query");
            EXPECT_EQ(std::chrono::steady_clock::now() - start, 3s);
            co_await asio::post(asio::use_awaitable);
            co_await asio::steady_timer(timer.get_executor(), 1s).async_wait(asio::use_awaitable);
        },
        mishap::parse_plan("session.query=delay(3s)"));
    EXPECT_EQ(fired, 3s);
}

TEST(now, outside_its_run_is_refused)
{
    std::optional<mishap::resource> kept;
    simulate([&](mishap::resource&) -> asio::awaitable<void> {
        kept.emplace("session");
        co_return;
    });
    EXPECT_THROW(kept->now(role::use, "query"), std::logic_error);
}

// RAII

/// Opens at construction and closes at destruction, where errors go to the log.
class raii_session
{
public:
    explicit raii_session(mishap::environment& env) : env_(env) { resource_.now(role::create, "open"); }
    ~raii_session()
    {
        error_code error;
        resource_.now(role::close, "close", error);
        if (error)
            env_.report(std::make_exception_ptr(system_error(error)));
    }
    raii_session(const raii_session&) = delete;
    raii_session& operator=(const raii_session&) = delete;
    void query() { resource_.now(role::use, "query"); }
    operator mishap::resource&() { return resource_; }

private:
    mishap::environment& env_;
    mishap::resource resource_{"session"};
};

TEST(raii, with_a_close_in_the_destructor_holds)
{
    const mishap::manager under_test("raii", [](mishap::environment& env) -> mishap::awaitable<void> {
        raii_session session(env);
        auto work = env.body([](raii_session& s) -> mishap::awaitable<void> {
            s.query();
            co_return;
        });
        co_await work(session);
    });
    const auto result = mishap::sweep(under_test);
    std::string text;
    for (const auto& c : result.counterexamples)
        text += mishap::report(c);
    EXPECT_TRUE(result.holds() && result.complete) << text << result.invalid;
}

TEST(raii, with_a_destructor_that_throws_is_blamed)
{
    struct careless
    {
        mishap::resource& session;
        ~careless() { session.now(role::close, "close"); }
    };
    const auto run = simulate(
        [](mishap::resource& session) -> asio::awaitable<void> {
            const careless closes{session};
            co_return;
        },
        mishap::parse_plan("session.close=fail(io_error)"));
    EXPECT_TRUE(run.violates("no_escape")) << why(run);
    EXPECT_EQ(run.verdict.violations.front().sentence,
        "std::terminate was called while io_error (raised by session.close#1) was under way");
}

MISHAP_MANAGER(synchronous_session, mishap::environment& env)
{
    raii_session session(env);
    session.query();
    co_return;
}

MISHAP_MANAGER(leased_session, mishap::environment&)
{
    mishap::resource session("session");
    co_await session.create();
}

mishap::scenario_result run_scenario_text(const std::string& text)
{
    return mishap::run_scenario(
        mishap::parse_scenario("mishap: 1\nmanager: " + text, "delivery.yaml"), {.save_to = {}});
}

TEST(scenarios, in_which_a_synchronous_call_hangs_are_invalid_and_say_why)
{
    const auto result = run_scenario_text("synchronous_session\nfaults: {session.query: hang}\n");
    EXPECT_EQ(result.status, mishap::scenario_status::invalid);
    EXPECT_NE(
        result.failure.find("never fired, so this scenario tests nothing: it is a synchronous call, which "
                            "cannot hang"),
        std::string::npos)
        << result.failure;
}

TEST(scenarios, tighten_what_counts_as_a_close)
{
    const auto status = [](const std::string& terms) {
        return run_scenario_text("leased_session\n" + terms + "faults: {}\n").status;
    };
    EXPECT_EQ(status(""), mishap::scenario_status::failed);
    EXPECT_EQ(status("contract: {closed_by: operation}\n"), mishap::scenario_status::failed);
    EXPECT_EQ(status("contract: {closed_by: destruction}\n"), mishap::scenario_status::held);
    EXPECT_EQ(status("contract: {closed_by: either}\n"), mishap::scenario_status::held);
}

mishap::run_result leave(std::optional<mishap::closing> how, bool closes, bool leaks)
{
    mishap::contract promises = patient;
    if (how)
        promises.closing.by = *how;
    const mishap::manager under_test(
        "lease",
        [=](mishap::environment&) -> mishap::awaitable<void> {
            auto session = std::make_shared<mishap::resource>("session");
            co_await session->create();
            if (closes)
                co_await session->close();
            static std::vector<std::shared_ptr<mishap::resource>> leaked;
            leaked.clear();
            if (leaks)
                leaked.push_back(session);
        },
        promises);
    return mishap::run(under_test, {});
}

TEST(closed_by, says_what_counts_as_a_close)
{
    using mishap::closing;
    const std::string broken = "closes_everything";
    EXPECT_TRUE(leave({}, false, false).violates(broken));
    EXPECT_TRUE(leave({}, true, false).holds());
    EXPECT_TRUE(leave(closing::destruction, false, false).holds());
    EXPECT_TRUE(leave(closing::destruction, false, true).violates(broken));
    EXPECT_TRUE(leave(closing::destruction, true, false).violates(broken));
    EXPECT_TRUE(leave(closing::either, false, false).holds());
    EXPECT_TRUE(leave(closing::either, true, true).holds());
    EXPECT_TRUE(leave(closing::either, false, true).violates(broken));
}

TEST(closed_by, destruction_frees_a_place_of_the_capacity)
{
    const auto run_with = [](mishap::closing how) {
        mishap::contract promises = patient;
        promises.capacity.resources = 1;
        promises.capacity.clients = 2;
        promises.closing.by = how;
        mishap::fault_plan plan;
        plan.sequential = true;
        return mishap::run(mishap::manager("lease",
                               [](mishap::environment& env) -> mishap::awaitable<void> {
                                   co_await env.clients(
                                       [](mishap::client& client) -> mishap::awaitable<void> {
                                           mishap::resource session("session");
                                           co_await session.create();
                                           co_await client.body(session);
                                       });
                               }),
            plan, {.contract = promises});
    };
    EXPECT_HOLDS(run_with(mishap::closing::destruction));
    EXPECT_TRUE(run_with(mishap::closing::operation).violates("within_capacity"));
}

} // namespace
