// SPDX-License-Identifier: MIT
// Goal: whatever a manager does to the program, its user reads which run it was, and nothing passes unheard.
// Method: a table of managers in programs/deaths.cpp, right but for one deadly thing each, as child
// processes: how the child ends, and what it says.

#include "child.hpp"

#include <ostream>

namespace {

using misuse::says;

struct death
{
    const char* manager;
    int code;
    /// On standard error where the program dies, else in the report.
    std::string said;

    friend void PrintTo(const death& row, std::ostream* out) { *out << row.manager; }
};

constexpr int by_signal = 128;

#if defined(__SANITIZE_ADDRESS__)
// Its own handler sees crashes first.
constexpr int by_crash = 1;
const std::string crashed = "a sanitizer ended the program";
const std::string overflowed = crashed;
#else
constexpr int by_crash = by_signal + 11;
const std::string crashed = "the program crashed";
const std::string overflowed = "the stack overflowed";
#endif

const std::vector<death>& every_death()
{
    const auto in_run = [](const std::string& how, const char* manager) {
        return how + " in the run that this repeats:\n  1 " + manager + ' ';
    };
    static const std::vector<death> rows{
        {"nothing", 0, "0 runs with a violation"},
        {"segfault", by_crash, in_run(crashed, "segfault")},
        {"aborts", by_signal + 6, in_run("the program was aborted", "aborts")},
        {"overflows_the_stack", by_crash, in_run(overflowed, "overflows_the_stack")},
        {"own_terminate_handler", 9, in_run("_Exit was called", "own_terminate_handler")},
        {"thread_crashes", by_crash, in_run(crashed, "thread_crashes")},
        {"thread_throws", by_signal + 6, in_run("std::terminate was called", "thread_throws")},
        {"told_to_end", by_signal + 15, in_run("the program was told to end", "told_to_end")},
        {"interrupted", by_signal + 2, in_run("the program was told to end", "interrupted")},
        {"locks_again", 1, "a mutex that this thread holds already"},
        {"keeps_a_lock", 1, "a mutex that this thread holds already"},
        {"reads_what_never_comes", 1, "read (of what nobody has written)"},
        {"forks", 1, "a process was forked (fork)"},
        {"loops", 1, in_run("a handler used ten seconds of processor time and did not return", "loops")},
    };
    return rows;
}

class deaths : public misuse::in_fresh_folder, public testing::WithParamInterface<death>
{};

TEST_P(deaths, are_named)
{
    const death& row = GetParam();
    const misuse::ended child =
        run(MISHAP_DEATHS, {"sweep", row.manager, "--perturbations", "1", "--kinds", "fail io_error"});
    EXPECT_EQ(child.code, row.code) << child.out << child.err;
    EXPECT_TRUE(says(child.out + child.err, row.said));
}

INSTANTIATE_TEST_SUITE_P(each, deaths, testing::ValuesIn(every_death()),
    [](const auto& row) { return std::string(row.param.manager); });

class kept_lock : public misuse::in_fresh_folder
{};

// The run that kept it was left where it stood: what needs the lock later must not wait for ever.
TEST_F(kept_lock, is_told_to_who_needs_it_later)
{
    for (const char* name : {"keeps_a_lock", "needs_the_kept_lock"})
        write(std::string(name) + ".yaml",
            std::string("mishap: 1\nmanager: ") + name + "\nfaults: {session.use: fail io_error}\n");
    const misuse::ended child = run(MISHAP_DEATHS, {"run", "keeps_a_lock.yaml", "needs_the_kept_lock.yaml"});
    EXPECT_EQ(child.code, 1);
    EXPECT_TRUE(says(child.out, "needs_the_kept_lock breaks blocks_the_thread"));
}

} // namespace
