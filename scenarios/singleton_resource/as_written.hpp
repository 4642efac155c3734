// SPDX-License-Identifier: MIT
#pragma once
/// Reference, "Concurrency Control", as written. Plain Asio; nothing here knows of mishap.

#include "shared/async_lock.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <exception>
#include <memory>
#include <utility>

namespace catalogue {

namespace asio = boost::asio;

/// Nobody ever closes the resource, and one that broke is lent again.
template <class Resource>
class singleton_resource_as_written
{
public:
    explicit singleton_resource_as_written(asio::any_io_executor executor) : lock_(std::move(executor)) {}

    template <class Body>
    asio::awaitable<void> with_resource(Body body)
    {
        co_await lock_.lock();
        std::exception_ptr error;
        try {
            if (!resource_) {
                auto created = std::make_unique<Resource>();
                co_await created->create();
                resource_ = std::move(created);
            }
            co_await body(*resource_);
        } catch (...) {
            error = std::current_exception();
        }
        lock_.unlock();
        if (error)
            std::rethrow_exception(error);
    }

private:
    async_lock lock_;
    std::unique_ptr<Resource> resource_;
};

} // namespace catalogue
