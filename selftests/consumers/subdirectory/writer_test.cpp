// SPDX-License-Identifier: MIT
// A manager that is no template: production code takes the file by an interface.
#include <mishap/environment.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>

#include <exception>
#include <functional>

namespace app {

namespace asio = boost::asio;

class file
{
public:
    virtual ~file() = default;
    virtual asio::awaitable<void> open() = 0;
    virtual asio::awaitable<void> write() = 0;
    virtual asio::awaitable<void> close() = 0;
};

using writing = std::function<asio::awaitable<void>(file&)>;
using warning = std::function<void(std::exception_ptr)>;

asio::awaitable<void> write_file(file& where, writing write, warning warn)
{
    co_await where.open();
    std::exception_ptr error;
    try {
        co_await write(where);
    } catch (...) {
        error = std::current_exception();
    }
    // A cancelled caller must wait until the file is closed.
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    co_await asio::this_coro::throw_if_cancelled(false);
    try {
        co_await where.close();
    } catch (...) {
        if (error)
            warn(std::current_exception());
        else
            error = std::current_exception();
    }
    if (error)
        std::rethrow_exception(error);
}

/// The mistake: an error while writing leaves the file open.
asio::awaitable<void> write_file_wrong(file& where, writing write)
{
    co_await where.open();
    co_await write(where);
    co_await where.close();
}

} // namespace app

namespace {

class fake_file : public app::file
{
public:
    mishap::awaitable<void> open() override { return resource_.create(); }
    mishap::awaitable<void> write() override { return resource_.use("write"); }
    mishap::awaitable<void> close() override { return resource_.close(); }
    operator mishap::resource&() { return resource_; }

private:
    mishap::resource resource_{"file"};
};

} // namespace

MISHAP_CONTRACT(writer){.time = {.unbounded = {mishap::phase::create, mishap::phase::close}},
    .work = {.uses = {"write", "write"}}};

MISHAP_MANAGER(writer, mishap::environment& env)
{
    fake_file file;
    const app::writing write = [&file, body = env.body()](app::file&) { return body(file); };
    const app::warning warn = [&env](std::exception_ptr error) { env.report(error); };
    co_await app::write_file(file, write, warn);
}

MISHAP_CONTRACT(writer_wrong){
    .time = {.unbounded = {mishap::phase::create, mishap::phase::close}}, .work = {.uses = {"write"}}};

MISHAP_MANAGER(writer_wrong, mishap::environment& env)
{
    fake_file file;
    const app::writing write = [&file, body = env.body()](app::file&) { return body(file); };
    co_await app::write_file_wrong(file, write);
}
