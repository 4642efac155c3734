// SPDX-License-Identifier: MIT
#pragma once

#include "world.hpp"

#include <cstddef>
#include <vector>

namespace mishap::detail {

/// The stages of a run's end, once nothing more happens by itself or every client has ended.
class last_stages
{
public:
    explicit last_stages(world& of) noexcept : world_(of) {}

    /// Takes the run from where its loop came to rest to its end.
    void go_through(world::pause why);

private:
    // Each returns whether the run goes on: the limit of steps was kept, and the world still stands.
    bool end_clients(world::pause why);
    bool end_what_hangs();
    bool pass_deadlines();
    bool try_fresh_clients();
    bool send_fresh_clients(duration until);
    bool end_adapter();
    bool pass_grace();
    void let_abandoned_go();

    void judge_what_is_left();
    void list_pending();
    void shut_down() noexcept;
    std::vector<std::size_t> choose_stuck_clients() const;
    void give_up(std::size_t client);
    void fail_hanging();

    world& world_;
};

} // namespace mishap::detail
