// SPDX-License-Identifier: MIT
// Goal: what people are shown stays as it was approved.
// Method: run programs, make their output stable (times and paths), compare it with an approved file beside
// this one. MISHAP_ACCEPT=1 approves what came out.

#include "support.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>
#include <vector>

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

/// What `explain` says after that heading, word by word.
std::vector<std::string> words_after(const std::string& text, const std::string& heading)
{
    std::vector<std::string> words;
    const std::size_t begin = text.find(heading);
    if (begin == std::string::npos)
        return words;
    const std::size_t from = begin + heading.size();
    std::string part = text.substr(from, text.find("\n\n", from) - from);
    std::replace(part.begin(), part.end(), ',', ' ');
    std::istringstream in(part);
    for (std::string word; in >> word;)
        words.push_back(word);
    return words;
}

TEST(golden, every_rule_is_explained)
{
    const std::string rules = run(fmt::format("'{}' list invariants", MISHAP_PROGRAM)).output;
    const std::string terms = run(fmt::format("'{}' list contract", MISHAP_PROGRAM)).output;
    std::istringstream lines(rules.substr(0, rules.find("\n\n")));
    int count = 0;
    for (std::string line; std::getline(lines, line); ++count) {
        const std::string rule = line.substr(0, line.find(' '));
        const finished done = run(fmt::format("'{}' explain {}", MISHAP_PROGRAM, rule));
        EXPECT_EQ(done.exit_code, 0) << rule;
        EXPECT_FALSE(words_after(done.output, "usual causes:").empty()) << done.output;
        EXPECT_FALSE(words_after(done.output, "remedies:").empty()) << done.output;
        for (const std::string& term : words_after(done.output, "terms of the contract that bear on it:"))
            EXPECT_NE(terms.find("\n  " + term + " "), std::string::npos) << rule << " names " << term;
    }
    EXPECT_GE(count, 30);
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
