// SPDX-License-Identifier: MIT
// Goal: the ledger tells the life of each resource, and each operation has the name under which plans find
// it. Method: adapters that go through a resource's life and look at it on the way.

#include "support/under_test.hpp"

#include <mishap/error.hpp>
#include <mishap/input_error.hpp>

#include <boost/asio/post.hpp>

#include <string>
#include <utility>
#include <vector>

namespace {

using namespace selftest;

std::vector<std::string> operations_of(const run_result& done)
{
    std::vector<std::string> names;
    for (const auto& op : done.trace.operations)
        if (op.role != mishap::role::body)
            names.push_back(to_string(op.id));
    return names;
}

awaitable<bool> fails(awaitable<void> operation)
{
    try {
        co_await std::move(operation);
    } catch (...) {
        co_return true;
    }
    co_return false;
}

TEST(resource, is_usable_while_it_is_open)
{
    std::vector<bool> usable;
    run_under("", [&](environment&) -> awaitable<void> {
        mock_resource resource;
        usable.push_back(resource.usable());
        co_await resource.create();
        usable.push_back(resource.usable());
        co_await resource.use("query");
        usable.push_back(resource.usable());
        co_await resource.close();
        usable.push_back(resource.usable());
    });
    EXPECT_EQ(usable, (std::vector<bool>{false, true, true, false}));
}

TEST(resource, a_breaking_error_makes_it_unusable)
{
    for (const auto& [error, remains] : {std::pair{"io_error", true}, std::pair{"connection_reset", false}}) {
        bool usable = false;
        run_under("resource.query=fail(" + std::string(error) + ")", [&](environment&) -> awaitable<void> {
            mock_resource resource;
            co_await resource.create();
            const bool failed = co_await fails(resource.use("query"));
            EXPECT_TRUE(failed);
            usable = resource.usable();
            resource.force_close();
        });
        EXPECT_EQ(usable, remains) << error;
    }
}

TEST(resource, a_failed_create_opens_nothing)
{
    run_under("resource.create=fail(io_error)", [&](environment&) -> awaitable<void> {
        mock_resource resource;
        const bool failed = co_await fails(resource.create());
        EXPECT_TRUE(failed);
        EXPECT_FALSE(resource.usable());
    });
}

TEST(resource, a_use_gives_its_value)
{
    int answer = 0;
    run_under("", [&](environment&) -> awaitable<void> {
        mishap::resource session("session");
        co_await session.create();
        answer = co_await session.use("query", 42);
        co_await session.close();
    });
    EXPECT_EQ(answer, 42);
}

TEST(resource, operations_are_counted_by_lane_kind_and_name)
{
    const run_result done = run_under("", [](environment&) -> awaitable<void> {
        mishap::resource a("session");
        mishap::resource b("session");
        mishap::resource other("file");
        co_await a.create();
        co_await b.create();
        co_await other.create();
        co_await a.use("query");
        co_await b.use("query");
        co_await b.maintain("ping");
        co_await other.close();
        co_await b.close();
        co_await a.close();
    });
    EXPECT_EQ(operations_of(done),
        (std::vector<std::string>{"session.create#1", "session.create#2", "file.create#1", "session.query#1",
            "session.query#2", "session.ping#1", "file.close#1", "session.close#2", "session.close#1"}));
    EXPECT_EQ(done.trace.resources.size(), 3u);
    for (const auto& r : done.trace.resources)
        EXPECT_EQ(r.life, mishap::life::closed);
}

TEST(resource, a_create_after_a_failed_one_begins_another)
{
    const run_result done =
        run_under("resource.create#1=fail(io_error)", [](environment&) -> awaitable<void> {
            mock_resource resource;
            if (co_await fails(resource.create()))
                co_await resource.create();
            co_await resource.close();
        });
    EXPECT_EQ(operations_of(done),
        (std::vector<std::string>{"resource.create#1", "resource.create#2", "resource.close#2"}));
    EXPECT_EQ(done.trace.resources.size(), 2u);
}

TEST(resource, may_be_moved_while_it_is_open)
{
    const run_result done = run_under("", [](environment&) -> awaitable<void> {
        mock_resource first;
        co_await first.create();
        mock_resource second(std::move(first));
        co_await second.use("query");
        mock_resource third;
        third = std::move(second);
        EXPECT_TRUE(third.usable());
        co_await third.close();
    });
    EXPECT_TRUE(holds(done));
    EXPECT_EQ(done.trace.resources.size(), 1u);
}

TEST(resource, succeeds_after_one_suspension_or_at_once)
{
    for (const auto& [plan, expected] :
        {std::pair{"", "suspended"}, std::pair{"resource.create=ok_now resource.close=ok_now", "at once"}}) {
        bool other_ran = false;
        const run_result done = run_under(plan, [&other_ran](environment& env) -> awaitable<void> {
            mock_resource resource;
            asio::post(env.executor(), [&other_ran] { other_ran = true; });
            co_await resource.create();
            env.note(other_ran ? "suspended" : "at once");
            co_await resource.close();
        });
        EXPECT_EQ(done.trace.notes, std::vector<std::string>{expected});
    }
}

TEST(resource, a_cancelled_operation_stops)
{
    const run_result done = run_under("resource.use=hang", right);
    ASSERT_EQ(done.trace.operations.size(), 3u);
    EXPECT_EQ(done.trace.operations[1].result, mishap::result::aborted);
    EXPECT_NE(done.trace.operations[1].cancel_requested, mishap::none);
}

// What a manager lends is found inside the user's own fake: by base, by conversion, behind a pointer.
class fake_session
{
public:
    awaitable<void> open() { return resource_.create(); }
    awaitable<void> close() { return resource_.close(); }
    operator mishap::resource&() { return resource_; }

private:
    mishap::resource resource_{"session"};
};

TEST(environment, finds_the_resource_in_whatever_is_lent)
{
    const auto lends_twice = [](environment& env) -> awaitable<void> {
        fake_session by_conversion;
        const auto behind_a_pointer = std::make_unique<fake_session>();
        co_await by_conversion.open();
        co_await behind_a_pointer->open();
        co_await env.body()(by_conversion);
        co_await env.body()(behind_a_pointer);
        co_await behind_a_pointer->close();
        co_await by_conversion.close();
    };
    const run_result done = run_under("", lends_twice, patient);
    EXPECT_TRUE(breaks_only(done, "body_runs_once"));
    ASSERT_EQ(done.trace.bodies.size(), 2u);
    EXPECT_NE(done.trace.bodies[0].resource, done.trace.bodies[1].resource);
}

TEST(environment, the_scripted_body_makes_the_uses_of_the_contract)
{
    contract promises = patient;
    promises.work.uses = {"begin", "query", "query", "commit"};
    EXPECT_EQ(operations_of(run_under("", right, promises)),
        (std::vector<std::string>{"resource.create#1", "resource.begin#1", "resource.query#1",
            "resource.query#2", "resource.commit#1", "resource.close#1"}));
    promises.work.uses = {};
    EXPECT_EQ(operations_of(run_under("", right, promises)),
        (std::vector<std::string>{"resource.create#1", "resource.close#1"}));
}

TEST(environment, settings_are_read_as_what_they_are_asked_for)
{
    run_under("with(timeout=1.5s) with(flag=true) with(count=-3) with(ratio=0.25) with(name=a%20b)",
        [](environment& env) -> awaitable<void> {
            EXPECT_EQ(env.setting("timeout", std::chrono::milliseconds(0)), 1'500ms);
            EXPECT_EQ(env.setting("flag", false), true);
            EXPECT_EQ(env.setting("count", 0), -3);
            EXPECT_EQ(env.setting("ratio", 0.0), 0.25);
            EXPECT_EQ(env.setting("name", std::string()), "a b");
            EXPECT_EQ(env.setting("missing", 7), 7);
            co_return;
        });
}

TEST(environment, a_setting_that_cannot_be_read_is_named)
{
    const auto refused = [](const char* plan, auto otherwise) {
        std::string message;
        const auto swallows = [&](environment& env) -> awaitable<void> {
            try {
                env.setting("value", otherwise);
            } catch (const mishap::input_error&) {
            }
            co_return;
        };
        try {
            run_under(plan, swallows);
        } catch (const mishap::input_error& e) {
            message = e.what();
        }
        return message;
    };
    EXPECT_NE(refused("with(value=soon)", mishap::duration(5s)).find("the setting value: 'soon'"),
        std::string::npos);
    EXPECT_NE(refused("with(value=maybe)", true).find("'maybe', which is no bool"), std::string::npos);
    EXPECT_NE(refused("with(value=3x)", 3).find("'3x', which is no whole number"), std::string::npos);
    EXPECT_NE(refused("with(value=)", 3).find("'', which is no whole number"), std::string::npos);
    EXPECT_NE(refused("with(value=x)", 3.0).find("'x', which is no number"), std::string::npos);
    // A number that does not fit must not become another one.
    EXPECT_NE(refused("with(value=300)", std::uint8_t(3)).find("300"), std::string::npos);
    EXPECT_NE(refused("with(value=-1)", 3u).find("-1"), std::string::npos);
}

} // namespace
