// SPDX-License-Identifier: MIT
#pragma once
/// How the campaigns of this program are run: in how many processes, on which share, until when, and who
/// watches.

#include <mishap/duration.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace mishap::detail {

/// What is under way, for people who wait for it.
struct campaign_status
{
    std::uint64_t runs = 0;
    std::uint64_t fired = 0;
    std::uint64_t violating = 0;
    std::string tries; ///< "session, all clients at once"
    std::uint64_t done = 0;
    std::uint64_t all = 0; ///< parts; 0 where that is not known
    duration began{0};     ///< real time
    duration until{0};     ///< when its time is up; zero for no limit
};

/// Answers of parts that are known, and where new ones are kept.
class part_journal
{
public:
    virtual ~part_journal() = default;
    virtual std::optional<std::string> find(const std::string& part) const = 0;
    virtual void keep(const std::string& part, const std::string& answer) = 0;
    /// All parts must be known: nothing is run that is not.
    virtual bool is_whole() const = 0;
};

struct conductor
{
    unsigned jobs = 1;
    std::uint64_t shard = 0; ///< of the parts, those whose number has this rest
    std::uint64_t shards = 1;
    part_journal* journal = nullptr;
    std::function<void(const campaign_status&)> watch = {};
    std::uint64_t campaigns = 0; ///< begun so far, which names their parts
};

/// Null where campaigns run in this very process, as in a test program.
conductor*& conducted() noexcept;

/// The signal that told this program to come to an end, while campaigns were conducted; 0 for none.
int stopped_by() noexcept;

/// While it lives, SIGINT and SIGTERM (and SIGHUP) stop campaigns instead of the program; a second one ends
/// it.
class stopping_signals
{
public:
    stopping_signals();
    ~stopping_signals();
    stopping_signals(const stopping_signals&) = delete;
    stopping_signals& operator=(const stopping_signals&) = delete;
};

/// Real time of the steady clock.
duration real_now() noexcept;

} // namespace mishap::detail
