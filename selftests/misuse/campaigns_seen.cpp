// SPDX-License-Identifier: MIT
// Goal: who waits for a campaign sees how far it is, can end it, and loses nothing by that. Method: child
// processes with and without a terminal of their own, which are told to end once they show what they do; none
// of these tests waits for a time to pass, only for words.

#include "child.hpp"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace {

using misuse::says;

/// A child that is under way, and what it says.
class under_way
{
public:
    under_way(std::vector<std::string> words, bool on_terminal)
    {
        int pipes[2] = {-1, -1};
        if (!on_terminal && pipe(pipes) != 0)
            return;
        words.insert(words.begin(), MISHAP_PROGRAM);
        std::vector<char*> pointers;
        for (std::string& word : words)
            pointers.push_back(word.data());
        pointers.push_back(nullptr);
        const winsize wide{.ws_row = 24, .ws_col = 200, .ws_xpixel = 0, .ws_ypixel = 0};
        pid_ = on_terminal ? forkpty(&from_, nullptr, nullptr, &wide) : fork();
        if (pid_ == 0) {
            if (!on_terminal) {
                dup2(pipes[1], STDOUT_FILENO);
                dup2(pipes[1], STDERR_FILENO);
                close(pipes[0]);
                close(pipes[1]);
                setenv("MISHAP_PROGRESS", "50ms", 1);
            }
            for (const int number : {SIGINT, SIGTERM, SIGHUP})
                signal(number, SIG_DFL);
            unsetenv("NO_COLOR");
            execv(pointers[0], pointers.data());
            _exit(127);
        }
        if (!on_terminal) {
            close(pipes[1]);
            from_ = pipes[0];
        }
    }
    ~under_way()
    {
        if (!ended_) {
            kill(pid_, SIGKILL);
            waitpid(pid_, nullptr, 0);
        }
        close(from_);
    }

    /// Reads until these words come, or no more do.
    testing::AssertionResult wait_for(const std::string& words)
    {
        while (said_.find(words) == std::string::npos)
            if (!read_more())
                return says(said_, words);
        return testing::AssertionSuccess();
    }

    void type(char key) { EXPECT_EQ(write(from_, &key, 1), 1); }
    void tell(int number) { kill(pid_, number); }

    /// Its exit code, once it has ended by itself.
    int end()
    {
        while (read_more()) {
        }
        int status = 0;
        waitpid(pid_, &status, 0);
        ended_ = true;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    }

    const std::string& said() const { return said_; }

private:
    bool read_more()
    {
        char buffer[4096];
        const ssize_t got = read(from_, buffer, sizeof buffer);
        if (got > 0)
            said_.append(buffer, static_cast<std::size_t>(got));
        return got > 0;
    }

    pid_t pid_ = -1;
    int from_ = -1;
    std::string said_;
    bool ended_ = false;
};

class campaigns_seen : public misuse::in_fresh_folder
{};

const std::vector<std::string> for_ever{"random", "bad_cleanup", "--cases", "10000000000", "--jobs", "2",
    "--seed", "5", "--save", "/dev/null/nowhere"};

TEST_F(campaigns_seen, ctrl_c_on_a_terminal_ends_with_the_report_so_far)
{
    under_way child(for_ever, true);
    ASSERT_TRUE(child.wait_for("; tries bad_cleanup, plans drawn with seed 5, part "));
    child.type('\x03');
    EXPECT_EQ(child.end(), 130);
    EXPECT_TRUE(says(child.said(), " violations, "));
    EXPECT_TRUE(says(child.said(), " left; tries bad_cleanup, plans drawn with seed 5, part "));
    EXPECT_TRUE(says(child.said(), "\r\x1b[K"));
    EXPECT_TRUE(says(child.said(), "plans drawn with seed 5; stopped by SIGINT"));
    EXPECT_TRUE(says(child.said(), "bad_cleanup breaks "));
    EXPECT_TRUE(says(child.said(), "(fired/planned/seen by the caller)"));
    EXPECT_TRUE(says(child.said(), "  took  "));
}

TEST_F(campaigns_seen, a_request_to_end_is_heard_without_a_terminal)
{
    under_way child(for_ever, false);
    ASSERT_TRUE(child.wait_for("; tries bad_cleanup, plans drawn with seed 5, part "));
    child.tell(SIGTERM);
    EXPECT_EQ(child.end(), 143);
    EXPECT_TRUE(says(child.said(), "stopped by SIGTERM"));
    EXPECT_TRUE(says(child.said(), "bad_cleanup breaks "));
    EXPECT_EQ(child.said().find('\x1b'), std::string::npos);
}

TEST_F(campaigns_seen, a_sweep_that_is_ended_is_incomplete)
{
    under_way child({"sweep", "connection_pool", "--perturbations", "4", "--runs-max", "1000000000"}, false);
    ASSERT_TRUE(child.wait_for("; tries connection_pool, "));
    child.tell(SIGINT);
    EXPECT_EQ(child.end(), 130);
    EXPECT_TRUE(says(child.said(), "incomplete: plans of at most 4 perturbations"));
    EXPECT_TRUE(says(child.said(), "; stopped by SIGINT"));
}

TEST_F(campaigns_seen, time_that_is_up_ends_a_campaign)
{
    const misuse::ended random = mishap({"random", "good_cleanup", "--for", "50ms"});
    EXPECT_EQ(random.code, 0) << random.err;
    EXPECT_TRUE(says(random.out, "; its time was up after 50ms"));
    const misuse::ended sweep = mishap(
        {"sweep", "connection_pool", "--perturbations", "4", "--for", "50ms", "--runs-max", "1000000000"});
    EXPECT_TRUE(says(sweep.out, "incomplete: plans of at most 4 perturbations"));
    EXPECT_TRUE(says(sweep.out, "; its time was up after 50ms"));
    write("short.yaml", "mishap: 1\nmanager: good_cleanup\nexplore: {random: {for: 50ms}}\n");
    EXPECT_TRUE(says(mishap({"run", "short.yaml"}).out, "; its time was up after 50ms"));
}

TEST_F(campaigns_seen, quiet_says_only_what_is_wrong)
{
    write("good.yaml", "mishap: 1\nmanager: good_cleanup\nfaults: {resource.use: fail io_error}\n");
    write("bad.yaml",
        "mishap: 1\nmanager: bad_cleanup\nfaults: {resource.use: fail io_error, resource.close: fail "
        "io_error}\n");
    const misuse::ended child =
        mishap({"run", "--quiet", "good.yaml", "bad.yaml"}, {{"MISHAP_PROGRESS", "1ms"}});
    EXPECT_EQ(child.err, "");
    EXPECT_EQ(child.out.find("good.yaml"), std::string::npos);
    EXPECT_TRUE(says(child.out, "FAILED bad.yaml"));
    EXPECT_TRUE(
        says(mishap({"sweep", "session"}, {{"MISHAP_PROGRESS", "soon"}}).err, "MISHAP_PROGRESS is 'soon'"));
}

TEST_F(campaigns_seen, colors_are_for_terminals_or_when_asked_for)
{
    EXPECT_EQ(mishap({"sweep", "bad_cleanup"}).out.find('\x1b'), std::string::npos);
    EXPECT_TRUE(
        says(mishap({"sweep", "bad_cleanup", "--color", "always"}).out, "\x1b[1mbad_cleanup breaks "));
}

TEST_F(campaigns_seen, a_random_seed_is_printed_and_draws_the_same_again)
{
    const misuse::ended first = mishap({"random", "bad_cleanup", "--seed", "random", "--cases", "300"});
    const std::string before = "300 plans drawn with seed ";
    const auto at = first.out.find(before);
    ASSERT_NE(at, std::string::npos);
    const std::string seed =
        first.out.substr(at + before.size(), first.out.find('\n', at) - at - before.size());
    std::filesystem::remove_all(path("mishap-failures"));
    const misuse::ended again = mishap({"random", "bad_cleanup", "--seed", seed, "--cases", "300"});
    EXPECT_EQ(again.out.substr(0, again.out.find("  took")), first.out.substr(0, first.out.find("  took")));
}

TEST_F(campaigns_seen, the_program_tells_of_itself)
{
    EXPECT_TRUE(says(mishap({"--version"}).out, "mishap 0."));
    const misuse::ended help = mishap({"sweep", "--help"});
    EXPECT_EQ(help.code, 0);
    EXPECT_TRUE(says(help.out, "sweep MANAGER [--perturbations N]"));
    EXPECT_TRUE(says(help.out, "--shard I/N"));
    EXPECT_EQ(help.out.find("random MANAGER"), std::string::npos);
    EXPECT_TRUE(says(mishap({"list", "roles"}).out, "maintenance"));
    EXPECT_TRUE(says(mishap({"explain", "spins"}).out, "MISHAP_HANDLER_TIME"));
}

TEST_F(campaigns_seen, a_filter_chooses_among_the_files)
{
    write("a/one.yaml", "mishap: 1\nmanager: good_cleanup\nfaults: {resource.use: fail io_error}\n");
    write("a/two.yaml", "mishap: 1\nmanager: good_cleanup\nfaults: {resource.use: fail io_error}\n");
    const misuse::ended child = mishap({"run", "a", "--filter", "/o?e"});
    EXPECT_TRUE(says(child.out, "a/one.yaml"));
    EXPECT_EQ(child.out.find("two.yaml"), std::string::npos);
    EXPECT_EQ(mishap({"run", "a", "--filter", "three"}).code, 3);
}

TEST_F(campaigns_seen, the_results_of_googletest_have_the_same_facts)
{
    mishap({"--gtest_filter=session.*", "--gtest_output=xml:out.xml"});
    const std::string xml = read("out.xml");
    EXPECT_TRUE(says(xml, "<property name=\"mishap_manager\" value=\"session\"/>"));
    EXPECT_TRUE(says(xml, "<property name=\"mishap_runs\" value=\""));
    EXPECT_TRUE(says(xml, "<property name=\"mishap_summary\" value=\"holds: complete: every plan"));
}

// -- The profiles of the guide, as a shell runs them --

std::string replaced(std::string text, const std::string& from, const std::string& to)
{
    for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
        text.replace(at, from.size(), to);
    return text;
}

/// The commands of the guide's jobs, in order.
std::vector<std::string> profile_commands()
{
    std::ifstream guide(GUIDE_ON_CAMPAIGNS);
    std::vector<std::string> commands;
    bool in_profile = false;
    for (std::string line; std::getline(guide, line);) {
        if (line.starts_with("```"))
            in_profile = line == "```yaml";
        const auto at = line.find("build/session_test ");
        if (in_profile && at != std::string::npos)
            commands.push_back(line.substr(at));
    }
    return commands;
}

TEST_F(campaigns_seen, profiles_of_the_guide_run_as_they_stand)
{
    const std::vector<std::string> commands = profile_commands();
    ASSERT_EQ(commands.size(), 8u);
    write("scenarios/good.yaml", "mishap: 1\nmanager: session\nfaults: {session.query: fail io_error}\n");
    run("/bin/sh", {"-c", std::string("mkdir build && ln -s '") + MISHAP_PROGRAM + "' build/session_test"});
    for (const std::string& command : commands) {
        // A night is shorter here.
        std::string line =
            replaced(replaced(command, "--for 30m", "--for 50ms"), "--cases 100000", "--cases 2000");
        line = replaced(line, "--perturbations 3", "--perturbations 2");
        const bool is_shard = line.find("--shard") != std::string::npos;
        for (const char* shard : {"1", "2"}) {
            const misuse::ended child = run("/bin/sh", {"-c", replaced(line, "${{ matrix.shard }}", shard)},
                {{"CI_NODE_INDEX", shard}, {"CI_NODE_TOTAL", "2"}});
            EXPECT_EQ(child.code, 0) << line << '\n' << child.err << child.out;
            if (!is_shard)
                break;
        }
    }
}

} // namespace
