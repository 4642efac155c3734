// SPDX-License-Identifier: MIT
#include <mishap/replay.hpp>

#include <mishap/input_error.hpp>

#include <atomic>
#include <cstdlib>

namespace mishap {

namespace {
std::atomic<bool> taken = false;
} // namespace

const std::optional<replay_token>& requested_replay()
{
    static const std::optional<replay_token> requested = []() -> std::optional<replay_token> {
        const char* text = std::getenv("MISHAP_REPLAY");
        if (!text || !*text)
            return std::nullopt;
        try {
            return parse_token(text);
        } catch (const input_error& e) {
            throw input_error("MISHAP_REPLAY: " + std::string(e.what()), e.offset());
        }
    }();
    return requested;
}

bool replay_was_taken() noexcept { return taken; }

void detail::take_replay() noexcept { taken = true; }

} // namespace mishap
