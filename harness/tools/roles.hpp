// SPDX-License-Identifier: MIT
#pragma once
/// What an operation's name says that it does, for checks and for guesses.

#include <string>
#include <string_view>

namespace mishap::tools {

/// Acquisitions and clean-ups belong together by family: what is locked is unlocked, and not closed.
enum class family
{
    none,
    lifetime,
    lock,
    permit,
    transaction,
    session,
    subscription,
    counter,
    container,
};

enum class part
{
    none,
    acquires,
    cleans_up,
    forces
};

struct role
{
    family of = family::none;
    part does = part::none;
    bool ends_well = false; ///< a commit, as opposed to a rollback
};

/// `asyncShutDown`, `async_shutdown` and `do_shutdown` are all `shutdown`-like: lower case, with underscores,
/// without the words that say how it is called.
std::string plain_name(std::string_view name);

/// What a function or method of this name does to the object that it is called on, or that it is given first.
role role_of(std::string_view name);

/// True for names that belong to a clean-up of any family.
bool cleans_up(std::string_view name);

/// True for a name that speaks of time: timeout, deadline, expiry.
bool speaks_of_time(std::string_view name);

/// True for types of Asio and Beast whose destructor closes what they hold.
bool is_io_object(std::string_view type);

} // namespace mishap::tools
