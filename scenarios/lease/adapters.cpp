// SPDX-License-Identifier: MIT
#include "lease.hpp"
#include "renews_in_vain.hpp"

#include <mishap/mishap.hpp>

using namespace std::chrono_literals;

namespace {

class fake_lease
{
    mishap::resource resource_{"lease"};

public:
    mishap::awaitable<void> take() { return resource_.create(); }
    mishap::awaitable<void> renew() { return resource_.maintain("renew"); }
    mishap::awaitable<void> give_back() { return resource_.close(); }
    operator mishap::resource&() { return resource_; }
};

constexpr catalogue::lease_times times{.renew_every = 10s, .timeout = 5s};

} // namespace

MISHAP_CONTRACT(with_lease){
    .time = {.create = 5s, .close = 5s, .other = 5s},
    .errors = {.reports_cleanup = true, .checks_are_told = true},
    .work = {.pipelined = true}, // a renewal may overlap with the work
};

MISHAP_MANAGER(with_lease, mishap::environment& env)
{
    fake_lease lease;
    const auto log = [&env](std::exception_ptr error) { env.report(error); };
    co_await catalogue::with_lease(lease, env.body(), times, log);
}

MISHAP_CONTRACT(renews_in_vain){
    .time = {.create = 5s, .close = 5s, .other = 5s},
    .errors = {.reports_cleanup = true, .checks_are_told = true},
    .work = {.pipelined = true},
};

MISHAP_MANAGER(renews_in_vain, mishap::environment& env)
{
    fake_lease lease;
    const auto log = [&env](std::exception_ptr error) { env.report(error); };
    co_await catalogue::renews_in_vain(lease, env.body(), times, log);
}
