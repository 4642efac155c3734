// SPDX-License-Identifier: MIT
#pragma once

#include <mishap/duration.hpp>
#include <mishap/manager.hpp>
#include <mishap/resource.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <charconv>
#include <concepts>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace boost::asio {
class io_context;
}

namespace mishap {

namespace detail {

/// Finds the ledger entry inside what a manager lends: a `resource`, something that converts to one, or a
/// pointer, smart or not, to either.
template <class Lent>
resource& resource_in(Lent& lent)
{
    if constexpr (std::is_base_of_v<resource, Lent>)
        return lent;
    else if constexpr (std::is_convertible_v<Lent&, resource&>)
        return static_cast<resource&>(lent);
    else if constexpr (requires { *lent; })
        return resource_in(*lent);
    else
        static_assert(std::is_base_of_v<resource, Lent>,
            "mishap cannot find the mishap::resource inside what the manager lends to the body: give the "
            "fake a conversion 'operator mishap::resource&()', or derive it from mishap::resource");
}

/// Finds the ledger entry beside what a manager lends: a resource itself, or a function that gives it.
template <class Beside>
auto locator(Beside&& beside)
{
    if constexpr (std::is_convertible_v<Beside&, resource&>)
        return [entry = &static_cast<resource&>(beside)](auto&) -> resource& { return *entry; };
    else
        return [find = std::forward<Beside>(beside)](auto& lent) -> resource& {
            if constexpr (std::invocable<const std::decay_t<Beside>&, decltype(lent)>)
                return find(lent);
            else
                return find();
        };
}

using body_work = std::function<awaitable<void>()>;

/// The lane of whoever runs.
inline constexpr lane current_lane = -3;

awaitable<void> run_body(world&, resource* lent, body_work, lane in);

/// Records that the adapter asked for its body, which it means to enter.
world& asked_for_body(world&) noexcept;

/// Settings arrive as text; these read them.
void read_setting(std::string_view name, const std::string& text, duration& into);
void read_setting(std::string_view name, const std::string& text, bool& into);
void read_setting(std::string_view name, const std::string& text, long long& into);
void read_setting(std::string_view name, const std::string& text, double& into);
void read_setting(std::string_view name, const std::string& text, std::string& into);

/// Throws `input_error`: the number does not fit what it is asked for as.
[[noreturn]] void refuse_setting(std::string_view name, const std::string& text);

/// While it lives, the lane of that executor waits for a callback, and hears of no cancellation.
class unheard_wait
{
public:
    explicit unheard_wait(const boost::asio::any_io_executor& of);
    ~unheard_wait();
    unheard_wait(const unheard_wait&) = delete;
    unheard_wait& operator=(const unheard_wait&) = delete;

    /// Whether this is the callback's first call. Another one is recorded as a failed expectation.
    bool is_first_call();

private:
    bool is_current() const;

    world* world_;
    std::uint64_t run_ = 0;
    lane lane_ = 0;
    bool called_ = false;
};

} // namespace detail

/// The scripted work, as a callable that a manager takes for its body: `co_await body(lent)` makes the uses
/// of the contract (`contract.work.uses`) on the lent resource and fails where the plan says so.
///
/// Copyable, and nothing in it dangles during the run.
class scripted_body
{
public:
    explicit scripted_body(detail::world& where, lane in = detail::current_lane) : world_(&where), lane_(in)
    {}

    template <class Lent>
    [[nodiscard("co_await it: nothing happens before that")]] awaitable<void> operator()(Lent&& lent) const
    {
        return detail::run_body(*world_, &detail::resource_in(lent), nullptr, lane_);
    }

    /// For managers that lend nothing, such as a lock.
    [[nodiscard("co_await it: nothing happens before that")]] awaitable<void> operator()() const
    {
        return detail::run_body(*world_, nullptr, nullptr, lane_);
    }

    /// Likewise, for managers that lend something which is no fake, such as a facade: `beside` is the
    /// resource that it stands for, or a function that gives it for what is lent.
    ///
    /// ```
    /// co_await app::with_client(pool, env.body().on([](app::client& c) -> mishap::resource& {
    ///     return static_cast<fake_connection&>(c.connection()).entry;
    /// }));
    /// ```
    template <class Beside>
    auto on(Beside&& beside) const
    {
        return [body = *this, at = detail::locator(std::forward<Beside>(beside))](
                   auto&& lent) { return body(at(lent)); };
    }

private:
    detail::world* world_;
    lane lane_;
};

/// The user's own work, with its entering and leaving marked for the invariants.
template <class Work>
class marked_body
{
public:
    marked_body(detail::world& where, Work work, lane in = detail::current_lane)
        : world_(&where), lane_(in), work_(std::make_shared<Work>(std::move(work)))
    {}

    template <class Lent>
    requires std::invocable<Work&, Lent&> awaitable<void>
    operator()(Lent&& lent) const
    {
        return detail::run_body(
            *world_, &detail::resource_in(lent),
            [work = work_, &lent]() -> awaitable<void> { return (*work)(lent); }, lane_);
    }

    awaitable<void> operator()() const requires std::invocable<Work&>
    {
        return detail::run_body(
            *world_, nullptr, [work = work_]() -> awaitable<void> { return (*work)(); }, lane_);
    }

    /// Likewise, on what is no fake: see `scripted_body::on`. The work gets what was lent.
    template <class Beside>
    auto on(Beside&& beside) const
    {
        return [body = *this, at = detail::locator(std::forward<Beside>(beside))](auto&& lent) {
            return detail::run_body(
                *body.world_, &at(lent),
                [work = body.work_, &lent]() -> awaitable<void> { return (*work)(lent); }, body.lane_);
        };
    }

private:
    detail::world* world_;
    lane lane_;
    std::shared_ptr<Work> work_;
};

/// One client of a manager that serves several: a body running in a lane of its own.
///
/// Lifetimes: valid until `environment::clients` returns.
class client
{
public:
    client(detail::world& where, int index) : world_(&where), index_(index) {}

    /// 0, 1, …; fresh clients that come after the others count on.
    int index() const noexcept { return index_; }

    /// Says which resources can serve this client, such as those of a host: those that were lent to a client
    /// of the same key. Where the contract says `keyed`, a client that says this must not be left waiting
    /// while one of them is idle or a slot is free.
    ///
    /// ```
    /// one.key(host);
    /// co_await pool.with(host, one.body());
    /// ```
    void key(std::string_view name) const;

    /// Says how this client holds its resource, such as `read`; see `capacity.together`.
    void mode(std::string_view name) const;

    /// Says how much of the capacity this client takes; gives that, or 1 for a fresh client.
    ///
    /// ```
    /// const auto permits = one.weight(2);
    /// co_await semaphore.with(permits, one.body());
    /// ```
    std::uint32_t weight(std::uint32_t units) const;

    /// The scripted work, on what the manager lends this client.
    template <class Lent>
    [[nodiscard("co_await it: nothing happens before that")]] awaitable<void> body(Lent&& lent) const
    {
        return detail::run_body(*world_, &detail::resource_in(lent), nullptr, static_cast<lane>(index_));
    }

    /// The user's own work on what the manager lends this client.
    template <class Lent, class Work>
    [[nodiscard("co_await it: nothing happens before that")]] awaitable<void> body(
        Lent&& lent, Work work) const
    {
        return marked_body<Work>(*world_, std::move(work), static_cast<lane>(index_))(
            std::forward<Lent>(lent));
    }

    /// The scripted work as a callable, for managers that take one.
    [[nodiscard("hand it to the manager, or co_await it with what is lent")]] scripted_body body() const
    {
        return scripted_body(*world_, static_cast<lane>(index_));
    }

private:
    detail::world* world_;
    int index_;
};

/// While it lives, virtual time stands still: a run that would have to wait is stuck at once, where it is.
///
/// For a part of an adapter that must not wait, such as a release that hands over directly.
class frozen_time
{
public:
    explicit frozen_time(detail::world& where);
    ~frozen_time();
    frozen_time(frozen_time&& other) noexcept : world_(std::exchange(other.world_, nullptr)) {}
    frozen_time& operator=(frozen_time&&) = delete;

private:
    detail::world* world_;
};

/// While it lives, code under test may start threads and use real descriptors. No stuck verdict is given,
/// since what happens outside the simulation could always go on.
class outside_allowed
{
public:
    explicit outside_allowed(detail::world& where);
    ~outside_allowed();
    outside_allowed(outside_allowed&& other) noexcept : world_(std::exchange(other.world_, nullptr)) {}
    outside_allowed& operator=(outside_allowed&&) = delete;

private:
    detail::world* world_;
};

/// While it lives, a counter of the manager's is compared with the ledger.
class statistic
{
public:
    statistic(detail::world& where, std::uint64_t id) : world_(&where), id_(id) {}
    ~statistic();
    statistic(statistic&& other) noexcept : world_(std::exchange(other.world_, nullptr)), id_(other.id_) {}
    statistic& operator=(statistic&&) = delete;

private:
    detail::world* world_;
    std::uint64_t id_;
};

class simulated_network;

/// What one run hands the adapter.
///
/// Lifetimes: valid until the run ends. Thread safety: none; a run has one thread.
class environment
{
public:
    explicit environment(detail::world& where) : world_(&where) {}
    environment(const environment&) = delete;
    environment& operator=(const environment&) = delete;

    /// The environment of the run under way on this thread, for code that constructs its own resources.
    ///
    /// Errors: throws `std::logic_error` when no run is under way.
    static environment& current();

    /// The simulation's executor, in the lane of the handler that asks.
    boost::asio::any_io_executor executor() const;

    /// The `io_context` under the simulation, for code that insists on one. Handlers posted to it directly
    /// run in its own order. Never call its `run()`.
    boost::asio::io_context& context() const;

    /// The scripted body, for managers that serve one client. An adapter whose manager has no body, such as
    /// that of a writer, never asks for one: a campaign in which a body that was asked for is never entered
    /// is invalid.
    [[nodiscard("hand it to the manager, or co_await it with what is lent")]] scripted_body body() const
    {
        return scripted_body(detail::asked_for_body(*world_));
    }

    /// A body that does the given work on what the manager lends it.
    template <class Work>
    marked_body<std::decay_t<Work>> body(Work&& work) const
    {
        return marked_body<std::decay_t<Work>>(detail::asked_for_body(*world_), std::forward<Work>(work));
    }

    /// Runs the clients: calls `serve` for each in a lane of its own, all at once or one after the other, as
    /// the contract and the plan say. Returns when all of them and the probes after them have ended. What
    /// `serve` throws is that client's outcome.
    ///
    /// Preconditions: the contract sets `capacity` or `clients`; called once per run.
    /// Errors: throws `std::logic_error` otherwise.
    [[nodiscard("co_await it: nothing happens before that")]] awaitable<void> clients(
        std::function<awaitable<void>(client&)> serve) const;

    /// The report sink: to be called by the manager's own logging hook with errors that nobody sees
    /// otherwise.
    void report(std::exception_ptr error) noexcept;

    /// Compares a counter of the manager's with the ledger (`balanced_statistics`): whenever nothing is ready
    /// to run, and when the result is destroyed.
    ///
    /// ```
    /// app::counters counters;
    /// const auto active = env.statistics("session.open", [&] { return counters.active_sessions; });
    /// ```
    ///
    /// The name says what is counted, of all resources or with `kind.` in front of those of a kind. Of
    /// resources: `open` (created, and the close has not ended), `created` and `closed` (so far), `idle`
    /// (open, and lent to nobody) and `reserved` (open, or being created). Of clients: `in_use` (inside their
    /// body) and `waiting`. Waiting is a client that came and does not have a resource, of whatever kind; one
    /// that prepares or cleans up may be left out. At its end a counter of what there is now is zero, unless
    /// something was left open.
    ///
    /// Errors: throws `input_error` for an unknown name, and for one that was given before in this run.
    /// Lifetimes: what `value` looks at must outlive the result, so declare it first.
    [[nodiscard]] statistic statistics(std::string_view name, std::function<long()> value) const;

    /// Likewise for a counter with a meaning of its own: `expected` says what it shows where the ledger has
    /// so much (`mishap/account.hpp`).
    ///
    /// ```
    /// const auto total = env.statistics("total", [&] { return pool.total(); },
    ///     [](const mishap::supply& now) { return now.idle + now.inside; });
    /// ```
    [[nodiscard]] statistic statistics(std::string_view name, std::function<long()> value,
        std::function<long(const supply&)> expected) const;

    /// The value of a setting that a scenario gives under `with:`, or `otherwise`.
    ///
    /// Errors: throws `input_error` when the text does not read as a `T` (a duration, bool, integer, floating
    /// point number or string).
    template <class T>
    T setting(std::string_view name, T otherwise) const
    {
        const std::string* text = find_setting(name);
        if (!text)
            return otherwise;
        if constexpr (std::is_same_v<T, bool> || std::is_same_v<T, std::string>) {
            T value{};
            detail::read_setting(name, *text, value);
            return value;
        } else if constexpr (std::is_integral_v<T>) {
            long long value{};
            detail::read_setting(name, *text, value);
            if (!std::in_range<T>(value))
                detail::refuse_setting(name, *text);
            return static_cast<T>(value);
        } else if constexpr (std::is_floating_point_v<T>) {
            double value{};
            detail::read_setting(name, *text, value);
            return static_cast<T>(value);
        } else {
            duration value{};
            detail::read_setting(name, *text, value);
            return std::chrono::duration_cast<T>(value);
        }
    }

    /// What the sockets of the code under test talk to; include `mishap/network.hpp`.
    simulated_network network() const;

    /// Keeps virtual time from passing for as long as the result lives.
    [[nodiscard]] frozen_time freeze_time() const { return frozen_time(*world_); }

    /// Permits leaving the simulation for as long as the result lives.
    [[nodiscard]] outside_allowed allow_outside() const { return outside_allowed(*world_); }

    /// Adds a line of the user's own to the trace.
    void note(std::string_view text);

private:
    const std::string* find_setting(std::string_view name) const;

    detail::world* world_;
};

/// Awaits code that takes a callback: `start` is called with a copyable handler of `void(Args...)` and must
/// see to it that it is called once; a second call breaks `expectation`. Gives the arguments as a tuple. The
/// code that is awaited does not hear of a cancellation, so one that comes meanwhile shows after it, or not
/// at all.
///
/// ```
/// auto [error, connection] = co_await mishap::from_callback<error_code, connection*>(
///     [&](auto handler) { pool.get(std::move(handler)); });
/// ```
template <class... Args, class Start>
[[nodiscard("co_await it: nothing happens before that")]] awaitable<std::tuple<Args...>> from_callback(
    Start start)
{
    return boost::asio::async_initiate<const boost::asio::use_awaitable_t<>&, void(std::tuple<Args...>)>(
        [](auto handler, Start begin) {
            auto executor = boost::asio::get_associated_executor(handler);
            auto shared = std::make_shared<decltype(handler)>(std::move(handler));
            auto waits = std::make_shared<detail::unheard_wait>(executor);
            begin([shared, waits, executor](Args... args) {
                if (!waits->is_first_call())
                    return;
                boost::asio::post(
                    executor, [shared, waits, result = std::tuple<Args...>(std::move(args)...)]() mutable {
                        std::move (*shared)(std::move(result));
                    });
            });
        },
        boost::asio::use_awaitable, std::move(start));
}

} // namespace mishap
