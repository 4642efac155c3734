// SPDX-License-Identifier: MIT
#pragma once
/// The usual mistake: only a success resets the count, and an open breaker lets nobody try.

#include "breaker.hpp"

namespace catalogue {

class never_closes
{
public:
    never_closes(breaker::settings how, breaker::log log_error)
        : how_(how), inner_({.failures_max = 1'000'000, .pause = how.pause, .timeout = how.timeout},
                         std::move(log_error))
    {}

    template <class Session, class Body>
    asio::awaitable<void> with_session(Session& session, Body body)
    {
        if (failures_ >= how_.failures_max)
            throw breaker_open();
        std::exception_ptr error;
        try {
            co_await inner_.with_session(session, body);
            failures_ = 0;
        } catch (...) {
            ++failures_;
            throw;
        }
    }

private:
    const breaker::settings how_;
    breaker inner_;
    int failures_ = 0;
};

} // namespace catalogue
