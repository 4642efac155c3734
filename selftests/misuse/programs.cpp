// SPDX-License-Identifier: MIT
// Goal: programs that are put together wrongly say so before they run anything, and the GoogleTest face of a
// user's own program treats scenario files as the sub-commands do. Method: the small programs in programs/,
// as child processes; exit code and text are asserted.

#include "child.hpp"

#include <mishap/plan.hpp>

namespace {

using misuse::says;

class programs : public misuse::in_fresh_folder
{};

constexpr const char* session_scenario =
    "mishap: 1\nmanager: session\nfaults: {resource.use: fail io_error}\n";

// A program whose own clock_gettime comes before mishap's would run on real time: everything it reported
// would be about something else.
TEST_F(programs, virtual_time_that_is_not_linked_in_is_refused)
{
    for (const std::vector<std::string>& arguments :
        {std::vector<std::string>{}, {"sweep", "session"}, {"list", "managers"}}) {
        const misuse::ended child = run(MISHAP_OWN_CLOCK, arguments);
        EXPECT_EQ(child.code, 2);
        EXPECT_TRUE(says(child.err, "mishap: error: virtual time is not linked in"));
        EXPECT_TRUE(says(child.err, "clock_gettime"));
    }
}

TEST_F(programs, two_managers_of_one_name_are_refused)
{
    for (const std::vector<std::string>& arguments : {std::vector<std::string>{}, {"sweep", "session"}}) {
        const misuse::ended child = run(MISHAP_TWO_OF_A_NAME, arguments);
        EXPECT_EQ(child.code, 2);
        EXPECT_TRUE(says(child.err, "a manager named 'session' is registered already at "));
        EXPECT_TRUE(says(child.err, "two_of_a_name.cpp:"));
    }
}

TEST_F(programs, a_contract_of_nobody_is_refused)
{
    const misuse::ended child = run(MISHAP_TWO_OF_A_NAME, {"list", "managers"});
    EXPECT_EQ(child.code, 2);
    EXPECT_TRUE(
        says(child.err, "MISHAP_CONTRACT(sesion): unknown manager 'sesion'; did you mean 'session'?"));
}

TEST_F(programs, an_invariant_with_a_name_of_mishaps_own_is_refused)
{
    const misuse::ended child = run(MISHAP_TWO_OF_A_NAME, {"list", "managers"});
    EXPECT_EQ(child.code, 2);
    EXPECT_TRUE(says(child.err, "'closes_once' is an invariant of mishap's own"));
    EXPECT_TRUE(says(child.err, "two_of_a_name.cpp:"));
}

TEST_F(programs, a_registered_contract_that_contradicts_itself_is_refused)
{
    const misuse::ended child = run(MISHAP_SMALL, {"sweep", "contradicting"});
    EXPECT_EQ(child.code, 2);
    EXPECT_TRUE(
        says(child.err, "mishap: error: the contract of contradicting contradicts itself: the close phase"));
}

// The adapter's own mistakes are the user's to read about, too.
TEST_F(programs, a_setting_that_cannot_be_read_is_named)
{
    const misuse::ended child = run(MISHAP_SMALL, {"sweep", "with_setting", "--with", "timeout=soon"});
    EXPECT_NE(child.code, 0);
    EXPECT_TRUE(says(child.out + child.err, "timeout"));
    EXPECT_TRUE(says(child.out + child.err, "'soon'"));
}

class googletest_face : public misuse::in_fresh_folder
{};

TEST_F(googletest_face, each_file_is_a_test)
{
    write("scenarios/good.yaml", session_scenario);
    write("scenarios/deeper/good.yaml", session_scenario);
    const misuse::ended child = run(MISHAP_SMALL, {});
    EXPECT_EQ(child.code, 0);
    EXPECT_TRUE(says(child.out, "[       OK ] scenarios.good"));
    EXPECT_TRUE(says(child.out, "[       OK ] deeper.good"));
}

TEST_F(googletest_face, good_files_run_beside_bad_ones)
{
    write("scenarios/bad.yaml", "mishap: 1\nmanager: sessoin\nfaults: {}\n");
    write("scenarios/good.yaml", session_scenario);
    const misuse::ended child = run(MISHAP_SMALL, {});
    EXPECT_EQ(child.code, 2);
    EXPECT_TRUE(says(child.err, "mishap: error: scenarios/bad.yaml:2:10: unknown manager 'sessoin'"));
    EXPECT_TRUE(says(child.out, "[       OK ] scenarios.good"));
}

TEST_F(googletest_face, a_failure_is_reported_at_its_line)
{
    write("scenarios/failing.yaml", "mishap: 1\nmanager: session\nfaults: {}\nexpect: {outcome: hangs}\n");
    const misuse::ended child = run(MISHAP_SMALL, {});
    EXPECT_EQ(child.code, 1);
    EXPECT_TRUE(says(child.out, "scenarios/failing.yaml:3: Failure"));
    EXPECT_TRUE(says(child.out, "expected  hangs"));
    EXPECT_TRUE(says(child.out, "actual    returns"));
}

TEST_F(googletest_face, two_files_never_give_one_test)
{
    write("scenarios/a/b/good.yaml", session_scenario);
    write("scenarios/a_b/good.yaml", session_scenario);
    const misuse::ended child = run(MISHAP_SMALL, {});
    EXPECT_EQ(child.code, 2);
    EXPECT_TRUE(says(child.err, "a_b.good"));
    EXPECT_TRUE(says(child.err, "scenarios/a/b/good.yaml"));
    EXPECT_TRUE(says(child.err, "rename one"));
}

TEST_F(googletest_face, a_folder_that_is_gone_is_named)
{
    const misuse::ended child = run(MISHAP_SMALL, {});
    EXPECT_EQ(child.code, 2);
    EXPECT_TRUE(says(child.err, "mishap: error: scenarios: there is no such file or folder"));
}

TEST_F(googletest_face, an_empty_folder_is_no_pass)
{
    write("scenarios/note.txt", "no scenario");
    EXPECT_EQ(run(MISHAP_SMALL, {}).code, 3);
    write("scenarios/good.yaml", session_scenario);
    EXPECT_EQ(run(MISHAP_SMALL, {"--gtest_filter=scenarios.god"}).code, 3);
    EXPECT_EQ(run(MISHAP_SMALL, {"--gtest_filter=scenarios.good"}).code, 0);
}

} // namespace
