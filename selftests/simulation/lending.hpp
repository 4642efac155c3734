// SPDX-License-Identifier: MIT
#pragma once
// What the tests of contexts share: one context with everything in it that can go wrong, run without a
// simulation.

#include <mishap/context.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

namespace lending {

namespace asio = boost::asio;

/// Lets others run, so that a coroutine is suspended for real.
inline asio::awaitable<void> turn() { co_await asio::post(asio::use_awaitable); }

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

inline mishap::context<thing> lend(journal& happened, const options& how)
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

inline std::exception_ptr error_of(const char* what)
{
    return std::make_exception_ptr(std::runtime_error(what));
}

/// Lends to a body that fails with that error, or succeeds.
inline ended run_lending(journal& happened, const options& how, std::exception_ptr failing)
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

} // namespace lending
