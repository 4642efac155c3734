// SPDX-License-Identifier: MIT
// Goal: no input makes the tools crash: cut short, mangled, deeply nested or no C++ at all, a file gives a
// message and what can be understood of it is checked. Method: the checks' own code, cut and changed by a
// generator with a fixed seed, a number of times that takes about two seconds; MISHAP_FUZZ_SECONDS makes it
// go on for longer.

#include "support.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <random>

namespace {

using namespace selftest;
using namespace mishap::tools;

class broken_input : public in_fresh_folder
{
protected:
    /// Reads and checks one text; what matters is that it comes back.
    void digest(const std::string& text) const
    {
        write("broken.cpp", text);
        const unit in = read_unit(path("broken.cpp"), {"-x", "c++", "-std=c++20"});
        for (const finding& one : run_checks(in))
            ASSERT_GE(one.where.line, 1u);
    }
};

std::vector<std::string> seeds()
{
    std::vector<std::string> texts;
    for (const check& one : checks()) {
        std::string text = bare_coroutines;
        text += one.wrong;
        text += '\n';
        text += one.right;
        replace_all(text, "asio::awaitable", "awaitable");
        texts.push_back(std::move(text));
    }
    return texts;
}

std::string mangled(std::string text, std::mt19937& random, std::size_t from)
{
    const auto below = [&random](std::size_t limit) { return limit == 0 ? 0 : random() % limit; };
    constexpr std::string_view pieces[] = {"co_await ", "{", "}", "(", ")", ";", "try {", "catch (...) {",
        "template <class T> ", "if (", "::", "<", ">", "/*", "\"", "#if 0\n", "[&] { ", "throw ", "~",
        "operator()", "\xff", "for (;;) ", "= "};
    for (std::size_t changes = 1 + below(4); changes > 0; --changes) {
        const std::size_t at = from + below(text.size() - from);
        switch (below(4)) {
        case 0:
            text.resize(std::max(at, from));
            break;
        case 1:
            text.erase(at, below(20));
            break;
        case 2:
            text.insert(at, pieces[below(std::size(pieces))]);
            break;
        default:
            text.insert(at, text.substr(from + below(text.size() - from), below(60)));
        }
        if (text.size() <= from)
            text += ' ';
    }
    return text;
}

TEST_F(broken_input, is_survived_when_cut_and_mangled)
{
    const char* const asked = std::getenv("MISHAP_FUZZ_SECONDS");
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(asked ? std::atoi(asked) : 0);
    const std::size_t from = std::string_view(bare_coroutines).size();
    const std::vector<std::string> all = seeds();
    std::mt19937 random(16);
    std::size_t count = 0;
    for (; count < 150 || std::chrono::steady_clock::now() < until; ++count) {
        const std::string text = mangled(all[random() % all.size()], random, from);
        SCOPED_TRACE(fmt::format("input {}", count));
        digest(text);
        if (HasFatalFailure())
            return;
    }
}

TEST_F(broken_input, is_survived_when_nested_deeply)
{
    std::string text = bare_coroutines;
    text += "awaitable<void> deep(session& s) { ";
    for (int i = 0; i < 3000; ++i)
        text += "if (true) { ";
    digest(text);
    std::string brackets = "int x = ";
    brackets.append(5000, '(');
    digest(brackets);
}

TEST_F(broken_input, is_told_and_the_rest_is_checked)
{
    write("half.cpp", std::string(bare_coroutines) + R"(
awaitable<void> wrong(session& s)
{
    co_await s.open();
    co_await s.query();
    co_await s.close();
}
awaitable<void> cut(session& s)
{
    co_await nonsense(
)");
    const ended done = tools({"validate", "half.cpp", "--no-cache"});
    EXPECT_EQ(done.code, 2) << done.err;
    EXPECT_NE(done.out.find("[cleanup-skipped]"), std::string::npos) << done.out << done.err;
    EXPECT_NE(done.err.find("half.cpp:"), std::string::npos) << done.err;
    EXPECT_NE(done.err.find("what could be read is checked"), std::string::npos) << done.err;
}

TEST_F(broken_input, may_be_no_text_at_all)
{
    write("empty.cpp", "");
    EXPECT_EQ(tools({"validate", "empty.cpp"}).code, 0);
    write("bytes.cpp", std::string("\0\x01\xfe\xff{{{\"", 8));
    EXPECT_EQ(tools({"validate", "bytes.cpp"}).code, 2);
    const ended missing = tools({"validate", "nowhere.cpp"});
    EXPECT_EQ(missing.code, 2);
    EXPECT_NE(missing.err.find("nowhere.cpp: cannot be read"), std::string::npos) << missing.err;
}

TEST_F(broken_input, may_lack_a_header)
{
    write("lacks.cpp", "#include <no/such/header.hpp>\nint x;\n");
    const ended done = tools({"validate", "lacks.cpp"});
    EXPECT_EQ(done.code, 2);
    EXPECT_NE(done.err.find("'no/such/header.hpp' file not found"), std::string::npos) << done.err;
    EXPECT_NE(done.err.find("give flags after `--`"), std::string::npos) << done.err;
}

TEST_F(broken_input, may_come_with_flags_of_another_compiler)
{
    write("fine.cpp", "#ifndef WANTED\n#error lost\n#endif\nint x;\n");
    const ended done = tools({"validate", "fine.cpp", "--", "-fcoroutines", "-fconcepts-diagnostics-depth=3",
        "/std:c++20", "-march=no-such", "--param", "ggc-min-expand=1", "-DWANTED", "-Wno-such-warning"});
    EXPECT_EQ(done.code, 0) << done.err;
}

} // namespace
