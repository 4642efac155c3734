// SPDX-License-Identifier: MIT
// Goal: each check finds its own wrong code, at a place inside it, and nothing at all is found in the right
// code. Method: the two pieces of code of each row of the table, all in one file, against the real headers of
// Asio.

#include "support.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace {

using namespace selftest;
using namespace mishap::tools;

constexpr std::string_view preamble = R"(
#include "shared/with_deadline.hpp"
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <cassert>
#include <condition_variable>
#include <functional>
#include <future>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
namespace asio = boost::asio;
using catalogue::with_deadline;
struct session
{
    asio::awaitable<void> open();
    asio::awaitable<void> query();
    asio::awaitable<void> commit();
    asio::awaitable<void> close();
    void force_close() noexcept;
};
)";

class checks_test : public in_fresh_folder
{};

TEST_F(checks_test, find_their_wrong_code_and_spare_the_right)
{
    std::string text(preamble);
    const auto line = [&text] {
        return static_cast<unsigned>(std::count(text.begin(), text.end(), '\n')) + 1;
    };
    struct range
    {
        std::string check;
        bool wrong;
        unsigned begin, end;
    };
    std::vector<range> ranges;
    for (const check& one : checks())
        for (const bool wrong : {true, false}) {
            text += fmt::format("namespace case_{} {{\n", ranges.size());
            const unsigned begin = line();
            text += wrong ? one.wrong : one.right;
            text += "\n";
            ranges.push_back({std::string(one.name), wrong, begin, line()});
            text += "}\n";
        }
    write("cases.cpp", text);
    const unit in = read_unit(path("cases.cpp"), flags());
    ASSERT_TRUE(in.read);
    for (const diagnostic& one : in.diagnostics)
        ADD_FAILURE() << one.where.line << ": " << one.text;
    std::vector<std::string> found(ranges.size());
    for (const finding& one : run_checks(in))
        for (std::size_t i = 0; i < ranges.size(); ++i)
            if (one.where.line >= ranges[i].begin && one.where.line < ranges[i].end)
                found[i] += one.check + ' ';
    for (std::size_t i = 0; i < ranges.size(); ++i)
        EXPECT_EQ(found[i], ranges[i].wrong ? ranges[i].check + ' ' : "")
            << (ranges[i].wrong ? "wrong code of " : "right code of ") << ranges[i].check;
}

TEST_F(checks_test, tell_a_statement_from_a_destructor_and_a_counted_reference_from_a_leak)
{
    write("kinds.cpp", R"(#include <memory>
struct raises { ~raises() noexcept(false) { throw 1; } };
struct ends_the_program { ~ends_the_program() { throw 1; } };
struct connection
{
    struct give_back { void operator()(connection* one) const { --one->references; } };
    using reference = std::unique_ptr<connection, give_back>;
    int references = 1;
    reference refer() { ++references; return reference(this); }
    void start()
    {
        auto kept = refer();
        kept.release();
    }
};
struct file { int number; };
struct closes { void operator()(file* one) const { delete one; } };
void leaks()
{
    std::unique_ptr<file, closes> kept(new file{1});
    kept.release();
}
)");
    const unit in = read_unit(path("kinds.cpp"), flags());
    ASSERT_TRUE(in.read);
    std::string found;
    for (const finding& one : run_checks(in))
        found += fmt::format("{}:{} ", one.where.line, one.check);
    EXPECT_EQ(found, "3:throwing-destructor 21:discarded-release ");
}

TEST_F(checks_test, say_everything_about_themselves)
{
    for (const check& one : checks()) {
        EXPECT_FALSE(one.sentence.empty() || one.wrong.empty() || one.right.empty()) << one.name;
        // A rule of mishap, by the name of its file.
        const std::string rules = file_text(MISHAP_SOURCE "/harness/invariant/invariant.cpp") +
                                  file_text(MISHAP_SOURCE "/harness/invariant/outside.cpp");
        EXPECT_NE(rules.find(one.invariant), std::string::npos) << one.invariant;
    }
}

TEST_F(checks_test, are_what_the_reference_prints)
{
    const ended printed = tools({"validate", "--reference"});
    EXPECT_EQ(printed.code, 0);
    EXPECT_EQ(printed.out, file_text(MISHAP_SOURCE "/harness/tools/CHECKS.md"))
        << "print it anew: mishap-tools validate --reference > harness/tools/CHECKS.md";
}

} // namespace
