// SPDX-License-Identifier: MIT
// Goal: in the catalogue and in the correct managers that look wrong, exactly what is wrong on purpose is
// found. Method: every managers' header of the catalogue and the correct managers, in one translation unit;
// each finding stands in harness/tools/JUDGED.md with its reason, and none else may come.

#include "support.hpp"

#include <gmock/gmock.h>

#include <algorithm>

namespace {

using namespace selftest;
using namespace mishap::tools;

class catalogue_test : public in_fresh_folder
{};

TEST_F(catalogue_test, has_the_findings_that_it_is_to_have_and_no_others)
{
    std::vector<std::string> headers;
    const std::filesystem::path root = MISHAP_SOURCE;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / "scenarios"))
        if (entry.path().extension() == ".hpp" && entry.path().filename() != "adapters.hpp")
            headers.push_back(entry.path().lexically_relative(root / "scenarios").string());
    std::sort(headers.begin(), headers.end());
    ASSERT_GE(headers.size(), 9u);
    std::string text;
    for (const std::string& one : headers)
        text += "#include \"" + one + "\"\n";
    text += "#include \"pairs/correct_pools.hpp\"\n#include \"pairs/correct_sessions.hpp\"\n";
    write("all.cpp", text);
    const unit in = read_unit(path("all.cpp"), flags());
    for (const diagnostic& one : in.diagnostics)
        ADD_FAILURE() << one.where.file << ':' << one.where.line << ": " << one.text;
    std::vector<std::string> expected;
    for (const std::vector<std::string>& row : judged("## The catalogue")) {
        ASSERT_EQ(row.size(), 4u) << row.front();
        expected.push_back(row[0] + ": " + row[1] + ": " + row[2]);
    }
    ASSERT_GE(expected.size(), 20u);
    EXPECT_THAT(shown(in, run_checks(in)), testing::UnorderedElementsAreArray(expected));
}

} // namespace
