// SPDX-License-Identifier: MIT
// Goal: what people are shown stays as it was approved.
// Method: run programs, make their output stable (times and paths), compare it with an approved file beside
// this one. MISHAP_ACCEPT=1 approves what came out.

#include "support.hpp"

#include <fmt/format.h>

using namespace golden;

namespace {

TEST(golden, first_test_fails_with_this_report)
{
    const finished done = run(std::string("'") + FIRST_TEST + "'");
    EXPECT_EQ(done.exit_code, 1);
    const std::string output = stable(done.output, FIRST_TEST);
    compare(output, "first_test.txt");
    const std::size_t begin = output.find("session.survives_any_two_mishaps breaks");
    const std::size_t end = output.find("\n\n", begin);
    ASSERT_NE(end, std::string::npos) << output;
    const std::string report = output.substr(begin, end + 1 - begin);
    compare(report, "first_report.txt");
    compare(picture(report), "../../scenarios/guide/first_report.svg");
}

TEST(golden, sweep_of_a_wrong_manager)
{
    const finished done =
        run(fmt::format("'{}' sweep timeout_protected_as_written --perturbations 1", MISHAP_PROGRAM));
    EXPECT_EQ(done.exit_code, 1);
    compare(stable(done.output, MISHAP_PROGRAM), "sweep.txt");
}

TEST(golden, run_of_the_catalogue)
{
    const finished done =
        run(fmt::format("'{}' run '{}'", MISHAP_PROGRAM, (source_folder / "scenarios").string()));
    EXPECT_EQ(done.exit_code, 0);
    const std::string output = stable(done.output, MISHAP_PROGRAM);
    compare(output, "catalogue.txt");
    const std::size_t table = output.find("\npattern ");
    ASSERT_NE(table, std::string::npos) << output;
    compare(output.substr(table + 1), "verdicts.txt");
}

TEST(golden, help)
{
    const finished done = run(fmt::format("'{}' help", MISHAP_PROGRAM));
    EXPECT_EQ(done.exit_code, 0);
    compare(stable(done.output, MISHAP_PROGRAM), "help.txt");
}

TEST(golden, lists)
{
    std::string all;
    for (const char* what : {"faults", "invariants", "waivers", "errors", "contract", "keys", "patterns",
             "document-rules", "verdicts"})
        all += run(fmt::format("'{}' list {}", MISHAP_PROGRAM, what)).output + "\n";
    compare(all, "lists.txt");
}

} // namespace
