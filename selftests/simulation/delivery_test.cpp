// SPDX-License-Identifier: MIT
// Goal: one plan drives every style of delivery, and the invariants judge managers the same way in each.
// Method: one correct session manager and a wrong one, in each style, under each kind of fault.

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

// The styles: what one operation looks like to the coroutine that makes it.

struct throwing_awaitable
{
    static mishap::awaitable<void> make(mishap::resource& on, role what, const char* name)
    {
        if (what == role::create)
            return on.create();
        return what == role::close ? on.close() : on.use(name);
    }
};

struct token_use_awaitable
{
    static mishap::awaitable<void> make(mishap::resource& on, role what, const char* name)
    {
        return on.async<void(error_code)>(what, name, asio::use_awaitable);
    }
};

struct token_exception_pointer
{
    static mishap::awaitable<void> make(mishap::resource& on, role what, const char* name)
    {
        return on.async<void(std::exception_ptr)>(what, name, asio::use_awaitable);
    }
};

struct token_deferred
{
    static mishap::awaitable<void> make(mishap::resource& on, role what, const char* name)
    {
        auto later = on.async<void(error_code)>(what, name, asio::deferred);
        co_await std::move(later)(asio::use_awaitable);
    }
};

struct token_as_tuple
{
    static mishap::awaitable<void> make(mishap::resource& on, role what, const char* name)
    {
        const auto [error, answer] =
            co_await on.async<void(error_code, int)>(what, name, asio::as_tuple(asio::use_awaitable), 42);
        EXPECT_EQ(answer, error ? 0 : 42);
        if (error)
            throw system_error(error);
    }
};

/// What a code base with result types makes of an operation, and what its edge makes of that.
struct result_type
{
    static mishap::awaitable<std::variant<int, error_code>> query(
        mishap::resource& on, role what, const char* name)
    {
        error_code error;
        const int answer = co_await on.async<void(error_code, int)>(
            what, name, asio::redirect_error(asio::use_awaitable, error), 42);
        if (error)
            co_return error;
        co_return answer;
    }

    static mishap::awaitable<void> make(mishap::resource& on, role what, const char* name)
    {
        const auto result = co_await query(on, what, name);
        if (const auto* error = std::get_if<error_code>(&result))
            throw system_error(*error);
    }
};

/// Boost's result type, which holds a code.
struct returned_code
{
    static mishap::awaitable<void> make(mishap::resource& on, role what, const char* name)
    {
        mishap::throw_error_of(co_await on.result(what, name, boost::system::result<int>(42)));
    }
};

/// A result type that holds an exception pointer.
struct returned_pointer
{
    struct outcome
    {
        explicit outcome(int value) : value(value) {}
        explicit outcome(std::exception_ptr error) : failed(std::move(error)) {}
        explicit operator bool() const noexcept { return !failed; }
        const std::exception_ptr& error() const noexcept { return failed; }

        int value = 0;
        std::exception_ptr failed;
    };

    static mishap::awaitable<void> make(mishap::resource& on, role what, const char* name)
    {
        mishap::throw_error_of(co_await on.result(what, name, outcome(42)));
    }
};

/// The ServiceResult of many code bases: an error of a type of its own, which no exception ever was.
struct service_error
{
    std::string name;
    std::string_view at;
    bool operator==(const service_error&) const = default;
};

struct service_result
{
    static service_result failure(service_error error) { return {.failed = std::move(error)}; }

    bool has_error() const noexcept { return failed.has_value(); }
    const service_error& error() const noexcept { return *failed; }

    int value = 0;
    std::optional<service_error> failed = {};
};

service_result fail_service(const mishap::failure& f, std::string_view at)
{
    // Coroutines of Asio's end by exception when they are cancelled, whatever else they return.
    if (f.code == asio::error::operation_aborted)
        std::rethrow_exception(f.thrown);
    return service_result::failure({std::string(f.name.text()), at});
}

struct returned_value
{
    static mishap::awaitable<void> make(mishap::resource& on, role what, const char* name)
    {
        mishap::throw_error_of(co_await on.result(what, name, service_result{.value = 42},
            [name](const mishap::failure& f) { return fail_service(f, name); }));
    }
};

struct blocking_value
{
    static mishap::awaitable<void> make(mishap::resource& on, role what, const char* name)
    {
        mishap::throw_error_of(on.result_now(what, name, service_result{.value = 42},
            [name](const mishap::failure& f) { return fail_service(f, name); }));
        co_return;
    }
};

struct callback
{
    static mishap::awaitable<void> make(mishap::resource& on, role what, const char* name)
    {
        // A hand-written callback, as legacy code has them, that passes on how it is cancelled.
        return asio::async_initiate<const asio::use_awaitable_t<>&, void(error_code)>(
            [&on, what, name](auto handler) {
                const auto slot = asio::get_associated_cancellation_slot(handler);
                on.async<void(error_code)>(what, name,
                    asio::bind_cancellation_slot(slot,
                        [handler = std::move(handler)](error_code e) mutable { std::move(handler)(e); }));
            },
            asio::use_awaitable);
    }
};

struct blocking_call
{
    static mishap::awaitable<void> make(mishap::resource& on, role what, const char* name)
    {
        on.now(what, name);
        co_return;
    }
};

struct blocking_code
{
    static mishap::awaitable<void> make(mishap::resource& on, role what, const char* name)
    {
        error_code error;
        on.now(what, name, error);
        if (error)
            throw system_error(error);
        co_return;
    }
};

/// How one operation is made in a style. The managers below are compiled once, not once for each style.
using operation_maker = mishap::awaitable<void> (*)(mishap::resource& on, role what, const char* name);

/// Correct, but for promising nothing about time.
mishap::awaitable<void> manage(mishap::environment& env, operation_maker make)
{
    mishap::resource session("session");
    co_await make(session, role::create, "create");
    std::exception_ptr error;
    auto work = env.body(
        [make](mishap::resource& s) -> mishap::awaitable<void> { co_await make(s, role::use, "query"); });
    try {
        co_await work(session);
    } catch (...) {
        error = std::current_exception();
    }
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    try {
        co_await make(session, role::close, "close");
    } catch (...) {
        if (!error)
            throw;
        env.report(std::current_exception());
    }
    if (error)
        std::rethrow_exception(error);
}

/// Lets an error of the close replace the body's.
mishap::awaitable<void> mismanage(mishap::environment& env, operation_maker make)
{
    mishap::resource session("session");
    co_await make(session, role::create, "create");
    std::exception_ptr error;
    auto work = env.body(
        [make](mishap::resource& s) -> mishap::awaitable<void> { co_await make(s, role::use, "query"); });
    try {
        co_await work(session);
    } catch (...) {
        error = std::current_exception();
    }
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    co_await make(session, role::close, "close");
    if (error)
        std::rethrow_exception(error);
}

struct style
{
    const char* name;
    operation_maker make;
    bool blocks = false;
};

mishap::manager right_manager(const style& in)
{
    return {"session", [make = in.make](mishap::environment& env) { return manage(env, make); }, patient};
}

mishap::manager wrong_manager(const style& in)
{
    return {"session", [make = in.make](mishap::environment& env) { return mismanage(env, make); }, patient};
}

class delivery : public testing::TestWithParam<style>
{
protected:
    static mishap::run_result run(std::string_view plan)
    {
        return mishap::run(right_manager(GetParam()), mishap::parse_plan(plan));
    }

    static std::string ending(const mishap::run_result& done)
    {
        const auto& client = done.trace.outcomes.front();
        if (client.stuck != mishap::none)
            return "hangs";
        if (!client.error)
            return "returns";
        const mishap::index source = find_source(done.trace, client.error);
        if (source == mishap::none || done.trace.operations[source].fault.error.empty())
            return "throws " + mishap::describe(client.error);
        const auto& op = done.trace.operations[source];
        return "throws " + std::string(op.fault.error.text()) + " of " + to_string(op.id);
    }
};

constexpr style styles[] = {
    {"throwing_awaitable", &throwing_awaitable::make},
    {"token_use_awaitable", &token_use_awaitable::make},
    {"token_exception_pointer", &token_exception_pointer::make},
    {"token_deferred", &token_deferred::make},
    {"token_as_tuple", &token_as_tuple::make},
    {"result_type", &result_type::make},
    {"returned_code", &returned_code::make},
    {"returned_pointer", &returned_pointer::make},
    {"returned_value", &returned_value::make},
    {"callback", &callback::make},
    {"blocking_call", &blocking_call::make, true},
    {"blocking_code", &blocking_code::make, true},
    {"blocking_value", &blocking_value::make, true},
};
INSTANTIATE_TEST_SUITE_P(styles, delivery, testing::ValuesIn(styles),
    [](const testing::TestParamInfo<style>& tested) { return std::string(tested.param.name); });

TEST_P(delivery, of_every_error_keeps_its_identity)
{
    for (const std::string error : {"io_error", "connection_reset", "timed_out", "value_error", "foreign"})
        for (const std::string operation : {"session.create", "session.query", "session.close"}) {
            const auto done = run(operation + "=fail(" + error + ")");
            EXPECT_HOLDS(done);
            EXPECT_EQ(ending(done), "throws " + error + " of " + operation + "#1");
        }
    const auto lost = run("session.close=fail_after_effect(io_error)");
    EXPECT_HOLDS(lost);
    EXPECT_EQ(ending(lost), "throws io_error of session.close#1");
}

TEST_P(delivery, of_equal_errors_tells_which_came_first)
{
    const auto done = run("session.query=fail(io_error) session.close=fail(io_error)");
    EXPECT_HOLDS(done);
    EXPECT_EQ(ending(done), "throws io_error of session.query#1");
    ASSERT_EQ(done.trace.reports.size(), 1u);
    EXPECT_EQ(find_source(done.trace, done.trace.reports[0].error), 2u);
    // The twin that gets it wrong is found out, equal codes or not.
    const mishap::manager wrong = wrong_manager(GetParam());
    const auto found =
        mishap::run(wrong, mishap::parse_plan("session.query=fail(io_error) session.close=fail(io_error)"));
    EXPECT_TRUE(found.violates("preserves_error")) << mishap::timeline(found);
}

TEST_P(delivery, takes_its_time)
{
    for (const char* plan : {"session.query=delay(3s)", "session.query=late(3s)", "session.query=ok_now"}) {
        const auto done = run(plan);
        EXPECT_HOLDS(done);
        EXPECT_EQ(ending(done), "returns");
        EXPECT_EQ(done.trace.events.back().at, std::string_view(plan).ends_with("(3s)") ? 3s : 0s) << plan;
        EXPECT_TRUE(done.trace.operations[1].perturbed) << plan;
    }
}

TEST_P(delivery, that_hangs_waits_for_its_caller_to_give_up)
{
    for (const char* plan : {"session.query=hang", "session.query=deaf"}) {
        const auto done = run(plan);
        EXPECT_HOLDS(done);
        if (GetParam().blocks) {
            // It cannot be expressed, so it did not happen.
            EXPECT_FALSE(done.trace.operations[1].perturbed);
            EXPECT_TRUE(done.fired.perturbations.empty());
            EXPECT_EQ(ending(done), "returns");
        } else {
            EXPECT_TRUE(done.trace.operations[1].perturbed);
            EXPECT_EQ(ending(done), "hangs");
        }
    }
}

TEST_P(delivery, stops_when_its_client_is_cancelled)
{
    const auto during = run("session.query=cancel");
    EXPECT_HOLDS(during);
    const auto before = run("cancel(c0 before session.query)");
    EXPECT_HOLDS(before);
    if (GetParam().blocks) {
        // Nobody was suspended: the cancellation came, and found nothing more to stop.
        EXPECT_EQ(ending(during), "returns");
    } else {
        EXPECT_EQ(ending(during), "throws operation_aborted");
        EXPECT_EQ(ending(before), "throws operation_aborted");
        for (const auto& op : before.trace.operations)
            EXPECT_NE(to_string(op.id), "session.query#1") << "it was to be stopped before that";
    }
}

TEST_P(delivery, holds_under_any_two_mishaps)
{
    const mishap::manager under_test = right_manager(GetParam());
    const auto result =
        mishap::sweep(under_test, {.kinds = {mishap::fault::fail("io_error"), mishap::fault::fail("foreign"),
                                       mishap::fault::fail_after_effect("io_error"), mishap::fault::hang(),
                                       mishap::fault::delay(1s), mishap::fault::late(1s)}});
    std::string text;
    for (const auto& c : result.counterexamples)
        text += mishap::report(c);
    EXPECT_TRUE(result.holds() && result.complete) << text << result.invalid;
    // What a style cannot express is not planned either.
    EXPECT_EQ(result.coverage.at("session.query")[std::size_t(mishap::fault_kind::hang)].planned == 0,
        GetParam().blocks);
    for (const auto& [name, cells] : result.coverage)
        for (const auto& cell : cells)
            EXPECT_EQ(cell.planned, cell.fired) << name;
}

TEST_P(delivery, of_a_wrong_manager_is_found_by_a_sweep)
{
    const mishap::manager wrong = wrong_manager(GetParam());
    const auto result = mishap::sweep(wrong, {.kinds = {mishap::fault::fail("io_error")}});
    ASSERT_EQ(result.counterexamples.size(), 1u);
    EXPECT_EQ(result.counterexamples[0].invariant, "preserves_error");
    EXPECT_EQ(to_string(result.counterexamples[0].minimal.fired),
        "session.query=fail(io_error) session.close=fail(io_error)");
}

} // namespace
