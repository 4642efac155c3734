// SPDX-License-Identifier: MIT
#include "connections.hpp"
#include "world.hpp"

#include <mishap/input_error.hpp>
#include <mishap/network.hpp>

#include <fmt/format.h>

#include <utility>

namespace mishap {

namespace {

void require_order(duration from, duration to)
{
    if (from < duration(0) || to <= from)
        throw input_error(fmt::format("a time from {} to {} is none", to_string(from), to_string(to)));
}

} // namespace

simulated_network environment::network() const { return simulated_network(*world_); }

void simulated_network::listen(std::string_view place,
    std::function<boost::asio::awaitable<void>(boost::asio::ip::tcp::socket)> serve) const
{
    world_->connected().serve(place, std::move(serve));
}

void simulated_network::listen(std::string_view place) const
{
    world_->connected().serve(place, network::service{.how = network::service::manner::black_hole});
}

void simulated_network::play(std::string_view place, std::string_view script) const
{
    network::service what{.how = network::service::manner::plays};
    what.text = std::make_shared<const network::script>(network::parse_script(script));
    world_->connected().serve(place, std::move(what));
}

void simulated_network::refuse(std::string_view place) const
{
    world_->connected().serve(place, network::service{.how = network::service::manner::refuses});
}

void simulated_network::resolve(std::string_view name, const std::vector<std::string>& addresses) const
{
    std::vector<network::address> read;
    for (const std::string& text : addresses) {
        const auto one = network::parse_host(text);
        if (!one)
            throw input_error(fmt::format("'{}' is no address: write 10.0.0.7 or fd00::7", text));
        read.push_back(*one);
    }
    world_->connected().set_host(name, std::move(read));
}

void simulated_network::between(std::string_view a, std::string_view b, const route& how) const
{
    network::link& way = world_->connected().between(a, b);
    way.latency = how.latency;
    way.jitter = how.jitter;
    way.bandwidth = how.bandwidth;
}

void simulated_network::partition(std::string_view a, std::string_view b, duration from, duration to) const
{
    require_order(from, to);
    world_->connected().between(a, b).partitions.push_back({from, to});
}

void simulated_network::restart(std::string_view place, duration from, duration to) const
{
    require_order(from, to);
    detail::connections& all = world_->connected();
    all.use();
    for (const network::address& one : all.places(place))
        all.kernel().restart(one, from, to);
}

} // namespace mishap
