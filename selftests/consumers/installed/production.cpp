// SPDX-License-Identifier: MIT
// Production code that takes the contexts, and nothing that tests.

#include <mishap/context.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <cstdio>

static mishap::context<int> counted(int& open)
{
    ++open;
    try {
        co_yield open;
    } catch (...) {
        --open;
        throw;
    }
    --open;
}

int main()
{
    boost::asio::io_context io;
    int open = 0;
    int seen = 0;
    const auto use = [&](int& lent) -> boost::asio::awaitable<void> {
        seen = lent;
        co_return;
    };
    boost::asio::co_spawn(io, mishap::with(counted(open), use), [](std::exception_ptr) {});
    io.run();
    std::printf("%d while it was lent, %d afterwards\n", seen, open);
    return seen == 1 && open == 0 ? 0 : 1;
}
