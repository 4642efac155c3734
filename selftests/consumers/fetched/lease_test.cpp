// SPDX-License-Identifier: MIT
// A manager that owns what it manages, and is a class: production code constructs the lease itself.
#include <mishap/environment.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>

#include <exception>

namespace app {

namespace asio = boost::asio;

template <class Lease>
class leaseholder
{
public:
    template <class Work, class Log>
    asio::awaitable<void> hold(Work work, Log log)
    {
        co_await lease_.acquire();
        std::exception_ptr error;
        try {
            co_await work(lease_);
        } catch (...) {
            error = std::current_exception();
        }
        // A cancelled caller must wait until the lease is given back.
        co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
        co_await asio::this_coro::throw_if_cancelled(false);
        try {
            co_await lease_.give_back();
        } catch (...) {
            if (error)
                log(std::current_exception());
            else
                error = std::current_exception();
        }
        if (error)
            std::rethrow_exception(error);
    }

    /// The mistake: the way out after an error gives back once more.
    template <class Work>
    asio::awaitable<void> hold_wrong(Work work)
    {
        co_await lease_.acquire();
        std::exception_ptr error;
        try {
            co_await work(lease_);
            co_await lease_.give_back();
        } catch (...) {
            error = std::current_exception();
        }
        if (error) {
            co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
            co_await asio::this_coro::throw_if_cancelled(false);
            co_await lease_.give_back();
            std::rethrow_exception(error);
        }
    }

private:
    Lease lease_;
};

} // namespace app

namespace {

class fake_lease : public mishap::resource
{
public:
    fake_lease() : resource("lease") {}
    mishap::awaitable<void> acquire() { return create(); }
    mishap::awaitable<void> give_back() { return close(); }
};

} // namespace

MISHAP_CONTRACT(lease){.time = {.unbounded = {mishap::phase::create, mishap::phase::close}}};

MISHAP_MANAGER(lease, mishap::environment& env)
{
    app::leaseholder<fake_lease> holder;
    const auto log = [&env](std::exception_ptr error) { env.report(error); };
    co_await holder.hold(env.body(), log);
}

MISHAP_CONTRACT(lease_wrong){.time = {.unbounded = {mishap::phase::create, mishap::phase::close}}};

MISHAP_MANAGER(lease_wrong, mishap::environment& env)
{
    app::leaseholder<fake_lease> holder;
    co_await holder.hold_wrong(env.body());
}
