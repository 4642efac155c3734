// SPDX-License-Identifier: MIT
#include "executor.hpp"
#include "leave_with.hpp"
#include "misuse.hpp"
#include "world.hpp"

#include <mishap/resource.hpp>

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>

#include <stdexcept>

namespace mishap {

resource::resource(symbol kind) : world_(detail::world::current()), kind_(kind)
{
    if (!world_)
        throw std::logic_error("a mishap::resource of kind '" + std::string(kind.text()) +
                               "' was made outside a run: make it inside the adapter");
    run_ = world_->run_number();
}

resource::resource(resource&& other) noexcept
    : world_(other.world_), run_(other.run_), index_(std::exchange(other.index_, none)), kind_(other.kind_)
{}

resource& resource::operator=(resource&& other) noexcept
{
    if (this != &other) {
        world_->destroyed(*this);
        world_ = other.world_;
        run_ = other.run_;
        index_ = std::exchange(other.index_, none);
        kind_ = other.kind_;
    }
    return *this;
}

resource::~resource()
{
    // The world may be gone by now; a run number of its own would not tell.
    if (index_ != none && detail::world::current() == world_)
        world_->destroyed(*this);
}

awaitable<void> resource::operate(role what, symbol name, const detail::real_effect* effect)
{
    lane in = world_->running_lane();
    if (world_->has_lanes()) {
        // A coroutine keeps its lane wherever it was resumed, inside somebody's strand for instance.
        const auto home = co_await boost::asio::this_coro::executor;
        if (const auto* own = home.target<detail::executor>())
            in = own->in();
    }
    if (world_->strike_before(*this, what, name, in)) {
        // Asio would throw at the co_await that starts the operation, unless its client is shielded.
        const auto state = co_await boost::asio::this_coro::cancellation_state;
        if (state.cancelled() == boost::asio::cancellation_type::none)
            world_->strike_again(in);
        else if (co_await boost::asio::this_coro::throw_if_cancelled()) {
            world_->obey_strike();
            throw boost::system::system_error(
                boost::asio::error::make_error_code(boost::asio::error::operation_aborted));
        }
    }
    const index run = world_->begin_operation(*this, what, name, in, false, effect);
    if (!world_->settled(run))
        co_await world_->wait(run);
    world_->deliver(run);
    if (const std::exception_ptr error = world_->happened()->operations[run].error) {
        const detail::leave_with failing(error);
        co_await failing;
    }
}

awaitable<void> resource::create()
{
    static const symbol name("create");
    return operate(role::create, name);
}

awaitable<void> resource::use(symbol name) { return operate(role::use, name); }

awaitable<void> resource::maintain(symbol name) { return operate(role::maintenance, name); }

awaitable<void> resource::begin()
{
    static const symbol name("begin");
    return operate(role::begin, name);
}

awaitable<void> resource::commit()
{
    static const symbol name("commit");
    return operate(role::commit, name);
}

awaitable<void> resource::rollback()
{
    static const symbol name("rollback");
    return operate(role::rollback, name);
}

awaitable<void> resource::acquire()
{
    static const symbol name("acquire");
    return operate(role::acquire, name);
}

awaitable<void> resource::release()
{
    static const symbol name("release");
    return operate(role::release, name);
}

awaitable<void> resource::close()
{
    static const symbol name("close");
    return operate(role::close, name);
}

detail::world& resource::home() const
{
    if (detail::world* const now = detail::world::current(); now != world_) {
        const std::string why = "a mishap::resource of kind '" + std::string(kind_.text()) +
                                "' was used outside the run in which it was made: use it inside the adapter "
                                "that made it, on the thread of the run";
        if (now)
            detail::misused<std::logic_error>(why);
        throw std::logic_error(why);
    }
    return *world_;
}

void resource::now(role what, symbol name)
{
    if (const index done = home().perform(*this, what, name); done != none)
        world_->finish(done);
}

void resource::now(role what, symbol name, boost::system::error_code& error) noexcept
{
    error.clear();
    if (const index done = home().perform(*this, what, name); done != none) {
        world_->deliver(done);
        error = world_->error_of(done).code;
    }
}

void resource::force_close() noexcept
{
    if (detail::world::current() == world_)
        world_->force_close(*this);
}

void resource::waits_for_peer(symbol name) { home().wait_for_peer(kind_, name); }

void resource::abort() noexcept
{
    if (detail::world::current() == world_ && run_ == world_->run_number() && index_ != none)
        world_->abort(index_);
}

bool resource::is_open() const noexcept { return world_->life_of(*this) == life::open; }

bool resource::usable() const noexcept
{
    return world_->life_of(*this) == life::open && !world_->broken(*this);
}

} // namespace mishap
