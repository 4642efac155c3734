// SPDX-License-Identifier: MIT
#pragma once
/// Reference, "Architecture": one manager as a coroutine that lends, and the same as a class that enters and
/// exits. Production code: of mishap it uses the contexts only.
///
/// The document's two are equivalent, and so are these. Unlike the document's they lose no error, since
/// `mishap::with` lets no clean-up error replace the body's.

#include <mishap/context.hpp>

#include <boost/asio/awaitable.hpp>

#include <exception>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

namespace catalogue {

namespace asio = boost::asio;

/// What a factory `asio::awaitable<Resource>()` makes.
template <class Create>
using created_by = typename std::invoke_result_t<Create&>::value_type;

template <class Create>
mishap::context<created_by<Create>> auto_manager(Create create_resource)
{
    auto resource = co_await create_resource();
    std::exception_ptr error;
    try {
        co_yield resource;
    } catch (...) {
        error = std::current_exception();
    }
    co_await resource.close();
    if (error)
        std::rethrow_exception(error);
}

template <class Create>
class manual_manager
{
public:
    explicit manual_manager(Create create_resource) : create_resource_(std::move(create_resource)) {}

    asio::awaitable<std::reference_wrapper<created_by<Create>>> enter()
    {
        resource_.emplace(co_await create_resource_());
        co_return std::ref(*resource_);
    }

    asio::awaitable<bool> exit(std::exception_ptr)
    {
        co_await resource_->close();
        co_return false; // errors are not suppressed
    }

private:
    Create create_resource_;
    std::optional<created_by<Create>> resource_;
};

} // namespace catalogue
