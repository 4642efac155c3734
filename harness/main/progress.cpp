// SPDX-License-Identifier: MIT
#include "progress.hpp"

#include "vocabulary/printable.hpp"

#include <mishap/duration.hpp>
#include <mishap/input_error.hpp>

#include <fmt/format.h>

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace mishap::detail {

namespace {

constexpr duration after_a_second = std::chrono::seconds(1);
constexpr duration between_frames = std::chrono::milliseconds(200);

/// How often a line comes where there is no terminal; zero for never.
duration interval()
{
    constexpr duration by_default = std::chrono::seconds(30);
    const char* const text = std::getenv("MISHAP_PROGRESS");
    if (!text || !*text)
        return by_default;
    if (std::strcmp(text, "off") == 0)
        return duration(0);
    try {
        const duration given = parse_duration(text);
        if (given > duration(0))
            return given;
    } catch (const input_error&) { // said below
    }
    throw input_error(
        fmt::format("MISHAP_PROGRESS is '{}', but it takes a duration, such as 30s, or off", text));
}

std::size_t width_of_terminal()
{
    winsize size = {};
    constexpr std::size_t usual = 80;
    return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col : usual;
}

std::string in_seconds(double seconds)
{
    const auto whole = static_cast<std::uint64_t>(std::max(seconds, 0.0) + 0.5);
    if (whole < 60)
        return fmt::format("{} s", whole);
    if (whole < 3600)
        return fmt::format("{} min {} s", whole / 60, whole % 60);
    return fmt::format("{} h {} min", whole / 3600, whole / 60 % 60);
}

} // namespace

progress::progress(bool quiet)
    : shows_(!quiet), on_terminal_(::isatty(STDERR_FILENO) == 1), every_(interval()), began_(real_now()),
      last_(began_)
{
    shows_ = shows_ && (on_terminal_ || every_ != duration(0));
}

std::string progress::line(const campaign_status& now_is, duration now)
{
    const double seconds = std::chrono::duration<double>(now - now_is.began).count();
    const double rate = seconds > 0 ? static_cast<double>(now_is.runs) / seconds : 0;
    // What matters most comes first, since a terminal cuts the line off.
    std::string text = fmt::format("{}, {} runs/s, {} fired, {}", counted(now_is.runs, "run"),
        static_cast<std::uint64_t>(rate), counted(now_is.fired, "fault"),
        counted(now_is.violating, "violation"));
    double left = -1;
    if (now_is.until != duration(0))
        left = std::chrono::duration<double>(now_is.until - now).count();
    constexpr std::uint64_t countless = std::uint64_t(1) << 40;
    const bool countable = now_is.all > 1 && now_is.all < countless;
    if (countable && now_is.done != 0) {
        const double share = static_cast<double>(now_is.done) / static_cast<double>(now_is.all);
        const double by_parts = seconds / share - seconds;
        left = left < 0 ? by_parts : std::min(left, by_parts);
    }
    if (left >= 0)
        text += fmt::format(", {} left", in_seconds(left));
    text += fmt::format("; tries {}", printable(now_is.tries));
    if (countable)
        text += fmt::format(", part {} of {}", std::min(now_is.done + 1, now_is.all), now_is.all);
    return text;
}

void progress::show(const campaign_status& now_is)
{
    if (!shows_)
        return;
    const duration now = real_now();
    if (now - began_ < (on_terminal_ ? after_a_second : every_) ||
        now - last_ < (on_terminal_ ? between_frames : every_))
        return;
    last_ = now;
    std::string text = line(now_is, now);
    std::fflush(stdout);
    if (on_terminal_) {
        text.resize(std::min(text.size(), width_of_terminal() - 1));
        fmt::print(stderr, "\r\x1b[K{}", text);
        is_shown_ = true;
    } else {
        fmt::print(stderr, "mishap: {}\n", text);
    }
    std::fflush(stderr);
}

void progress::clear()
{
    if (!is_shown_)
        return;
    fmt::print(stderr, "\r\x1b[K");
    std::fflush(stderr);
    is_shown_ = false;
}

} // namespace mishap::detail
