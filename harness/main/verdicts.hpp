// SPDX-License-Identifier: MIT
#pragma once

#include <mishap/scenario.hpp>

#include <string>
#include <vector>

namespace mishap::detail {

/// What came of the scenarios of each pattern, that is, of each folder of scenario files: which managers
/// broke what they were expected to break, and which held.
class verdicts
{
public:
    void add(const std::string& file, const scenario&, const scenario_result&);

    /// A line for each pattern, or an empty string where there is only one.
    std::string table() const;

private:
    struct manager_verdict
    {
        std::string name;
        std::vector<std::string> broken; ///< as expected
        bool held = false;
        bool failed = false; ///< some scenario is not as expected
        std::uint64_t runs = 0;
    };

    struct pattern
    {
        std::string name;
        std::vector<manager_verdict> managers;
    };

    std::vector<pattern> patterns_;
};

} // namespace mishap::detail
