// SPDX-License-Identifier: MIT
#pragma once

#include <mishap/operation.hpp>
#include <mishap/trace.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace mishap {

/// Something that could happen next in a run.
struct choice
{
    enum class kind
    {
        handler,    ///< a queued handler runs
        completion, ///< an operation under way completes, and its handler is queued
    };

    kind what = kind::handler;
    mishap::lane lane = 0;
    /// The operation that completes; `none` for a handler.
    index operation = none;
    /// For a handler, the step in which it was queued.
    std::uint64_t queued = 0;
};

/// Decides the order of things in a run.
///
/// Without one, handlers run in the order in which they were queued, and an operation completes as soon as it
/// is started. With one, each operation stays under way until it is chosen: `single_threaded` managers are
/// offered the oldest handler and every operation under way, `concurrent` ones every queued handler too.
///
/// Determinism: equal answers give equal runs.
class chooser
{
public:
    virtual ~chooser() = default;

    /// Called before each run.
    virtual void begin() {}

    /// The index of what happens next. `choices` is never empty; an index out of range counts as the last
    /// one.
    virtual std::size_t choose(std::span<const choice> choices, const trace& so_far) = 0;
};

} // namespace mishap
