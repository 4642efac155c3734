// SPDX-License-Identifier: MIT
#include "handler_limits.hpp"

#include <mishap/duration.hpp>
#include <mishap/input_error.hpp>

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <system_error>

namespace mishap::detail {

namespace {

/// The text of a variable; null where it is not set, or `off`.
struct variable
{
    const char* name;
    const char* text = std::getenv(name);

    bool is_set() const noexcept { return text && *text; }
    bool is_off() const noexcept { return std::strcmp(text, "off") == 0; }
    [[noreturn]] void refuse(const char* wanted) const
    {
        throw input_error(std::string(name) + " is '" + text + "', but it takes " + wanted + ", or off");
    }
};

} // namespace

handler_limits read_handler_limits()
{
    handler_limits limits;
    if (const variable time{"MISHAP_HANDLER_TIME"}; time.is_set()) {
        try {
            limits.nanoseconds =
                time.is_off() ? 0 : static_cast<std::uint64_t>(parse_duration(time.text).count());
        } catch (const input_error&) {
            time.refuse("a duration, such as 10s");
        }
        if (limits.nanoseconds == 0 && !time.is_off())
            time.refuse("a duration, such as 10s");
    }
    if (const variable memory{"MISHAP_HANDLER_MEMORY"}; memory.is_set()) {
        const std::string_view text(memory.text);
        constexpr std::uint64_t most = std::uint64_t(1) << 40;
        std::uint64_t mebibytes = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), mebibytes);
        const bool reads = error == std::errc() && end == text.data() + text.size() && mebibytes > 0;
        if (!memory.is_off() && (!reads || mebibytes > most))
            memory.refuse("a number of MiB, such as 2048");
        limits.bytes = memory.is_off() ? 0 : mebibytes << 20;
    }
    return limits;
}

} // namespace mishap::detail
