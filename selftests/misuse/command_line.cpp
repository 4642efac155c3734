// SPDX-License-Identifier: MIT
// Goal: a slip on the command line or in the environment is an error that names the slip and what was meant,
// never a green run of something else; and what the sub-commands promise holds. Method: child processes of
// the program mishap; exit code and text are asserted.

#include "child.hpp"

#include <string>

#include <mishap/plan.hpp>

namespace {

/// Without the line of what no two programs take alike.
using misuse::says;

class command_line : public misuse::in_fresh_folder
{
protected:
    void expect_refused(std::vector<std::string> arguments, const std::vector<std::string>& words,
        const misuse::variables& set = {}) const
    {
        const std::string shown = testing::PrintToString(arguments);
        const misuse::ended child = mishap(std::move(arguments), set);
        EXPECT_EQ(child.code, 2) << shown;
        EXPECT_TRUE(child.err.starts_with(misuse::error)) << shown << '\n' << child.err;
        for (const std::string& one : words)
            EXPECT_TRUE(says(child.err, one)) << shown;
    }
};

std::string token(const std::string& manager, const std::string& plan)
{
    return to_string(mishap::replay_token{manager, mishap::parse_plan(plan)});
}

// Sub-commands and options --------------------------------------------------------------------------------

TEST_F(command_line, an_unknown_sub_command_is_refused)
{
    expect_refused(
        {"swep", "good_cleanup"}, {"unknown sub-command 'swep'", "did you mean 'sweep'?",
                                      "(known: run, sweep, random, merge, replay, list, new, check"});
    expect_refused({"--frobnicate"}, {"'--frobnicate'", "(known: run, sweep"});
    expect_refused({"scenarios"}, {"'scenarios'", "(known: run, sweep"});
}

TEST_F(command_line, explain_knows_words_of_every_kind)
{
    const auto explained = [&](std::vector<std::string> words) {
        words.insert(words.begin(), "explain");
        const misuse::ended child = mishap(words);
        EXPECT_EQ(child.code, 0) << child.err;
        return child.out;
    };
    EXPECT_TRUE(says(explained({"preserves_error"}), "usual causes:"));
    EXPECT_TRUE(says(explained({"create_timeout"}), "in C++       .time.create"));
    EXPECT_TRUE(says(explained({"time.create"}), "create_timeout (a term of the contract)"));
    EXPECT_TRUE(says(explained({"fail", "after", "effect"}), "its reply was lost"));
    EXPECT_TRUE(says(explained({"shared"}), "(a waiver: what looks like a violation is none)"));
    EXPECT_TRUE(says(explained({"io_error"}), "(an error)"));
    expect_refused({"explain"}, {"explain takes a rule"});
    expect_refused({"explain", "preserve_error"},
        {"nothing is called 'preserve_error'", "did you mean 'preserves_error'?"});
}

TEST_F(command_line, an_unknown_option_is_refused)
{
    expect_refused({"sweep", "good_cleanup", "--pertubations", "2"},
        {"unknown option 'pertubations'", "did you mean 'perturbations'?", "(known: perturbations, kinds"});
    expect_refused({"list", "faults", "--all"}, {"unknown option 'all'"});
}

TEST_F(command_line, an_unknown_flag_of_googletest_is_refused)
{
    expect_refused({"--gtest_fliter=x"}, {"'--gtest_fliter=x' is no flag of GoogleTest"});
    expect_refused({"--gtest_filter=cleanup_error.*", "leftover"}, {"'leftover' is no flag of GoogleTest"});
}

TEST_F(command_line, values_of_options_are_checked)
{
    expect_refused({"sweep", "good_cleanup", "--perturbations"}, {"--perturbations needs a value"});
    expect_refused(
        {"sweep", "good_cleanup", "--perturbations", "9"}, {"--perturbations", "from 0 to 8", "'9'"});
    expect_refused(
        {"sweep", "good_cleanup", "--perturbations", "two"}, {"--perturbations", "from 0 to 8", "'two'"});
    expect_refused({"sweep", "good_cleanup", "--perturbations", "1", "--perturbations=2"},
        {"--perturbations is there twice"});
    expect_refused(
        {"sweep", "good_cleanup", "--kinds", "hang,hagn"}, {"unknown fault 'hagn'", "(known: ok, ok now"});
    expect_refused({"sweep", "good_cleanup", "--with", "timeout"}, {"name=value", "'timeout'"});
    expect_refused({"random", "good_cleanup", "--cases", "0"}, {"--cases", "from 1 to", "'0'"});
    expect_refused(
        {"random", "good_cleanup", "--seed", "18446744073709551616"}, {"--seed", "'18446744073709551616'"});
    expect_refused({"sweep", "good_cleanup", "bad_cleanup"}, {"'bad_cleanup' is one word too many"});
}

TEST_F(command_line, an_unknown_manager_is_refused)
{
    expect_refused(
        {"sweep", "what_is_this"}, {"unknown manager 'what_is_this'",
                                       "if it is registered in a static library, the linker left it out"});
    expect_refused({"sweep", "good_clenup"}, {"unknown manager 'good_clenup'", "did you mean 'good_cleanup'?",
                                                 "(known: auto_manager, bad_cleanup, "});
    expect_refused({"random"}, {"name a manager", "good_cleanup"});
}

TEST_F(command_line, an_unknown_list_is_refused)
{
    expect_refused({"list", "manager"}, {"'manager'", "did you mean 'managers'?"});
    expect_refused({"list"}, {"managers, roles, faults, invariants, waivers, errors"});
    expect_refused({"list", "faults", "cancel"}, {"'cancel' is one word too many"});
    expect_refused({"list", "keys", "expct"}, {"unknown section of keys 'expct'", "did you mean 'expect'?"});
    expect_refused(
        {"list", "keys", "--format", "html"}, {"unknown format 'html'", "(known: text, markdown)"});
    expect_refused({"schema", "good_cleanup"}, {"'good_cleanup' is one word too many"});
}

// Nothing ran ---------------------------------------------------------------------------------------------

TEST_F(command_line, a_filter_that_matches_nothing_is_no_pass)
{
    const misuse::ended child = mishap({"--gtest_filter=nothing.at_all"});
    EXPECT_EQ(child.code, 3);
    EXPECT_TRUE(says(child.err, "no test matched"));
}

TEST_F(command_line, a_campaign_in_which_nothing_fires_is_no_pass)
{
    const misuse::ended child = mishap({"sweep", "good_cleanup", "--kinds", "ok"});
    EXPECT_EQ(child.code, 1);
    EXPECT_TRUE(says(child.out, "no fault ever fired, so nothing was tested"));
}

// Tokens --------------------------------------------------------------------------------------------------

TEST_F(command_line, a_changed_token_is_refused)
{
    std::string changed = token("bad_cleanup", misuse::violating_plan);
    ASSERT_EQ(mishap({"replay", changed}).code, 1);
    changed.replace(changed.find("io_error"), 8, "io_arror");
    expect_refused({"replay", changed}, {"checksum", "copy the whole line"});
    expect_refused({"replay", "1 bad_cleanup " + misuse::violating_plan},
        {"does not end in a checksum such as ' ~7f3a'"});
    expect_refused({"replay"}, {"one token, in quotes"});
}

TEST_F(command_line, a_sound_token_of_nonsense_is_refused)
{
    expect_refused({"replay", token("good_clenup", misuse::violating_plan)},
        {"unknown manager 'good_clenup'", "'good_cleanup'"});
}

TEST_F(command_line, a_stale_token_is_no_pass)
{
    const misuse::ended child = mishap({"replay", token("good_cleanup", "resource.use#7=fail(io_error)")});
    EXPECT_EQ(child.code, 1);
    EXPECT_TRUE(says(child.err, "stale"));
    EXPECT_TRUE(says(child.err, "resource.use#7"));
}

// Environment ---------------------------------------------------------------------------------------------

TEST_F(command_line, a_damaged_replay_is_refused_by_whatever_runs)
{
    const misuse::variables damaged{{"MISHAP_REPLAY", "1 bad_cleanup resource.use=hang ~0000"}};
    write("good.yaml", "mishap: 1\nmanager: good_cleanup\nfaults: {}\n");
    const std::vector<std::vector<std::string>> commands{{}, {"--gtest_filter=*good*"},
        {"sweep", "bad_cleanup"}, {"random", "bad_cleanup"}, {"run", "good.yaml"}};
    for (const auto& command : commands)
        expect_refused(command, {"MISHAP_REPLAY", "checksum", "~0000"}, damaged);
}

TEST_F(command_line, a_replay_that_nobody_takes_is_no_pass)
{
    const misuse::variables unmatched{{"MISHAP_REPLAY", token("somebody_else", misuse::violating_plan)}};
    const misuse::ended tests = mishap({"--gtest_filter=cleanup_error.*"}, unmatched);
    EXPECT_EQ(tests.code, 2);
    EXPECT_TRUE(
        says(tests.err, "MISHAP_REPLAY asks for a run of 'somebody_else', but no campaign of that name ran"));

    write("good.yaml", "mishap: 1\nmanager: good_cleanup\nfaults: {}\n");
    const std::vector<std::vector<std::string>> commands{
        {"sweep", "bad_cleanup"}, {"random", "good_cleanup"}, {"run", "good.yaml"}};
    for (const auto& command : commands) {
        const misuse::ended child = mishap(command, unmatched);
        EXPECT_EQ(child.code, 2) << command.front();
        EXPECT_TRUE(says(child.err, "MISHAP_REPLAY asks for a run of 'somebody_else'")) << command.front();
    }
}

TEST_F(command_line, a_replay_is_run_instead_of_the_campaign)
{
    const misuse::ended child =
        mishap({"sweep", "bad_cleanup"}, {{"MISHAP_REPLAY", token("bad_cleanup", misuse::violating_plan)}});
    EXPECT_EQ(child.code, 1);
    EXPECT_TRUE(says(child.out, "bad_cleanup: 1 run,"));
    EXPECT_TRUE(says(child.out, "the one run that MISHAP_REPLAY asks for"));
}

TEST_F(command_line, a_stale_replay_is_no_pass)
{
    const misuse::ended child = mishap({"sweep", "good_cleanup"},
        {{"MISHAP_REPLAY", token("good_cleanup", "resource.use#7=fail(io_error)")}});
    EXPECT_EQ(child.code, 1);
    EXPECT_TRUE(says(child.out, "stale"));
    EXPECT_TRUE(says(child.out, "resource.use#7"));
}

TEST_F(command_line, a_seed_that_is_no_number_is_refused)
{
    for (const char* seed : {"abc", "-1", "1.5", "0x10", "18446744073709551616", "1 "})
        expect_refused({"random", "good_cleanup"}, {std::string("MISHAP_SEED is '") + seed + "'", "64 bits"},
            {{"MISHAP_SEED", seed}});
}

TEST_F(command_line, parameters_of_rapidcheck_that_cannot_be_read_are_refused)
{
    expect_refused({"random", "good_cleanup"}, {"RC_PARAMS", "seed"}, {{"RC_PARAMS", "seed=abc"}});
    expect_refused({"random", "good_cleanup"}, {"RC_PARAMS", "garbage"}, {{"RC_PARAMS", "garbage"}});
    expect_refused(
        {"random", "good_cleanup"}, {"RC_PARAMS", "'sed'", "did you mean 'seed'?"}, {{"RC_PARAMS", "sed=1"}});
}

TEST_F(command_line, the_seed_is_taken_from_the_environment)
{
    EXPECT_TRUE(says(mishap({"random", "good_cleanup"}, {{"MISHAP_SEED", "77"}}).out, "drawn with seed 77"));
    EXPECT_TRUE(
        says(mishap({"random", "good_cleanup"}, {{"RC_PARAMS", "seed=78"}}).out, "drawn with seed 78"));
    EXPECT_TRUE(says(mishap({"random", "good_cleanup", "--seed", "79"}, {{"MISHAP_SEED", "77"}}).out,
        "drawn with seed 79"));
}

// What is right -------------------------------------------------------------------------------------------

TEST_F(command_line, lists_and_help_are_well)
{
    const std::pair<const char*, const char*> lists[] = {{"managers", "good_cleanup"},
        {"faults", "delay DURATION"}, {"invariants", "closes_everything"}, {"waivers", "same_instant"},
        {"errors", "connection_reset"}, {"contract", "create_timeout"}, {"keys", "equivalent_to"}};
    for (const auto& [list, entry] : lists) {
        const misuse::ended child = mishap({"list", list});
        EXPECT_EQ(child.code, 0) << list;
        EXPECT_TRUE(says(child.out, entry)) << list;
        EXPECT_EQ(child.err, "") << list;
    }
    for (const char* help : {"help", "--help", "-h"}) {
        const misuse::ended child = mishap({help});
        EXPECT_EQ(child.code, 0) << help;
        for (const char* command :
            {"run", "sweep", "random", "replay", "list", "check", "MISHAP_REPLAY", "Exit codes"})
            EXPECT_TRUE(says(child.out, command)) << help;
    }
}

TEST_F(command_line, check_reads_without_running)
{
    write("violating.yaml", "mishap: 1\nmanager: bad_cleanup\nexplore: {sweep: {}}\n");
    const misuse::ended child = mishap({"check", "violating.yaml"});
    EXPECT_EQ(child.code, 0);
    EXPECT_TRUE(says(child.out, "1 scenario file is well formed"));
}

TEST_F(command_line, a_sweep_of_a_right_manager_is_complete_and_well)
{
    const misuse::ended child = mishap({"sweep", "good_cleanup"});
    EXPECT_EQ(child.code, 0);
    EXPECT_TRUE(says(child.out, "good_cleanup holds in "));
    EXPECT_TRUE(says(child.out, "complete: every plan of at most 2 perturbations"));
    EXPECT_TRUE(files_in("mishap-failures").empty());
}

TEST_F(command_line, a_bounded_sweep_says_that_it_is_incomplete)
{
    const misuse::ended child = mishap({"sweep", "good_cleanup", "--runs-max", "5"});
    EXPECT_EQ(child.code, 0);
    EXPECT_TRUE(says(child.out, "good_cleanup holds in 5 runs"));
    EXPECT_TRUE(says(child.out, "incomplete: plans of at most 2 perturbations"));
    EXPECT_TRUE(says(child.out, "stopped at 5 runs"));
}

// One report, followed to the end: what it prints can be replayed, and what it saved can be run.
TEST_F(command_line, a_report_leads_back_to_the_violation)
{
    const misuse::ended sweep = mishap({"sweep", "bad_cleanup"});
    EXPECT_EQ(sweep.code, 1);
    EXPECT_TRUE(says(sweep.out, "bad_cleanup breaks preserves_error"));
    EXPECT_TRUE(says(sweep.out, "  plan      resource.use=fail(io_error) resource.close=fail(io_error)"));
    EXPECT_TRUE(says(sweep.out, "  expected  "));
    EXPECT_TRUE(says(sweep.out, "  actual    "));
    EXPECT_TRUE(says(sweep.out, "  timeline  0.000s  resource.create#1  ok"));
    EXPECT_TRUE(says(sweep.out, "<- first error"));
    EXPECT_TRUE(says(sweep.out, "<- replaces it"));

    const std::string replay = misuse::line_of(sweep.out, "  replay    ");
    const std::string command = std::string(MISHAP_PROGRAM) + " replay '";
    ASSERT_TRUE(says(replay, command));
    ASSERT_TRUE(replay.ends_with("'"));
    const auto begin = replay.find(command) + command.size();
    const misuse::ended again = mishap({"replay", replay.substr(begin, replay.size() - begin - 1)});
    EXPECT_EQ(again.code, 1);
    EXPECT_TRUE(says(again.out, "bad_cleanup breaks preserves_error"));
    EXPECT_TRUE(says(again.out, replay));

    const std::string saved = misuse::line_of(sweep.out, "  saved     ");
    const auto names = files_in("mishap-failures");
    ASSERT_EQ(names.size(), 1u);
    EXPECT_EQ(saved, "  saved     mishap-failures/" + names.front());
    const misuse::ended file = mishap({"run", "mishap-failures"});
    EXPECT_EQ(file.code, 1);
    EXPECT_TRUE(says(file.out, "bad_cleanup breaks preserves_error"));
    EXPECT_TRUE(says(file.out, replay));
}

TEST_F(command_line, counterexamples_are_saved_where_asked)
{
    EXPECT_EQ(mishap({"sweep", "bad_cleanup", "--save", "kept/here"}).code, 1);
    EXPECT_EQ(files_in("kept/here").size(), 1u);
    EXPECT_TRUE(files_in("mishap-failures").empty());
}

// A token cannot carry the contract that a scenario tightened: the saved file does, and the report says so.
TEST_F(command_line, a_counterexample_keeps_the_contract_of_its_scenario)
{
    write("tight.yaml",
        "mishap: 1\nmanager: good_cleanup\ncontract: {unbounded: [close], create_timeout: 5s}\n"
        "explore: {sweep: {perturbations: 1, kinds: [hang]}}\n");
    const misuse::ended found = mishap({"run", "tight.yaml"});
    EXPECT_EQ(found.code, 1);
    EXPECT_TRUE(says(found.out, " run mishap-failures/"));
    const auto saved = files_in("mishap-failures");
    ASSERT_EQ(saved.size(), 1u);
    EXPECT_TRUE(says(read("mishap-failures/" + saved.front()), "create_timeout: 5s"));
    EXPECT_EQ(mishap({"run", "mishap-failures"}).code, 1);
}

// A step is no operation, so a cancellation there must not be taken for one that never came up.
TEST_F(command_line, a_cancellation_at_a_step_is_replayed)
{
    const misuse::ended done = mishap({"replay", ::mishap::to_string(::mishap::replay_token{"good_cleanup",
                                                     ::mishap::parse_plan("cancel(c0 after 2 steps)")})});
    EXPECT_EQ(done.code, 0) << done.err;
    EXPECT_TRUE(says(done.out, "is cancelled by its caller"));
}

TEST_F(command_line, one_seed_prints_one_text)
{
    const std::vector<std::string> command{"random", "bad_cleanup", "--seed", "7", "--cases", "300"};
    const misuse::ended first = mishap(command);
    std::filesystem::remove_all(path("mishap-failures")); // else it is tried first
    const misuse::ended second = mishap(command);
    EXPECT_EQ(first.code, 1);
    EXPECT_EQ(misuse::without_time(first.out), misuse::without_time(second.out));
    EXPECT_TRUE(says(first.out, "300 plans drawn with seed 7"));
    EXPECT_NE(misuse::without_time(first.out),
        misuse::without_time(mishap({"random", "bad_cleanup", "--seed", "8", "--cases", "300"}).out));
}

} // namespace
