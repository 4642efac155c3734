// SPDX-License-Identifier: MIT
#pragma once

#include <mishap/fwd.hpp>
#include <mishap/symbol.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace mishap {

/// What an operation does.
enum class fault_kind : std::uint8_t
{
    ok,
    ok_now,
    fail,
    fail_after_effect,
    delay,
    hang,
    deaf,
    late,
    empty,
    bad_alloc,
    cancel,
    cancel_after_effect,
    hang_after_effect,
    one_byte,
};

inline constexpr std::size_t fault_kinds = 14;

/// How much a cancelled operation may have done, as Asio's `cancellation_type` has it.
enum class cancellation : std::uint8_t
{
    terminal,
    partial,
    total
};

std::string_view to_string(cancellation) noexcept;

/// One row of the fault table, which the documentation, `list faults` and the parser share.
struct fault_description
{
    fault_kind kind;
    std::string_view word;
    bool takes_error;
    bool takes_duration; ///< what takes an error, too, need not have one
    bool takes_cancellation;
    std::string_view about;
};

std::span<const fault_description, fault_kinds> fault_table() noexcept;

/// What may follow the word in a scenario, such as ` ERROR [in DURATION]`.
std::string_view parameter_text(const fault_description&) noexcept;

/// What an operation does, with its parameters.
struct fault
{
    fault_kind kind = fault_kind::ok;
    symbol error = {};
    /// For `delay` and `late`, and for what fails: how long it takes.
    duration after = {};
    /// For `cancel` and `cancel_after_effect`: how the client is cancelled.
    cancellation type = cancellation::terminal;

    static fault fail(symbol error, duration after = {}) { return {fault_kind::fail, error, after}; }
    static fault delay(duration after) { return {fault_kind::delay, {}, after}; }
    static fault fail_after_effect(symbol error, duration after = {})
    {
        return {fault_kind::fail_after_effect, error, after};
    }
    static fault late(duration after) { return {fault_kind::late, {}, after}; }
    static fault deaf() { return {fault_kind::deaf, {}, {}}; }
    static fault cancel(cancellation type = cancellation::terminal)
    {
        return {fault_kind::cancel, {}, {}, type};
    }
    static fault cancel_after_effect(cancellation type = cancellation::terminal)
    {
        return {fault_kind::cancel_after_effect, {}, {}, type};
    }
    static fault hang_after_effect() { return {fault_kind::hang_after_effect, {}, {}}; }
    static fault hang() { return {fault_kind::hang, {}, {}}; }
    static fault empty() { return {fault_kind::empty, {}, {}}; }
    static fault one_byte() { return {fault_kind::one_byte, {}, {}}; }
    static fault bad_alloc() { return {fault_kind::bad_alloc, {}, {}}; }
    static fault ok_now() { return {fault_kind::ok_now, {}, {}}; }

    /// Whether virtual time passes until it ends by itself.
    bool takes_time() const noexcept
    {
        return kind == fault_kind::delay || kind == fault_kind::late || after != duration(0);
    }

    /// Whether it never ends by itself.
    bool hangs() const noexcept;
    /// Whether the operation's client is cancelled while it is pending.
    bool cancels_client() const noexcept;
    /// Whether it takes effect although its caller is told otherwise.
    bool loses_reply() const noexcept;

    friend bool operator==(const fault&, const fault&) noexcept = default;
};

/// How a scenario writes it: `fail io_error`, `fail io_error in 3s`, `ok now`, `delay 5s`.
std::string to_string(const fault&);

/// How a plan's line writes it: `fail(io_error)`, `fail(io_error,3s)`, `ok_now`, `delay(5s)`.
std::string to_token(const fault&);

/// Reads either form. A bare `fail` means `fail io_error`.
///
/// Errors: throws `input_error` for an unknown fault, an unknown error, a missing or superfluous parameter
/// and whatever `parse_duration` refuses.
fault parse_fault(std::string_view text);

/// Reads a kind of fault, as a sweep chooses from: as `parse_fault`, and a bare `delay` or `late`, whose
/// duration of zero stands for the deadlines that pass meanwhile.
fault parse_kind(std::string_view text);

} // namespace mishap
