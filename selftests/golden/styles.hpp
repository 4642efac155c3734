// SPDX-License-Identifier: MIT
#pragma once

#include <mishap/mishap.hpp>

#include <boost/system/result.hpp>

class fake_session
{
    mishap::resource resource_{"session"};

public:
    mishap::awaitable<int> query() { return resource_.use("query", 42); } // throws

    template <class Token>
    auto async_query(Token&& token) // void(error_code, int)
    {
        using signature = void(boost::system::error_code, int);
        return resource_.async<signature>(mishap::role::use, "query", std::forward<Token>(token), 42);
    }

    auto try_query() // co_await gives a result
    {
        return resource_.result(mishap::role::use, "query", boost::system::result<int>(42));
    }

    int query_now() // blocks, and throws; or with an error_code&
    {
        resource_.now(mishap::role::use, "query");
        return 42;
    }
};
