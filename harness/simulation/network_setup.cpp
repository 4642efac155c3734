// SPDX-License-Identifier: MIT
#include "network_setup.hpp"

#include "connections.hpp"
#include "world.hpp"

#include <mishap/environment.hpp>
#include <mishap/network.hpp>

#include <utility>

namespace mishap::detail {

namespace {

void say(const simulated_network& net, const network::statement& one)
{
    using verb = network::statement::verb;
    switch (one.what) {
    case verb::partition:
        return net.partition(one.a, one.b, one.from, one.to);
    case verb::route:
        return net.between(
            one.a, one.b, {.latency = one.latency, .jitter = one.jitter, .bandwidth = one.bandwidth});
    case verb::restart:
        return net.restart(one.a, one.from, one.to);
    case verb::resolve:
        return net.resolve(one.a, one.addresses);
    case verb::refuse:
        return net.refuse(one.a);
    case verb::black_hole:
        return net.listen(one.a);
    }
}

} // namespace

manager in_network(const manager& under_test, std::shared_ptr<const network::setup> what)
{
    manager inside = under_test;
    inside.run = [adapts = under_test.run, what = std::move(what)](environment& env) {
        connections& all = world::current()->connected();
        const simulated_network net = env.network();
        all.pin(true);
        // Names first: places refer to them. A script gives way to what is said of a single address.
        for (const network::statement& one : what->statements)
            if (one.what == network::statement::verb::resolve)
                say(net, one);
        for (const auto& [where, script] : what->peers) {
            network::service plays{.how = network::service::manner::plays};
            plays.text = script;
            all.serve(where, std::move(plays));
        }
        for (const network::statement& one : what->statements)
            if (one.what != network::statement::verb::resolve)
                say(net, one);
        all.pin(false);
        return adapts(env);
    };
    return inside;
}

} // namespace mishap::detail
