// SPDX-License-Identifier: MIT
// Goal: nothing passes that tested nothing. Adapters that serve nobody, misuse mishap or fail by themselves,
// a manager that ends the program, settings that nobody reads, a run of no test and output that nobody can
// read each give an exit code that is not 0, and say why. Method: the program programs/vacuous.cpp and the
// catalogue's, as child processes; exit code and text are asserted.

#include "child.hpp"

#include <mishap/plan.hpp>

#include <filesystem>

#include <sys/stat.h>
#include <unistd.h>

namespace {

using misuse::says;

class vacuous : public misuse::in_fresh_folder
{
protected:
    misuse::ended sweep(std::vector<std::string> words) const
    {
        words.insert(words.begin(), "sweep");
        words.insert(words.end(), {"--perturbations", "1"});
        return run(MISHAP_VACUOUS, std::move(words));
    }

    void expect_bad_input(std::vector<std::string> words, const std::vector<std::string>& said) const
    {
        const std::string shown = testing::PrintToString(words);
        const misuse::ended child = sweep(std::move(words));
        EXPECT_EQ(child.code, 2) << shown << child.out;
        for (const std::string& one : said)
            EXPECT_TRUE(says(child.err, one)) << shown;
    }
};

TEST_F(vacuous, the_program_itself_is_right) { EXPECT_EQ(sweep({"right"}).code, 0); }

TEST_F(vacuous, an_adapter_that_fails_by_itself_is_blamed)
{
    for (const char* name : {"throws_first", "throws_an_int", "throws_after"}) {
        const misuse::ended child = sweep({name});
        EXPECT_EQ(child.code, 1) << name;
        EXPECT_TRUE(says(child.out, "breaks no_escape")) << name;
        EXPECT_TRUE(says(child.out, "although nothing had failed")) << name;
    }
}

TEST_F(vacuous, an_adapter_that_fails_for_a_fault_is_not_blamed)
{
    const misuse::ended child = sweep({"warms_up", "--kinds", "fail io_error"});
    EXPECT_EQ(child.code, 0) << child.out << child.err;
}

// Something else went wrong in these runs, which explains nothing: its client was told of it, or it was a
// mere order.
TEST_F(vacuous, an_adapter_that_fails_for_no_reason_of_its_own_is_blamed)
{
    for (const std::vector<std::string>& words :
        {std::vector<std::string>{"throws_for_others", "--kinds", "fail io_error"},
            {"throws_for_an_order", "--also", "deviate"}}) {
        const misuse::ended child = sweep(words);
        EXPECT_EQ(child.code, 1) << words[0];
        EXPECT_TRUE(says(child.out, "breaks no_escape")) << words[0];
        EXPECT_TRUE(says(child.out, "although nothing had failed for it")) << words[0];
    }
    EXPECT_FALSE(says(sweep({"throws_what_nobody_was_told", "--kinds", "fail io_error"}).out, "no_escape"));
}

TEST_F(vacuous, an_adapter_that_serves_nobody_is_refused)
{
    for (const char* name : {"serves_nobody", "works_for_nobody"})
        expect_bad_input({name}, {name, "its adapter returned without a call of environment::clients"});
}

TEST_F(vacuous, an_adapter_that_serves_twice_is_refused)
{
    for (const char* name : {"serves_twice", "serves_twice_unheard"})
        expect_bad_input({name}, {name, "environment::clients was called twice in one run"});
}

TEST_F(vacuous, clients_without_a_body_are_no_pass)
{
    const misuse::ended child = sweep({"enters_no_body"});
    EXPECT_EQ(child.code, 1);
    EXPECT_TRUE(says(child.out, "no client's body was ever entered"));
}

TEST_F(vacuous, a_body_that_was_asked_for_and_never_entered_is_no_pass)
{
    for (const char* name : {"forgets_its_body", "forgets_own_work"}) {
        const misuse::ended child = sweep({name});
        EXPECT_EQ(child.code, 1) << name;
        EXPECT_TRUE(says(child.out, "the body was never entered, although the adapter asked for it")) << name;
    }
}

TEST_F(vacuous, a_manager_without_a_body_may_be_about_other_things)
{
    EXPECT_EQ(sweep({"has_no_body", "--kinds", "fail io_error"}).code, 0);
}

TEST_F(vacuous, a_setting_that_does_not_read_is_named_even_where_the_manager_swallows_it)
{
    expect_bad_input({"reads_size_unheard", "--with", "size=abc"},
        {"reads_size_unheard", "the setting size is 'abc', which is no whole number"});
    EXPECT_EQ(sweep({"reads_size_unheard", "--with", "size=4"}).code, 0);
    write("size.yaml", "mishap: 1\nmanager: reads_size_unheard\nwith:\n  size: abc\nfaults: {}\n");
    const misuse::ended child = run(MISHAP_VACUOUS, {"run", "size.yaml"});
    EXPECT_EQ(child.code, 2);
    EXPECT_TRUE(says(child.err, "size.yaml:4:3: reads_size_unheard: the setting size is 'abc'"));
}

TEST_F(vacuous, a_statistic_that_is_unknown_is_named_even_where_the_manager_swallows_it)
{
    expect_bad_input({"counts_what_is_unknown"}, {"unknown statistic 'opne'", "did you mean 'open'?"});
}

TEST_F(vacuous, a_setting_that_nobody_reads_is_refused)
{
    expect_bad_input({"reads_size_unheard", "--with", "size_maks=1"},
        {"never asked for a setting: unknown setting 'size_maks'", "(known: size)"});
    expect_bad_input(
        {"right", "--with", "nosuch=1"}, {"unknown setting 'nosuch'", "there is no setting to name"});
    expect_bad_input({"right", "--with", "a=1", "--with", "a=2"}, {"--with gives the setting 'a' twice"});
    for (const char* what :
        {"faults: {}", "faults: {resource.use: fail io_error}", "explore: {random: {cases: 5}}"}) {
        write("unread.yaml", std::string("mishap: 1\nmanager: right\nwith: {nosuch: 1}\n") + what + "\n");
        const misuse::ended child = run(MISHAP_VACUOUS, {"run", "unread.yaml"});
        EXPECT_EQ(child.code, 2) << what;
        EXPECT_TRUE(
            says(child.err, "unread.yaml:3:8: right never asked for a setting: unknown setting 'nosuch'"));
    }
}

// A setting that is asked for late is none that nobody reads, where a fault comes first.
TEST_F(vacuous, a_setting_behind_a_fault_counts_as_read)
{
    write("late.yaml", "mishap: 1\nmanager: fails_with_size\nwith: {size: 1}\n"
                       "faults: {resource.create: fail io_error}\n");
    EXPECT_EQ(run(MISHAP_VACUOUS, {"run", "late.yaml"}).code, 0);
}

TEST_F(vacuous, a_scenario_for_clients_that_the_adapter_does_not_serve_is_refused)
{
    for (const char* rest : {"contract: {capacity: 1}\nfaults: {}\nexpect: {outcome: returns}\n",
             "contract: {capacity: 1}\nexplore: {sweep: {}}\n", "clients: 2\nexplore: {sweep: {}}\n"}) {
        write("nobody.yaml", std::string("mishap: 1\nmanager: good_cleanup\n") + rest);
        const misuse::ended child = mishap({"run", "nobody.yaml"});
        EXPECT_EQ(child.code, 2) << rest;
        EXPECT_TRUE(says(child.err, "its adapter returned without a call of environment::clients")) << rest;
    }
}

// The rest of the tests is lost, so the program must not end well; the run is named, so that it can be
// repeated.
TEST_F(vacuous, a_manager_that_ends_the_program_is_named)
{
    const std::pair<const char*, const char*> rows[] = {{"exits", "std::exit was called"},
        {"exits_quickly", "std::quick_exit was called"}, {"exits_at_once", "_Exit was called"},
        {"exits_with_seven", "_exit was called"}};
    for (const auto& [name, how] : rows) {
        const misuse::ended child = sweep({name, "--no-isolate"});
        EXPECT_EQ(child.code, std::string_view(name) == "exits_with_seven" ? 7 : 1) << name;
        EXPECT_TRUE(says(child.err, std::string(how) + " in the run that this repeats:\n  1 " + name + " ~"));
    }
}

TEST_F(vacuous, no_repetition_is_no_pass)
{
    const misuse::ended child = mishap({"--gtest_filter=cleanup_error.*", "--gtest_repeat=0"});
    EXPECT_EQ(child.code, 3);
    EXPECT_TRUE(says(child.err, "--gtest_repeat is 0"));
}

TEST_F(vacuous, output_that_cannot_be_written_is_no_pass)
{
    if (!std::filesystem::exists("/dev/full"))
        GTEST_SKIP() << "this system has no /dev/full";
    write("good.yaml", "mishap: 1\nmanager: good_cleanup\nfaults: {}\n");
    const misuse::ended child =
        run("/bin/sh", {"-c", std::string("'") + MISHAP_PROGRAM + "' run good.yaml > /dev/full"});
    EXPECT_EQ(child.code, 2);
    EXPECT_TRUE(says(child.err, "standard output cannot be written"));
    EXPECT_TRUE(says(child.err, "No space left"));
    for (const char* words : {"sweep good_cleanup --perturbations 1", "list managers", "check good.yaml",
             "--gtest_filter=cleanup_error.*"})
        EXPECT_EQ(run("/bin/sh",
                      {"-c", std::string("'") + MISHAP_PROGRAM + "' " + words + " > /dev/full 2>/dev/null"})
                      .code,
            2)
            << words;
}

TEST_F(vacuous, a_sweep_without_perturbations_is_one_run)
{
    const misuse::ended child = mishap({"sweep", "good_cleanup", "--perturbations", "0"});
    EXPECT_EQ(child.code, 0);
    EXPECT_TRUE(says(child.out, "good_cleanup holds in 1 run, 0 faults fired"));
    EXPECT_TRUE(says(child.out, "complete: every plan of at most 0 perturbations"));
    write("none.yaml", "mishap: 1\nmanager: good_cleanup\nexplore: {sweep: {perturbations: 0}}\n");
    EXPECT_EQ(mishap({"run", "none.yaml"}).code, 0);
}

// Files ---------------------------------------------------------------------------------------------------

class odd_folder : public misuse::in_fresh_folder
{
protected:
    static constexpr const char* good = "mishap: 1\nmanager: good_cleanup\nfaults: {}\n";

    void expect_named(const std::string& name, std::string_view why) const
    {
        for (const char* command : {"run", "check"}) {
            const misuse::ended child = without_privileges({command, "folder"});
            EXPECT_EQ(child.code, 2) << command;
            EXPECT_TRUE(says(child.err, "mishap: error: folder/" + name + ":1:1: ")) << command;
            EXPECT_TRUE(says(child.err, why)) << command;
        }
        EXPECT_TRUE(says(without_privileges({"run", "folder"}).out, "ok     folder/good.yaml"))
            << "the others run";
    }

    static constexpr const char* setpriv = "/usr/bin/setpriv";
    static bool may_read_everything() { return ::geteuid() == 0; }

    /// As somebody whom permissions bind.
    misuse::ended without_privileges(std::vector<std::string> arguments) const
    {
        if (!may_read_everything() || !std::filesystem::exists(setpriv))
            return mishap(std::move(arguments));
        arguments.insert(arguments.begin(), {"--bounding-set=-all", "--inh-caps=-all", MISHAP_PROGRAM});
        return run(setpriv, std::move(arguments));
    }
};

TEST_F(odd_folder, names_in_other_letters_are_refused_and_not_left_out)
{
    write("folder/good.yaml", good);
    write("folder/OTHER.YAML", good);
    expect_named("OTHER.YAML", "ending in .yaml");
    std::filesystem::remove(path("folder/OTHER.YAML"));
    write("folder/other.yml", good);
    expect_named("other.yml", "ending in .yaml");
}

TEST_F(odd_folder, linked_folders_are_searched)
{
    write("elsewhere/deep/good.yaml", good);
    std::filesystem::create_directory(path("folder"));
    std::filesystem::create_directory_symlink(path("elsewhere"), path("folder/linked"));
    const misuse::ended child = mishap({"run", "folder"});
    EXPECT_EQ(child.code, 0);
    EXPECT_TRUE(says(child.out, "ok     folder/linked/deep/good.yaml"));
}

TEST_F(odd_folder, a_link_that_leads_back_is_named)
{
    write("folder/good.yaml", good);
    std::filesystem::create_directory_symlink(path("folder"), path("folder/loop"));
    expect_named("loop", "leads to a folder that it lies in");
}

TEST_F(odd_folder, a_link_to_nowhere_or_to_itself_is_named)
{
    write("folder/good.yaml", good);
    std::filesystem::create_symlink("gone.yaml", path("folder/dangling.yaml"));
    expect_named("dangling.yaml", "there is no such file");
    std::filesystem::remove(path("folder/dangling.yaml"));
    std::filesystem::create_symlink("round.yaml", path("folder/round.yaml"));
    expect_named("round.yaml", "symbolic links");
}

TEST_F(odd_folder, what_is_no_regular_file_is_never_opened)
{
    write("folder/good.yaml", good);
    ASSERT_EQ(::mkfifo(path("folder/pipe.yaml").c_str(), 0600), 0);
    expect_named("pipe.yaml", "this is no regular file");
    std::filesystem::remove(path("folder/pipe.yaml"));
    std::filesystem::create_symlink("/dev/zero", path("folder/zero.yaml"));
    expect_named("zero.yaml", "this is no regular file");
}

TEST_F(odd_folder, what_may_not_be_read_is_named)
{
    if (may_read_everything() && !std::filesystem::exists(setpriv))
        GTEST_SKIP() << "the superuser may read everything, and there is no setpriv";
    write("folder/good.yaml", good);
    write("folder/secret.yaml", good);
    std::filesystem::permissions(path("folder/secret.yaml"), std::filesystem::perms::none);
    expect_named("secret.yaml", "Permission denied");
    std::filesystem::remove(path("folder/secret.yaml"));
    write("folder/shut/good.yaml", good);
    std::filesystem::permissions(path("folder/shut"), std::filesystem::perms::none);
    expect_named("shut", "Permission denied");
    std::filesystem::permissions(path("folder/shut"), std::filesystem::perms::owner_all);
}

// What was saved --------------------------------------------------------------------------------------------

class saving : public misuse::in_fresh_folder
{};

TEST_F(saving, says_why_it_failed)
{
    write("file", "no folder");
    const misuse::ended child = mishap({"sweep", "bad_cleanup", "--save", "file"});
    EXPECT_EQ(child.code, 1);
    EXPECT_TRUE(says(child.out, "  saved     the counterexample cannot be written to file/bad_cleanup_"));
    EXPECT_TRUE(says(child.out, ".yaml: "));
    EXPECT_TRUE(says(child.out, "irectory"));
}

// Half a file would be taken for a whole one later.
TEST_F(saving, leaves_nothing_where_the_disk_is_full)
{
    // No file may grow; what is printed goes to a pipe.
    const misuse::ended child =
        run("/bin/sh", {"-c", std::string("(trap '' XFSZ; ulimit -f 0; '") + MISHAP_PROGRAM +
                                  "' sweep bad_cleanup 2>&1) | cat"});
    EXPECT_TRUE(
        says(child.out, "  saved     the counterexample cannot be written to mishap-failures/bad_cleanup_"));
    EXPECT_TRUE(says(child.out, ".yaml: File too large"));
    EXPECT_TRUE(files_in("mishap-failures").empty());
}

TEST_F(saving, needs_a_name)
{
    for (const std::vector<std::string>& command :
        {std::vector<std::string>{"sweep", "bad_cleanup", "--save", ""}, {"run", "--save="}}) {
        const misuse::ended child = mishap(command);
        EXPECT_EQ(child.code, 2);
        EXPECT_TRUE(says(child.err, "--save needs the name of a folder"));
    }
}

// What a file changes is no part of a token: the file repeats the run, and a token alone would not.
TEST_F(saving, a_replay_line_names_the_file_where_a_token_does_not_suffice)
{
    for (const char* needs : {"contract: {unbounded: [close], create_timeout: 5s}\n",
             "invariants: [preserves_error]\n", "equivalent_to: good_cleanup\n"}) {
        write("needs.yaml",
            std::string("mishap: 1\nmanager: bad_cleanup\n") + needs + "explore: {sweep: {}}\n");
        const misuse::ended found = mishap({"run", "needs.yaml"});
        EXPECT_EQ(found.code, 1) << needs;
        EXPECT_TRUE(says(found.out, std::string("  replay    ") + MISHAP_PROGRAM + " run mishap-failures/"))
            << needs;
        EXPECT_FALSE(says(found.out, "replay '")) << needs;
        EXPECT_EQ(mishap({"run", "mishap-failures"}).code, 1) << needs;
        std::filesystem::remove_all(path("mishap-failures"));
    }
    write("example.yaml", "mishap: 1\nmanager: bad_cleanup\ninvariants: [preserves_error]\n"
                          "faults: {resource.use: fail io_error, resource.close: fail io_error}\n");
    EXPECT_TRUE(says(mishap({"run", "example.yaml"}).out,
        std::string("  replay    ") + MISHAP_PROGRAM + " run example.yaml\n"));
}

// What a terminal would obey is shown instead.
TEST_F(saving, escapes_of_a_terminal_are_shown_as_text)
{
    write("escape.yaml", "mishap: 1\nmanager: \"\\e[31mred\\e[0m\"\nfaults: {}\n");
    const misuse::ended child = mishap({"run", "escape.yaml"});
    EXPECT_EQ(child.code, 2);
    EXPECT_TRUE(says(child.err, "unknown manager '\\x1b[31mred\\x1b[0m'"));
    EXPECT_EQ(child.err.find('\x1b'), std::string::npos);
    write("\x1b[2Jfile.yaml", "mishap: 1\nmanager: good_cleanup\nfaults: {}\n");
    EXPECT_EQ(mishap({"run", "."}).out.find('\x1b'), std::string::npos);
}

// Slips
// --------------------------------------------------------------------------------------------------------

class words : public misuse::in_fresh_folder
{};

TEST_F(words, a_bare_late_is_a_kind)
{
    write("late.yaml", "mishap: 1\nmanager: good_cleanup\nexplore: {sweep: {kinds: [late, hang]}}\n");
    EXPECT_EQ(mishap({"run", "late.yaml"}).code, 0);
    EXPECT_EQ(mishap({"sweep", "good_cleanup", "--kinds", "late,hang"}).code, 0);
}

TEST_F(words, lists_of_kinds_hold_brackets_and_are_not_empty)
{
    EXPECT_EQ(mishap({"sweep", "good_cleanup", "--kinds", "fail(io_error,3s),hang"}).code, 0);
    const misuse::ended child = mishap({"sweep", "good_cleanup", "--kinds", ""});
    EXPECT_EQ(child.code, 2);
    EXPECT_TRUE(says(child.err, "--kinds is empty"));
}

TEST_F(words, nobody_is_advised_to_write_what_is_written)
{
    // The operation happened, and the cancellation there struck nobody.
    write("inert.yaml", "mishap: 1\nmanager: good_cleanup\n"
                        "cancel: {at: resource.close, when: after, steps: 9}\n");
    const misuse::ended child = mishap({"run", "inert.yaml"});
    EXPECT_EQ(child.code, 1);
    EXPECT_TRUE(says(child.out, "the cancellation at resource.close#1 never fired"));
    EXPECT_FALSE(says(child.out, "did you mean"));
}

TEST_F(words, one_is_no_plural)
{
    write("good.yaml", "mishap: 1\nmanager: good_cleanup\nfaults: {}\n");
    EXPECT_TRUE(says(mishap({"run", "good.yaml"}).out, "1 scenario in 1 run: 1 as expected, 0 not\n"));
    EXPECT_TRUE(says(mishap({"check", "good.yaml"}).out, "1 scenario file is well formed"));
}

} // namespace
