// SPDX-License-Identifier: MIT
#include "site.hpp"

#include <boost/asio/error.hpp>
#include <boost/assert/source_location.hpp>

#include <array>
#include <atomic>

namespace mishap::detail {

namespace {

/// What every mark has as its file; the address tells ours from others.
constexpr char mark[] = "mishap, operation";

constexpr std::size_t chunk_size = 256;
constexpr std::size_t chunks_max = 4096;

using chunk = std::array<boost::source_location, chunk_size>;

/// Chunks are made on demand and never freed: codes may outlive every run. Several threads may ask.
constinit std::array<std::atomic<chunk*>, chunks_max> chunks{};

const boost::source_location* site_of(index operation)
{
    const std::size_t which = operation / chunk_size;
    if (which >= chunks_max)
        return nullptr;
    chunk* found = chunks[which].load(std::memory_order_acquire);
    if (!found) {
        auto* const made = new chunk;
        for (std::size_t i = 0; i < chunk_size; ++i)
            (*made)[i] = {mark, static_cast<boost::uint_least32_t>(which * chunk_size + i + 1), ""};
        if (chunks[which].compare_exchange_strong(found, made, std::memory_order_acq_rel))
            found = made;
        else
            delete made;
    }
    return &(*found)[operation % chunk_size];
}

} // namespace

boost::system::error_code marked(const boost::system::error_code& code, index operation)
{
    return {code, site_of(operation)};
}

boost::system::error_code peer_gone_code() noexcept
{
    return boost::asio::error::make_error_code(boost::asio::error::connection_aborted);
}

index marked_operation(const boost::system::error_code& code) noexcept
{
    if (!code.has_location() || code.location().file_name() != mark)
        return none;
    return code.location().line() - 1;
}

} // namespace mishap::detail
