// SPDX-License-Identifier: MIT
// Goal: what a user sees of a whole set of files is true: bad ones spoil the exit code but not the good ones,
// an example that tests nothing is no pass, and "nothing ran" is never 0. Method: child processes over small
// folders; exit code and text are asserted.

#include "child.hpp"

namespace {

using misuse::says;

constexpr const char* good = "mishap: 1\nmanager: good_cleanup\nfaults: {resource.use: fail io_error}\n";
constexpr const char* bad = "mishap: 1\nmanager: good_clenup\nfaults: {}\n";
constexpr const char* violating_file =
    "mishap: 1\nmanager: bad_cleanup\nfaults: {resource.use: fail io_error, resource.close: fail io_error}\n";

class files : public misuse::in_fresh_folder
{};

TEST_F(files, a_missing_file_is_named)
{
    for (const char* command : {"run", "check"}) {
        const misuse::ended child = mishap({command, "nowhere.yaml"});
        EXPECT_EQ(child.code, 2) << command;
        EXPECT_TRUE(says(child.err, "mishap: error: nowhere.yaml: there is no such file or folder"));
    }
}

TEST_F(files, a_file_below_a_file_is_named)
{
    write("other.yaml", good);
    const misuse::ended child = mishap({"run", "other.yaml/inside.yaml"});
    EXPECT_EQ(child.code, 2);
    EXPECT_TRUE(says(child.err, "mishap: error: other.yaml/inside.yaml: there is no such file or folder"));
}

TEST_F(files, an_empty_folder_is_no_pass)
{
    write("folder/note.txt", "no scenario");
    const misuse::ended run = mishap({"run", "folder"});
    EXPECT_EQ(run.code, 3);
    EXPECT_TRUE(says(run.err, "no scenario ran"));
    EXPECT_EQ(mishap({"check", "folder"}).code, 3);
}

TEST_F(files, good_ones_run_beside_bad_ones)
{
    write("a_bad.yaml", bad);
    write("b_good.yaml", good);
    write("c/worse.yaml", "[");
    write("d/good.yaml", good);
    const misuse::ended child = mishap({"run", "."});
    EXPECT_EQ(child.code, 2);
    EXPECT_TRUE(says(child.out, "ok     ./b_good.yaml"));
    EXPECT_TRUE(says(child.out, "ok     ./d/good.yaml"));
    EXPECT_TRUE(says(child.out, "BAD    ./a_bad.yaml"));
    EXPECT_TRUE(says(child.out, "BAD    ./c/worse.yaml"));
    EXPECT_TRUE(says(child.out, "2 scenarios in 2 runs: 2 as expected, 0 not, 2 files could not be used"));
    EXPECT_TRUE(says(child.err, "mishap: error: ./a_bad.yaml:2:10: unknown manager 'good_clenup'"));
    EXPECT_TRUE(says(child.err, "mishap: error: ./c/worse.yaml:"));
}

TEST_F(files, bad_input_weighs_more_than_a_violation)
{
    write("violating.yaml", violating_file);
    EXPECT_EQ(mishap({"run", "violating.yaml"}).code, 1);
    write("bad.yaml", bad);
    const misuse::ended child = mishap({"run", "violating.yaml", "bad.yaml"});
    EXPECT_EQ(child.code, 2);
    EXPECT_TRUE(says(child.out, "violating.yaml:3: error: bad_cleanup breaks preserves_error"));
}

TEST_F(files, a_missing_file_beside_a_good_one_counts)
{
    write("good.yaml", good);
    const misuse::ended child = mishap({"run", "good.yaml", "nowhere.yaml"});
    EXPECT_EQ(child.code, 2);
    EXPECT_TRUE(says(child.out, "ok     good.yaml"));
}

TEST_F(files, a_fault_that_never_fires_is_no_pass)
{
    write("inert.yaml",
        "mishap: 1\nmanager: good_cleanup\nfaults:\n  resource.use: hang\n  resource.uses: hang\n");
    const misuse::ended child = mishap({"run", "inert.yaml"});
    EXPECT_EQ(child.code, 1);
    EXPECT_TRUE(says(child.out, "FAILED inert.yaml"));
    EXPECT_TRUE(says(child.out, "inert.yaml:5:3: the fault at resource.uses#1 never fired"));
    EXPECT_TRUE(says(child.out, "did you mean resource.use#1?"));
    EXPECT_TRUE(says(child.out, "[resource.create, resource.use, resource.close]"));
}

TEST_F(files, a_violation_that_does_not_come_is_a_failure)
{
    write(
        "calm.yaml", "mishap: 1\nmanager: good_cleanup\nfaults: {}\nexpect: {violates: [preserves_error]}\n");
    const misuse::ended child = mishap({"run", "calm.yaml"});
    EXPECT_EQ(child.code, 1);
    EXPECT_TRUE(says(child.out, "good_cleanup was expected to break preserves_error, but holds"));
}

TEST_F(files, an_expectation_that_differs_shows_both_sides)
{
    write("differs.yaml", "mishap: 1\nmanager: good_cleanup\nfaults: {resource.use: fail io_error}\nexpect: "
                          "{outcome: returns}\n");
    const misuse::ended child = mishap({"run", "differs.yaml"});
    EXPECT_EQ(child.code, 1);
    EXPECT_TRUE(says(child.out, "expected  returns"));
    EXPECT_TRUE(says(child.out, "actual    throws io_error"));
}

} // namespace
