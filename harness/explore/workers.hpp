// SPDX-License-Identifier: MIT
#pragma once
/// Processes that run code under test, so that whatever it does ends one of them and nothing else.

#include "simulation/last_words.hpp"

#include <mishap/duration.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace mishap::detail {

inline constexpr std::string_view crashes_name = "crashes";
inline constexpr std::string_view spins_name = "spins";
inline constexpr std::string_view exhausts_name = "exhausts_memory";
inline constexpr std::string_view death_names[] = {crashes_name, spins_name, exhausts_name};

/// How a process came to its end in the middle of a run.
struct death
{
    std::string_view rule; ///< which of the three it breaks
    std::string how;       ///< "the program crashed (SIGSEGV)"
    std::string words;     ///< what it left on standard error, such as a sanitizer's report

    /// As a worker is told of it, and back.
    std::string to_json() const;
    static death from_json(std::string_view);
};

/// Whether a rule is one of the three that the end of a process breaks.
bool is_death(std::string_view rule) noexcept;

/// What a worker shows while it works, in memory that it shares with its parent: no call of the system.
struct shared_row
{
    std::atomic<std::uint64_t> run;  ///< the number of the run that was begun, from 1 in each part; 0 between
    std::atomic<std::uint64_t> runs; ///< all that it ever began
    std::atomic<std::uint64_t> fired;
    std::atomic<std::uint64_t> violating;
    death_row dies;
};

/// What all rows come to.
struct row_sums
{
    std::uint64_t runs = 0;
    std::uint64_t fired = 0;
    std::uint64_t violating = 0;
};

/// A part of a campaign that one worker does: which it is, and what is known of its runs.
struct part_request
{
    std::uint64_t part = 0;
    std::uint64_t runs_max = 0;            ///< it stops before it would make more
    std::map<std::uint64_t, death> deaths; ///< by the number of the run: those are not run again
    std::uint64_t begun_max = 0;           ///< nor is anything from this number on; 0 for no such limit
};

/// What the parent of workers can be asked for while one works: to try a plan alone, in a process of its own.
/// Returns how that died, if it did.
using try_alone = std::function<std::optional<death>(const std::string& request)>;

/// Does parts of some work in forked processes, and hands over their answers in the order of the parts, which
/// is how the result does not depend on the number of processes.
class workers
{
public:
    /// Runs in a worker, which is a copy of this process as it is when the worker is needed.
    using serve = std::function<std::string(const part_request&, shared_row&, const try_alone&)>;
    /// Runs in a process of its own for each `try_alone`.
    using alone = std::function<void(const std::string& request, shared_row&)>;

    enum class next
    {
        go_on,
        stop,
    };
    /// What the parent makes of an answer, in the order of parts. It may learn from the first how many parts
    /// there are.
    using take = std::function<next(const part_request&, const std::string& answer)>;
    /// Whether an answer counts; else the part is done again with that many runs.
    using fits = std::function<std::optional<std::uint64_t>(const part_request&, const std::string& answer)>;

    struct work
    {
        workers::serve serve;
        workers::take take;
        workers::fits fits = {};
        workers::alone alone = {};
        /// An answer that is known already, such as from a file.
        std::function<std::optional<std::string>(std::uint64_t part)> known = {};
        /// Parts that are somebody else's, such as those of another machine.
        std::function<bool(std::uint64_t part)> skips = {};
        /// How many parts there are; read again after each answer.
        const std::uint64_t* parts = nullptr;
        /// Runs that a part may make; read when it is handed out.
        const std::uint64_t* runs_max = nullptr;
        /// Real time by the steady clock at which no more parts are handed out; zero for no such end.
        duration until{0};
        /// It is done although the program was told to stop.
        bool finishes = false;
        /// Told now and then what all workers have done by now.
        std::function<void(const row_sums&)> watch = {};
    };

    /// Errors: rethrows what `serve` throws in a worker; throws `std::runtime_error` where a worker dies
    /// outside of any run, time and again, or where no process can be started.
    static void run(const work&);

    /// In a worker: whether it was told to come to an end.
    static bool told_to_stop() noexcept;
};

} // namespace mishap::detail
