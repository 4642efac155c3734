// SPDX-License-Identifier: MIT
#pragma once
/// What `resource::async` is made of: an operation that reports to a completion handler of any type.

#include <mishap/operation.hpp>
#include <mishap/symbol.hpp>
#include <mishap/trace.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/system/error_code.hpp>

#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace mishap {

class resource;

namespace detail {

class world;

/// A handler that waits for its operation to end.
class suspended
{
public:
    explicit suspended(index waits_for) noexcept : operation(waits_for) {}
    virtual ~suspended() = default;
    /// The operation has ended: hands the handler over to its executor.
    virtual void queue(world& in) = 0;

    index operation;
};

/// The error of an operation, in both forms; nothing where it succeeded.
struct delivered_error
{
    std::exception_ptr thrown;
    boost::system::error_code code;
};

/// An operation that reports to a completion handler, between its initiation and its delivery.
class async_operation
{
public:
    /// Not begun yet. `home` is the handler's executor, where that is type-erased: it tells the lane.
    async_operation(resource& on, const boost::asio::any_io_executor* home);

    /// The run still accepts operations. It does not while it is torn down.
    bool accepted() const noexcept;
    /// What the handler runs on if it has no executor of its own.
    boost::asio::any_io_executor fallback() const;
    /// The plan has cancellations in it that may strike right before this operation.
    bool may_be_struck() const noexcept;
    bool strike_before(resource& on, role, symbol name) const;
    void strike_again() const;
    /// The handler that runs obeys a cancellation right before its operation.
    void obey_strike() const;

    void begin(resource& on, role, symbol name);
    bool ended() const noexcept;
    void suspend(std::unique_ptr<suspended> handler) const;
    /// The operation ended before its handler was suspended.
    void hand_over(suspended& handler) const;
    /// Asks it to stop, unless its run is over.
    void request_stop() const;

    delivered_error error() const;
    static delivered_error stopped_before_start();

    /// Records that the handler is about to run; what it does while this lives has the operation as its
    /// cause.
    class delivery
    {
    public:
        explicit delivery(const async_operation& of);
        ~delivery();
        delivery(const delivery&) = delete;
        delivery& operator=(const delivery&) = delete;

    private:
        world* world_ = nullptr; ///< null where the run is over
        index cause_ = none;     ///< what to go back to
        origin why_ = origin::unknown;
        const void* under_ = nullptr;
    };

    index number() const noexcept { return index_; }

private:
    world* world_;
    std::uint64_t run_;
    lane lane_;
    index index_ = none;
};

/// What `void(E, R...)` says: the form of the error, and the results.
template <class Signature>
struct completion_signature
{
    static_assert(!std::is_same_v<Signature, Signature>,
        "the signature of resource::async begins with the error: void(error_code, R...) or "
        "void(std::exception_ptr, R...)");
};

template <class Error, class... Results>
struct completion_signature<void(Error, Results...)>
{
    using error = std::decay_t<Error>;
    using results = std::tuple<std::decay_t<Results>...>;

    static_assert(std::is_same_v<error, std::exception_ptr> ||
                      std::is_constructible_v<error, const boost::system::error_code&>,
        "the signature of resource::async begins with the error: void(error_code, R...) or "
        "void(std::exception_ptr, R...)");
    static_assert((std::is_default_constructible_v<std::decay_t<Results>> && ...),
        "where the operation fails, the handler is given default-constructed results, as Asio does it");

    static error convert(const delivered_error& from)
    {
        if constexpr (std::is_same_v<error, std::exception_ptr>)
            return from.thrown;
        else
            return error(from.code);
    }
};

template <class Executor>
const boost::asio::any_io_executor* type_erased(const Executor& home) noexcept
{
    if constexpr (std::is_same_v<Executor, boost::asio::any_io_executor>)
        return &home;
    else
        return nullptr;
}

/// A handler of one type, with what it is given on success.
template <class Signature, class Handler>
class completion final : public suspended
{
    using types = completion_signature<Signature>;
    using executor_type = boost::asio::associated_executor_t<Handler, boost::asio::any_io_executor>;

public:
    completion(const async_operation& of, Handler&& handler, typename types::results&& on_success)
        : suspended(of.number()), of_(of),
          home_(boost::asio::get_associated_executor(handler, of.fallback())),
          work_(boost::asio::prefer(home_, boost::asio::execution::outstanding_work.tracked)),
          handler_(std::move(handler)), on_success_(std::move(on_success))
    {}

    void queue(world&) override { post(of_.error(), true); }

    void post(const delivered_error& failed, bool begun)
    {
        auto error = types::convert(failed);
        typename types::results results{};
        if (!failed.thrown && !failed.code)
            results = std::move(on_success_);
        boost::asio::post(home_, [of = of_, begun, error = std::move(error), results = std::move(results),
                                     handler = std::move(handler_)]() mutable {
            boost::asio::get_associated_cancellation_slot(handler).clear();
            std::optional<async_operation::delivery> delivered;
            if (begun)
                delivered.emplace(of);
            std::apply([&](auto&... values) { std::move(handler)(std::move(error), std::move(values)...); },
                results);
        });
    }

private:
    async_operation of_;
    executor_type home_;
    // As any pending operation does, keep the handler's executor from running out of work.
    std::decay_t<decltype(boost::asio::prefer(
        std::declval<const executor_type&>(), boost::asio::execution::outstanding_work.tracked))>
        work_;
    Handler handler_;
    typename types::results on_success_;
};

/// Starts an operation whose handler is called once, never from within this function.
template <class Signature, class Handler>
void start_async(resource& on, role what, symbol name, Handler handler,
    typename completion_signature<Signature>::results on_success)
{
    async_operation started(on, type_erased(boost::asio::get_associated_executor(handler)));
    if (!started.accepted())
        return;
    const auto slot = boost::asio::get_associated_cancellation_slot(handler);
    if (started.may_be_struck()) {
        bool stopped = false;
        if (auto early = slot; early.is_connected())
            early.assign([&stopped](boost::asio::cancellation_type) { stopped = true; });
        const bool struck = started.strike_before(on, what, name);
        if (auto early = slot; early.is_connected())
            early.clear();
        if (struck && !stopped)
            started.strike_again();
        if (stopped) {
            started.obey_strike();
            completion<Signature, Handler>(started, std::move(handler), std::move(on_success))
                .post(async_operation::stopped_before_start(), false);
            return;
        }
    }
    started.begin(on, what, name);
    auto waiting =
        std::make_unique<completion<Signature, Handler>>(started, std::move(handler), std::move(on_success));
    if (started.ended()) {
        started.hand_over(*waiting);
        return;
    }
    if (auto connected = slot; connected.is_connected())
        connected.assign([started](boost::asio::cancellation_type) { started.request_stop(); });
    started.suspend(std::move(waiting));
}

} // namespace detail
} // namespace mishap
