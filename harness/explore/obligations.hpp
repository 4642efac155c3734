// SPDX-License-Identifier: MIT
#pragma once
/// What a campaign must have reached, and the places of the code under test that it did reach.

#include <mishap/explore.hpp>
#include <mishap/run.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mishap::detail {

/// The texts of every `MISHAP_REACHED` of this program, in order.
std::vector<std::string> known_places();

class obligations
{
public:
    /// Adds what must be reached.
    ///
    /// Errors: throws `input_error` for what is no operation, no fault and no place of this program.
    void require(std::span<const std::string> wanted);

    /// Complexity: linear in the places that the run reached, and in its operations where one is required.
    void see(const run_result&);

    void tell(campaign_result& into) const;

    /// In how many runs what was required came about, in its order.
    std::vector<std::uint64_t> met() const;
    const std::vector<times_reached>& reached() const noexcept { return reached_; }

    /// Counts what another process counted.
    void join(const std::vector<times_reached>& reached, const std::vector<std::uint64_t>& met);

    /// Counts from nothing again.
    void clear();

private:
    struct obligation
    {
        std::string text;
        bool is_place = false;
        symbol kind = {};
        symbol name = {};
        std::optional<fault_kind> what = {}; ///< nothing: that it is started
        symbol error = {};                   ///< empty: whichever
        std::uint64_t runs = 0;
    };

    static obligation parse(const std::string& text);
    static bool happens_in(const obligation&, const run_result&);
    std::uint64_t& runs_that_reached(std::string_view place);

    std::vector<obligation> wanted_;
    std::vector<times_reached> reached_;
};

/// What was required and never reached, in a sentence; empty where there is nothing.
std::string unmet(const campaign_result&);

} // namespace mishap::detail
