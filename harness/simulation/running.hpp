// SPDX-License-Identifier: MIT
#pragma once
/// What the rest of the program may ask of the simulation without a world at hand.

#include "seam.hpp"

#include <mishap/manager.hpp>

#include <string>

namespace mishap::detail {

/// Whether stock timers obey virtual time in this program; asked once per process.
bool virtual_time_is_linked();

/// The plan of the run under way on this thread, as a replay token, for messages of a program that is about
/// to end; empty where none is.
std::string describe_running();

/// Whose run that is, or null.
const manager* running_manager() noexcept;

/// While it lives, this thread's time and reactors are simulated.
class simulating
{
public:
    explicit simulating(seam& with) noexcept { active_seam() = &with; }
    ~simulating() { active_seam() = nullptr; }
    simulating(const simulating&) = delete;
    simulating& operator=(const simulating&) = delete;
};

} // namespace mishap::detail
