// SPDX-License-Identifier: MIT
// Goal: a client, or the whole world, is destroyed where it is suspended, and only destructors act.
// Method: pools whose leases come back by destructor, or do not; plans in the text form; every step of
// managers that wait in Asio's own compositions, which ASan watches.

#include "simulate.hpp"

#include "shared/with_deadline.hpp"

#include <mishap/explore.hpp>
#include <mishap/input_error.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/redirect_error.hpp>

#include <algorithm>
#include <deque>
#include <memory>
#include <string>

namespace {

/// Lends one session to whoever comes, in order; the others wait. By `how`, a client that goes without a word
/// still gives back.
enum class gives_back
{
    by_destructor,
    by_hand,
};

class pool_of_one
{
public:
    explicit pool_of_one(mishap::resource& session) : session_(session) {}

    mishap::awaitable<void> with_session(mishap::client& client, gives_back how)
    {
        while (taken_) {
            turn mine(*this, co_await asio::this_coro::executor);
            boost::system::error_code ignored;
            co_await mine.timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
            const auto state = co_await asio::this_coro::cancellation_state;
            if (state.cancelled() != asio::cancellation_type::none)
                throw boost::system::system_error(
                    asio::error::make_error_code(asio::error::operation_aborted));
        }
        taken_ = true;
        if (how == gives_back::by_destructor) {
            const lease mine{*this};
            co_await client.body(session_);
        } else {
            std::exception_ptr error;
            try {
                co_await client.body(session_);
            } catch (...) {
                error = std::current_exception();
            }
            give_back();
            if (error)
                std::rethrow_exception(error);
        }
    }

private:
    struct lease
    {
        pool_of_one& from;
        ~lease() { from.give_back(); }
    };

    struct turn
    {
        turn(pool_of_one& in, const asio::any_io_executor& executor)
            : pool(in), timer(executor, asio::steady_timer::time_point::max())
        {
            pool.waiting_.push_back(this);
        }
        ~turn()
        {
            std::erase(pool.waiting_, this);
            pool.wake_one(); // who was woken in vain wakes the next one
        }
        pool_of_one& pool;
        asio::steady_timer timer;
    };

    void give_back()
    {
        taken_ = false;
        wake_one();
    }
    void wake_one()
    {
        if (!taken_ && !waiting_.empty())
            waiting_.front()->timer.cancel();
    }

    mishap::resource& session_;
    bool taken_ = false;
    std::deque<turn*> waiting_;
};

mishap::manager one_session(gives_back how)
{
    return {"one_session",
        [how](mishap::environment& env) -> mishap::awaitable<void> {
            mishap::mock_resource session("session");
            co_await session.create();
            pool_of_one pool(session);
            co_await env.clients([&](mishap::client& client) -> mishap::awaitable<void> {
                co_await pool.with_session(client, how);
            });
            co_await session.close();
        },
        {.time = {.unbounded = {mishap::phase::create, mishap::phase::close, mishap::phase::acquire}},
            .capacity = {.resources = 1}}};
}

TEST(abandoned_client, gives_back_by_its_destructors)
{
    const auto plan = mishap::parse_plan("abandon(c0 queued c0/session.use)");
    const auto right = mishap::run(one_session(gives_back::by_destructor), plan);
    EXPECT_HOLDS(right);
    EXPECT_EQ(right.trace.outcomes[0].ending, mishap::ending::abandoned);
    EXPECT_EQ(right.trace.outcomes[1].ending, mishap::ending::returned);
    EXPECT_EQ(mishap::to_string(right.fired), "abandon(c0 queued c0/session.use#1)");

    const auto wrong = mishap::run(one_session(gives_back::by_hand), plan);
    EXPECT_TRUE(wrong.violates("completes")) << why(wrong) << mishap::timeline(wrong);
}

TEST(abandoned_client, while_it_waits_leaves_the_line)
{
    const auto run = mishap::run(one_session(gives_back::by_destructor),
        mishap::parse_plan("c0/session.use=delay(5s) abandon(c1 queued c0/session.use)"));
    EXPECT_HOLDS(run);
    EXPECT_EQ(run.trace.outcomes[1].ending, mishap::ending::abandoned);
    EXPECT_EQ(run.trace.outcomes[2].ending, mishap::ending::returned);
}

TEST(abandonment, of_anybody_at_any_step_is_swept)
{
    const mishap::sweep_options options{
        .perturbations = 2, .kinds = {mishap::fault::fail("io_error")}, .abandon = true};
    const auto right = mishap::sweep(one_session(gives_back::by_destructor), options);
    EXPECT_TRUE(right.holds()) << (right.counterexamples.empty() ? right.invalid
                                                                 : mishap::report(right.counterexamples[0]));
    EXPECT_TRUE(right.complete) << right.covered;
    EXPECT_NE(right.covered.find("abandonment"), std::string::npos) << right.covered;
    const auto wrong = mishap::sweep(one_session(gives_back::by_hand), options);
    EXPECT_TRUE(wrong.violates("completes")) << mishap::summary(wrong);
}

TEST(abandonment, is_drawn_at_random_when_asked_for)
{
    const auto wrong =
        mishap::random_campaign(one_session(gives_back::by_hand), {.cases = 300, .abandon = true});
    EXPECT_TRUE(wrong.violates("completes")) << mishap::summary(wrong);
    const auto without = mishap::random_campaign(
        one_session(gives_back::by_hand), {.cases = 300, .kinds = {mishap::fault_kind::delay}});
    EXPECT_TRUE(without.holds()) << mishap::summary(without);
}

/// A session with deadlines, whose clean-up is shielded: what waits then hears of no cancellation.
mishap::awaitable<void> with_deadlines(mishap::environment& env)
{
    mishap::mock_resource session("session");
    co_await catalogue::with_deadline([&] { return session.create(); }, 5s);
    std::exception_ptr error;
    try {
        co_await catalogue::with_deadline(
            [&]() -> mishap::awaitable<void> { co_await env.body()(session); }, 9s);
    } catch (...) {
        error = std::current_exception();
    }
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    co_await catalogue::with_deadline([&] { return session.close(); }, 5s);
    if (error)
        std::rethrow_exception(error);
}

/// The same with Asio's own operators.
mishap::awaitable<void> with_operators(mishap::environment& env)
{
    using namespace asio::experimental::awaitable_operators;
    mishap::mock_resource session("session");
    asio::steady_timer timer(co_await asio::this_coro::executor, 5s);
    co_await (session.create() || timer.async_wait(asio::use_awaitable));
    timer.expires_after(5s);
    co_await (env.body()(session) || timer.async_wait(asio::use_awaitable));
    timer.expires_after(5s);
    co_await (session.close() || timer.async_wait(asio::use_awaitable));
}

TEST(abandonment, destroys_compositions_at_any_step)
{
    for (const auto& adapter : {mishap::adapter(with_deadlines), mishap::adapter(with_operators)}) {
        mishap::contract promises = nothing_promised();
        promises.time.unbounded.push_back(mishap::phase::acquire);
        const mishap::manager under_test("session", adapter, promises);
        for (const char* fault : {"", "session.create=hang", "session.use=hang", "session.close=hang",
                 "session.create=late(6s)", "session.use=fail(io_error)"})
            for (const char* whom : {"c0", "world"})
                for (int step = 1; step < 60; ++step) {
                    const auto run = mishap::run(
                        under_test, mishap::parse_plan(std::string(fault) + " abandon(" + whom + " after " +
                                                       std::to_string(step) + " steps)"));
                    const bool fired = !run.trace.strikes.empty();
                    EXPECT_FALSE(fired && run.violates("closes_everything"))
                        << mishap::to_string(run.plan) << why(run) << mishap::timeline(run);
                    EXPECT_FALSE(fired && run.violates("completes")) << why(run);
                }
    }
}

TEST(abandoned_world, runs_nothing_any_more)
{
    const auto run = mishap::run(
        one_session(gives_back::by_hand), mishap::parse_plan("abandon(world queued c0/session.use)"));
    EXPECT_HOLDS(run);
    ASSERT_NE(run.trace.world_abandoned, mishap::none);
    for (const mishap::outcome& client : run.trace.outcomes)
        EXPECT_EQ(client.ending, mishap::ending::abandoned);
    for (mishap::index i = run.trace.world_abandoned + 1; i < run.trace.events.size(); ++i)
        EXPECT_NE(run.trace.events[i].kind, mishap::event_kind::started);
}

TEST(abandoned_world, may_be_left_while_the_adapter_shuts_down)
{
    const auto run = mishap::run(
        one_session(gives_back::by_hand), mishap::parse_plan("abandon(world queued bg/session.close)"));
    EXPECT_HOLDS(run);
    EXPECT_EQ(run.trace.adapter.ending, mishap::ending::abandoned);
}

TEST(abandoned_clients, of_one_moment_all_go)
{
    const auto one = mishap::run(one_session(gives_back::by_destructor),
        mishap::parse_plan("c0/session.use=delay(1s) abandon(c0 after 9 steps)"));
    const auto two = mishap::run(one_session(gives_back::by_destructor),
        mishap::parse_plan("c0/session.use=delay(1s) abandon(c0 after 9 steps) abandon(c1 after 9 steps)"));
    EXPECT_HOLDS(one);
    EXPECT_HOLDS(two);
    for (int step = 5; step < 40; ++step) {
        const std::string at = std::to_string(step);
        const auto run = mishap::run(one_session(gives_back::by_destructor),
            mishap::parse_plan("abandon(c0 after " + at + " steps) abandon(c1 after " + at + " steps)"));
        // Whoever is gone does nothing more: its body is never left after its end but by destruction.
        for (const mishap::operation_record& op : run.trace.operations)
            if (op.id.lane == 0 || op.id.lane == 1) {
                const auto& client = run.trace.outcomes[static_cast<std::size_t>(op.id.lane)];
                EXPECT_TRUE(client.abandoned == mishap::none || op.started == mishap::none ||
                            op.started < client.abandoned)
                    << mishap::timeline(run);
            }
    }
}

TEST(abandoned_world, shows_what_keeps_itself_alive)
{
    // A session that owns itself is destroyed by nobody.
    struct connection
    {
        mishap::mock_resource session{"session"};
        std::shared_ptr<connection> self;
    };
    std::shared_ptr<connection> leaked;
    const mishap::manager cyclic(
        "cyclic",
        [&](mishap::environment& env) -> mishap::awaitable<void> {
            auto mine = std::make_shared<connection>();
            mine->self = mine;
            leaked = mine;
            co_await mine->session.create();
            co_await env.body()(mine->session);
            co_await mine->session.close();
            mine->self.reset();
        },
        nothing_promised());
    EXPECT_HOLDS(mishap::run(cyclic, {}));
    const auto run = mishap::run(cyclic, mishap::parse_plan("abandon(world queued session.use)"));
    EXPECT_TRUE(run.violates("closes_everything")) << mishap::timeline(run);
    leaked->self.reset();
}

TEST(abandoned_client, may_leave_a_detached_close_behind)
{
    // What destructors start runs: the client went, its executor did not.
    class closes_itself
    {
    public:
        explicit closes_itself(asio::any_io_executor executor) : executor_(std::move(executor)) {}
        closes_itself(const closes_itself&) = delete;
        ~closes_itself()
        {
            if (session->usable())
                asio::co_spawn(
                    executor_, [kept = session]() -> mishap::awaitable<void> { co_await kept->close(); },
                    asio::detached);
        }
        std::shared_ptr<mishap::mock_resource> session = std::make_shared<mishap::mock_resource>("session");

    private:
        asio::any_io_executor executor_;
    };
    mishap::contract promises = nothing_promised();
    promises.time.grace = 1s;
    const mishap::manager detached(
        "detached",
        [&](mishap::environment& env) -> mishap::awaitable<void> {
            const closes_itself mine(env.executor());
            co_await mine.session->create();
            co_await env.body()(*mine.session);
        },
        promises);
    const auto run = mishap::run(detached, mishap::parse_plan("abandon(c0 queued session.use)"));
    EXPECT_HOLDS(run);
    EXPECT_EQ(run.trace.operations.back().role, mishap::role::close) << mishap::timeline(run);
    EXPECT_EQ(run.trace.operations.back().result, mishap::result::ok);
}

TEST(abandonment, refuses_what_it_cannot_read)
{
    for (const char* plan :
        {"abandon(world)", "abandon(c0 before session.use)", "abandon(c0 during session.use)",
            "abandon(c0 queued session.use partial)", "abandon(everybody after 7 steps)", "abandon()"})
        EXPECT_THROW(mishap::parse_plan(plan), mishap::input_error) << plan;
}

// Deviations of the schedule

std::string order_of(const mishap::run_result& run, mishap::event_kind kind)
{
    std::string names;
    for (const mishap::event& e : run.trace.events)
        if (e.kind == kind && run.trace.operations[e.subject].role != mishap::role::body &&
            !run.trace.operations[e.subject].in_probe)
            names += mishap::to_string(run.trace.operations[e.subject].id, true) + " ";
    return names;
}

mishap::manager two_sessions()
{
    return {"sessions",
        [](mishap::environment& env) -> mishap::awaitable<void> {
            co_await env.clients([](mishap::client& client) -> mishap::awaitable<void> {
                mishap::mock_resource session("session");
                co_await session.create();
                co_await client.body(session);
                co_await session.close();
            });
        },
        {.time = {.unbounded = {mishap::phase::create, mishap::phase::close}}, .capacity = {.clients = 2}}};
}

TEST(deviation, lets_another_client_go_first)
{
    using enum mishap::event_kind;
    EXPECT_EQ(order_of(mishap::run(two_sessions(), {}), completed),
        "c0/session.create#1 c1/session.create#1 c0/session.use#1 c1/session.use#1 c0/session.close#1 "
        "c1/session.close#1 ");
    const auto run = mishap::run(two_sessions(), mishap::parse_plan("run(c1 before c0/session.create +2)"));
    EXPECT_EQ(order_of(run, completed),
        "c1/session.create#1 c1/session.use#1 c0/session.create#1 c1/session.close#1 c0/session.use#1 "
        "c0/session.close#1 ");
    EXPECT_EQ(mishap::to_string(run.fired), "run(c1 before c0/session.create#1 +2)");
    EXPECT_HOLDS(run);
}

TEST(deviation, for_a_client_with_nothing_to_do_changes_nothing)
{
    const auto plain = mishap::run(two_sessions(), mishap::parse_plan("sequential"));
    const auto run =
        mishap::run(two_sessions(), mishap::parse_plan("run(c1 before c0/session.close) sequential"));
    EXPECT_EQ(order_of(run, mishap::event_kind::completed), order_of(plain, mishap::event_kind::completed));
    EXPECT_HOLDS(run);
}

TEST(deviation, goes_together_with_a_fault_and_a_cancellation)
{
    const auto run = mishap::run(
        two_sessions(), mishap::parse_plan("run(c1 before c0/session.use +2) c0/session.use=fail(io_error) "
                                           "cancel(c1 queued c0/session.use)"));
    EXPECT_EQ(mishap::to_string(run.fired), "c0/session.use=fail(io_error) run(c1 before c0/session.use#1 "
                                            "+2) cancel(c1 queued c0/session.use#1)");
}

TEST(deviation, is_part_of_the_canonical_plan_whenever_it_held_something_back)
{
    // Every 64th run of a campaign is repeated from its canonical plan; these are all.
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
        const auto result = mishap::random_campaign(one_session(gives_back::by_hand),
            {.cases = 20,
                .seed = seed,
                .kinds = {mishap::fault_kind::delay, mishap::fault_kind::cancel, mishap::fault_kind::ok_now},
                .deviate = true});
        EXPECT_FALSE(result.violates("nondeterministic")) << mishap::summary(result);
        EXPECT_TRUE(result.holds()) << mishap::summary(result);
    }
}

TEST(deviation, reads_the_words_of_a_scenario_too)
{
    const auto plan = mishap::parse_plan("run(c1 before c0 at c0/session.close)");
    EXPECT_EQ(mishap::to_string(plan), "run(c1 before c0/session.close#1)");
    EXPECT_EQ(mishap::parse_plan(mishap::to_string(plan)), plan);
    for (const char* text : {"run(c1)", "run(c1 before c1/session.use)",
             "run(c1 before c2 at c0/session.use)", "run(c1 after c0/session.use)",
             "run(c1 before c0/session.use +0)", "run(c1 before c0/session.use now)"})
        EXPECT_THROW(mishap::parse_plan(text), mishap::input_error) << text;
}

TEST(deviation, finds_what_first_come_first_served_hides)
{
    // Sessions are taken for their clients' own in the order in which they opened.
    const auto manager = [](bool assumes_order) -> mishap::manager {
        return {"registry",
            [assumes_order](mishap::environment& env) -> mishap::awaitable<void> {
                std::deque<std::unique_ptr<mishap::mock_resource>> opened;
                co_await env.clients([&](mishap::client& client) -> mishap::awaitable<void> {
                    auto made = std::make_unique<mishap::mock_resource>("session");
                    mishap::mock_resource* const mine = made.get();
                    co_await made->create();
                    opened.push_back(std::move(made));
                    co_await client.body(*mine);
                    const auto place = std::min(static_cast<std::size_t>(client.index()), opened.size() - 1);
                    co_await (assumes_order ? *opened[place] : *mine).close();
                });
            },
            {.time = {.unbounded = {mishap::phase::create, mishap::phase::close, mishap::phase::other}},
                .capacity = {.clients = 2}}};
    };
    const mishap::sweep_options options{.kinds = {mishap::fault::ok_now()}, .deviate = true};
    const auto careful = mishap::sweep(manager(false), options);
    EXPECT_TRUE(careful.holds()) << mishap::summary(careful);
    EXPECT_NE(careful.covered.find("deviations"), std::string::npos) << careful.covered;
    EXPECT_HOLDS(mishap::run(manager(true), {}));
    const auto careless = mishap::sweep(manager(true), options);
    EXPECT_FALSE(careless.counterexamples.empty()) << mishap::summary(careless);
}

// Arrivals

TEST(arrivals, are_when_the_plan_says)
{
    const auto run =
        mishap::run(two_sessions(), mishap::parse_plan("arrive(c0 2s) c1/session.use=delay(5s)"));
    EXPECT_HOLDS(run);
    EXPECT_EQ(run.trace.time_of(run.trace.outcomes[0].started), 2s);
    EXPECT_EQ(run.trace.time_of(run.trace.outcomes[1].started), 0s);
    EXPECT_EQ(run.trace.time_of(run.trace.outcomes[1].ended), 5s);
    EXPECT_EQ(mishap::to_string(run.fired), "c1/session.use=delay(5s) arrive(c0 2s)");
    EXPECT_EQ(mishap::parse_plan("arrive(c0 2s)").arrivals.at(0), 2s);
    EXPECT_THROW(mishap::parse_plan("arrive(c0 2s) arrive(c0 3s)"), mishap::input_error);
    EXPECT_THROW(mishap::parse_plan("arrive(c0)"), mishap::input_error);
}

} // namespace
