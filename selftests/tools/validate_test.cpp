// SPDX-License-Identifier: MIT
// Goal: what `mishap-tools validate` prints and writes, and how it ends. Method: child processes over small
// files that need no headers.

#include "support.hpp"

#include <gtest/gtest.h>

#include <yaml-cpp/yaml.h>

namespace {

using namespace selftest;

class validate : public in_fresh_folder
{
protected:
    validate()
    {
        write("wrong.cpp", std::string(bare_coroutines) + R"(
awaitable<void> wrong(session& s)
{
    co_await s.open();
    co_await s.query();
    co_await s.close();
}
)");
        write("right.cpp", std::string(bare_coroutines) + R"(
awaitable<void> right(session& s)
{
    co_await s.open();
}
)");
    }

    void expect_in(const std::string& text, std::string_view part) const
    {
        EXPECT_NE(text.find(part), std::string::npos) << "no '" << part << "' in\n" << text;
    }
};

TEST_F(validate, shows_the_line_a_caret_and_the_path)
{
    const ended done = tools({"validate", "wrong.cpp"});
    EXPECT_EQ(done.code, 1);
    expect_in(done.out,
        "wrong.cpp:36:5: warning: if this throws, `s` stays open: its clean-up is skipped [cleanup-skipped]\n"
        "   36 |     co_await s.query();\n"
        "      |     ^~~~~~~~~~~~~~~~~~\n");
    expect_in(done.out, "wrong.cpp:35:14: note: acquired here\n");
    expect_in(done.out, "wrong.cpp:37:14: note: the clean-up that this path does not come to\n");
    EXPECT_EQ(done.err, "1 finding in 1 file\n");
}

TEST_F(validate, ends_with_0_where_nothing_is_wrong)
{
    const ended done = tools({"validate", "right.cpp"});
    EXPECT_EQ(done.code, 0);
    EXPECT_EQ(done.out, "");
    EXPECT_EQ(done.err, "0 findings in 1 file\n");
}

TEST_F(validate, writes_sarif)
{
    EXPECT_EQ(tools({"validate", "wrong.cpp", "right.cpp", "--sarif", "log.sarif"}).code, 1);
    const YAML::Node log = YAML::Load(read("log.sarif")); // JSON is YAML
    EXPECT_EQ(log["version"].as<std::string>(), "2.1.0");
    const YAML::Node run = log["runs"][0];
    EXPECT_EQ(run["tool"]["driver"]["name"].as<std::string>(), "mishap-tools");
    ASSERT_EQ(run["results"].size(), 1u);
    const YAML::Node found = run["results"][0];
    EXPECT_EQ(found["ruleId"].as<std::string>(), "cleanup-skipped");
    const YAML::Node rule = run["tool"]["driver"]["rules"][found["ruleIndex"].as<int>()];
    EXPECT_EQ(rule["id"].as<std::string>(), "cleanup-skipped");
    EXPECT_EQ(rule["properties"]["invariant"].as<std::string>(), "closes_everything");
    const YAML::Node place = found["locations"][0]["physicalLocation"];
    EXPECT_EQ(place["artifactLocation"]["uri"].as<std::string>(), "wrong.cpp");
    EXPECT_EQ(place["region"]["startLine"].as<int>(), 36);
    EXPECT_EQ(found["codeFlows"][0]["threadFlows"][0]["locations"].size(), 3u);
    EXPECT_TRUE(run["invocations"][0]["executionSuccessful"].as<bool>());
}

TEST_F(validate, annotates_for_github_and_editors)
{
    expect_in(tools({"validate", "wrong.cpp", "--github"}).out,
        "::warning file=wrong.cpp,line=36,col=5,title=mishap cleanup-skipped::if this throws");
    const ended lsp = tools({"validate", "wrong.cpp", "right.cpp", "--lsp-diagnostics"});
    EXPECT_EQ(lsp.code, 1);
    const std::size_t second = lsp.out.find('\n') + 1;
    const YAML::Node clean = YAML::Load(lsp.out.substr(0, second));
    const YAML::Node wrong = YAML::Load(lsp.out.substr(second));
    EXPECT_EQ(clean["diagnostics"].size(), 0u);
    ASSERT_EQ(wrong["diagnostics"].size(), 1u);
    EXPECT_EQ(wrong["diagnostics"][0]["range"]["start"]["line"].as<int>(), 35);
    EXPECT_EQ(wrong["diagnostics"][0]["relatedInformation"].size(), 2u);
}

TEST_F(validate, obeys_a_comment_that_gives_a_reason)
{
    std::string text = read("wrong.cpp");
    replace_all(text, "    co_await s.query();",
        "    // mishap: allow(cleanup-skipped) the process ends then\n    co_await s.query();");
    write("allowed.cpp", text);
    const ended allowed = tools({"validate", "allowed.cpp"});
    EXPECT_EQ(allowed.code, 0) << allowed.out << allowed.err;
    expect_in(allowed.err, "1 allowed");

    replace_all(text, " the process ends then", "");
    write("bare.cpp", text);
    const ended bare = tools({"validate", "bare.cpp"});
    EXPECT_EQ(bare.code, 2);
    expect_in(bare.err, "needs a reason");
    expect_in(bare.out, "[cleanup-skipped]");

    replace_all(text, "allow(cleanup-skipped)", "allow(clean-up) because");
    write("unknown.cpp", text);
    expect_in(tools({"validate", "unknown.cpp"}).err, "allow(clean-up) names no check");
}

TEST_F(validate, counts_only_what_is_not_in_the_baseline)
{
    EXPECT_EQ(tools({"validate", "wrong.cpp", "--write-baseline", "known.txt"}).code, 0);
    const ended known = tools({"validate", "wrong.cpp", "--baseline", "known.txt"});
    EXPECT_EQ(known.code, 0) << known.out;
    expect_in(known.err, "1 in the baseline");
    // Lines that move change nothing; a second finding of the kind does.
    std::string text = "\n\n" + read("wrong.cpp");
    write("wrong.cpp", text);
    EXPECT_EQ(tools({"validate", "wrong.cpp", "--baseline", "known.txt"}).code, 0);
    const std::string more = text.substr(text.find("awaitable<void> wrong"));
    write("wrong.cpp", text + "namespace again {\n" + more + "}\n");
    EXPECT_EQ(tools({"validate", "wrong.cpp", "--baseline", "known.txt"}).code, 1);
    write("broken.txt", "nonsense\n");
    const ended broken = tools({"validate", "wrong.cpp", "--baseline", "broken.txt"});
    EXPECT_EQ(broken.code, 2);
    expect_in(broken.err, "broken.txt:1: is no baseline");
}

TEST_F(validate, mends_what_is_certain)
{
    write("unshielded.cpp", std::string(bare_coroutines) + R"(
namespace boost::asio {
struct disable_cancellation {};
namespace this_coro { awaitable<void> reset_cancellation_state(disable_cancellation); }
}
void log(std::exception_ptr);
awaitable<void> wrong(session& s)
{
    co_await s.open();
    std::exception_ptr error;
    try {
        co_await s.query();
    } catch (...) {
        error = std::current_exception();
    }
    try {
        co_await s.close();
    } catch (...) {
        log(std::current_exception());
    }
    if (error)
        std::rethrow_exception(error);
}
)");
    const ended before = tools({"validate", "unshielded.cpp"});
    EXPECT_EQ(before.code, 1);
    expect_in(before.out, "[unshielded-cleanup]");
    expect_in(before.out, "note: --fix mends this");
    EXPECT_EQ(tools({"validate", "unshielded.cpp", "--fix"}).code, 1);
    expect_in(read("unshielded.cpp"),
        "    co_await "
        "boost::asio::this_coro::reset_cancellation_state(boost::asio::disable_cancellation());\n    try {\n"
        "        co_await s.close();\n");
    EXPECT_EQ(tools({"validate", "unshielded.cpp"}).code, 0);
}

TEST_F(validate, remembers_what_did_not_change)
{
    const ended first = tools({"validate", "wrong.cpp", "--cache", "kept"});
    EXPECT_FALSE(std::filesystem::is_empty(path("kept")));
    const ended second = tools({"validate", "wrong.cpp", "--cache", "kept"});
    EXPECT_EQ(second.code, first.code);
    EXPECT_EQ(second.out, first.out);
    // An entry that was cut short is no entry.
    for (const auto& entry : std::filesystem::directory_iterator(path("kept")))
        std::filesystem::resize_file(entry.path(), std::filesystem::file_size(entry.path()) / 2);
    EXPECT_EQ(tools({"validate", "wrong.cpp", "--cache", "kept"}).out, first.out);
    std::filesystem::copy_file(
        path("right.cpp"), path("wrong.cpp"), std::filesystem::copy_options::overwrite_existing);
    EXPECT_EQ(tools({"validate", "wrong.cpp", "--cache", "kept"}).code, 0);
}

TEST_F(validate, reads_compile_commands)
{
    write("build/compile_commands.json", R"([{"directory": ")" + path("build") + R"(", "file": "../uses.cpp",
            "arguments": ["g++", "-fcoroutines", "-DNAME=wrong", "-I../include",
                          "-c", "-o", "uses.o", "../uses.cpp"]}])");
    write("include/base.hpp", bare_coroutines);
    write("uses.cpp", "#include \"base.hpp\"\n#include \"inner.hpp\"\nint x;\n");
    write("inner.hpp",
        "awaitable<void> NAME(session& s)\n{\n    co_await s.open();\n    co_await s.query();\n"
        "    co_await s.close();\n}\n");
    const ended all = tools({"validate"});
    EXPECT_EQ(all.code, 1) << all.err;
    expect_in(all.out, "inner.hpp:4:5: warning:");
    // A file that is named twice, or reached twice, is told once.
    const ended twice = tools({"validate", "uses.cpp", "uses.cpp"});
    EXPECT_EQ(twice.out, all.out);
}

TEST_F(validate, refuses_what_means_nothing)
{
    EXPECT_EQ(tools({}).code, 2);
    EXPECT_EQ(tools({"valdate"}).code, 2);
    EXPECT_EQ(tools({"validate", "--colour", "wrong.cpp"}).code, 2);
    EXPECT_EQ(tools({"validate", "wrong.cpp", "--jobs", "none"}).code, 2);
    const ended check = tools({"validate", "wrong.cpp", "--checks", "cleanup"});
    EXPECT_EQ(check.code, 2);
    expect_in(check.err, "there is no check 'cleanup'; known: cleanup-skipped,");
    EXPECT_EQ(tools({"validate", "wrong.cpp", "--checks", "double-close"}).code, 0);
    EXPECT_EQ(tools({"validate", "wrong.cpp", "--checks", "-cleanup-skipped"}).code, 0);
    expect_in(tools({"validate"}).err, "compile_commands.json");
}

} // namespace
