// SPDX-License-Identifier: MIT
// Goal: what helps while files are written: `explain` tells a run in sentences, `fmt` keeps comments and
// meaning, `run --watch` runs again when a file changes. Method: child processes of the program mishap; the
// one that watches is talked to through pipes, and never waited for by the clock.

#include "child.hpp"

#include <mishap/plan.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <stdexcept>
#include <string>
#include <string_view>

namespace {

using misuse::says;

class editing : public misuse::in_fresh_folder
{};

TEST_F(editing, explain_tells_the_run_of_a_token)
{
    const std::string token =
        to_string(mishap::replay_token{"bad_cleanup", mishap::parse_plan(misuse::violating_plan)});
    const misuse::ended child = mishap({"explain", token});
    EXPECT_EQ(child.code, 0) << child.err;
    EXPECT_TRUE(says(child.out, "bad_cleanup runs, and the plan is " + misuse::violating_plan + "."));
    EXPECT_TRUE(says(child.out, "At the start, resource.create#1 succeeds. The body begins."));
    EXPECT_TRUE(says(child.out, "resource.use#1 fails with io_error, as the plan has it (first error)."));
    EXPECT_TRUE(says(child.out, "That breaks preserves_error: the body failed with io_error"));
    EXPECT_TRUE(says(child.out, "It holds with resource.close=fail(io_error) only."));
    EXPECT_TRUE(says(child.out, "remedies:"));
    const misuse::ended stale = mishap({"explain",
        to_string(mishap::replay_token{"bad_cleanup", mishap::parse_plan("resource.use#7=hang")})});
    EXPECT_EQ(stale.code, 2);
    EXPECT_TRUE(says(stale.err, "the plan is stale: resource.use#7=hang never came up"));
}

TEST_F(editing, explain_tells_the_runs_of_a_file)
{
    write("held.yaml", "mishap: 1\nmanager: good_cleanup\nfaults: {resource.use: fail}\n");
    const misuse::ended held = mishap({"explain", "held.yaml"});
    EXPECT_EQ(held.code, 0) << held.err;
    EXPECT_TRUE(says(held.out, "No rule is broken."));
    write("swept.yaml", "mishap: 1\nmanager: bad_cleanup\nexplore: {sweep: {}}\n");
    const misuse::ended swept = mishap({"explain", "swept.yaml"});
    EXPECT_EQ(swept.code, 0) << swept.err;
    EXPECT_TRUE(says(swept.out, "That breaks preserves_error"));
    write("bad.yaml", "mishap: 1\nmanger: x\n");
    EXPECT_EQ(mishap({"explain", "bad.yaml"}).code, 2);
    EXPECT_EQ(mishap({"explain", "nowhere.yaml"}).code, 2);
}

TEST_F(editing, fmt_orders_keys_and_keeps_comments)
{
    write("mixed.yaml", "# What this file is for.\n\n\nfaults:   \n  resource.use: fail   # the query\r\n"
                        "# Whose fault it is.\nmanager: bad_cleanup\nmishap: 1\n\n\n");
    const misuse::ended check = mishap({"fmt", "--check", "mixed.yaml"});
    EXPECT_EQ(check.code, 1);
    EXPECT_TRUE(says(check.out, "mixed.yaml:1: error: not in the house format"));
    EXPECT_EQ(mishap({"fmt", "mixed.yaml"}).code, 0);
    EXPECT_EQ(read("mixed.yaml"),
        "# What this file is for.\n\nmishap: 1\n\n# Whose fault it is.\nmanager: bad_cleanup\n"
        "faults:\n  resource.use: fail   # the query\n");
    const misuse::ended again = mishap({"fmt", "--check", "mixed.yaml"});
    EXPECT_EQ(again.code, 0) << again.out;
    EXPECT_EQ(mishap({"run", "mixed.yaml"}).code, 0);
}

TEST_F(editing, fmt_leaves_alone_what_it_cannot_read)
{
    write("broken.yaml", "mishap: 1\nmanager: [\n");
    const misuse::ended child = mishap({"fmt", "broken.yaml"});
    EXPECT_EQ(child.code, 2);
    EXPECT_EQ(read("broken.yaml"), "mishap: 1\nmanager: [\n");
    // Spaces that count stay.
    const std::string literal = "mishap: 1\nmanager: bad_cleanup\nabout: |\n  one   \n  two\n";
    write("literal.yaml", literal);
    EXPECT_EQ(mishap({"fmt", "literal.yaml"}).code, 0);
    EXPECT_EQ(read("literal.yaml"), literal);
}

TEST_F(editing, the_catalogue_is_in_the_house_format)
{
    const std::string folder = SOURCE_FOLDER "/scenarios";
    const misuse::ended child = mishap({"fmt", "--check", folder});
    EXPECT_EQ(child.code, 0) << child.out;
}

/// A program that runs on, and is talked to through its input and output.
class conversation
{
public:
    conversation(const std::string& program, const std::string& file)
    {
        int to_child[2], from_child[2];
        if (pipe(to_child) != 0 || pipe(from_child) != 0)
            throw std::runtime_error("no pipes");
        child_ = fork();
        if (child_ == 0) {
            dup2(to_child[0], STDIN_FILENO);
            dup2(from_child[1], STDOUT_FILENO);
            for (const int end : {to_child[0], to_child[1], from_child[0], from_child[1]})
                close(end);
            execl(program.c_str(), program.c_str(), "run", "--watch", file.c_str(), nullptr);
            _exit(127);
        }
        close(to_child[0]);
        close(from_child[1]);
        in_ = to_child[1];
        out_ = from_child[0];
    }

    /// What it says up to the end of that line.
    std::string until(const std::string& line)
    {
        std::string said;
        char c = 0;
        while (said.find(line) == std::string::npos && ::read(out_, &c, 1) == 1)
            said += c;
        return said;
    }

    int end(std::string_view input)
    {
        EXPECT_EQ(::write(in_, input.data(), input.size()), static_cast<ssize_t>(input.size()));
        close(in_);
        int status = 0;
        while (until("\n") != "") {
        }
        close(out_);
        waitpid(child_, &status, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }

private:
    pid_t child_ = 0;
    int in_ = -1, out_ = -1;
};

TEST_F(editing, watch_runs_again_when_a_file_changes)
{
    write("one.yaml", "mishap: 1\nmanager: good_cleanup\nfaults: {resource.use: fail}\n");
    for (const std::string_view last : {"q\n", ""}) {
        conversation with(MISHAP_PROGRAM, path("one.yaml").string());
        EXPECT_TRUE(says(with.until("watching: "), "good_cleanup holds"));
        write("one.yaml",
            "mishap: 1\nmanager: bad_cleanup\nfaults: {resource.use: fail, resource.close: fail}\n");
        EXPECT_TRUE(says(with.until("watching: "), "bad_cleanup breaks preserves_error"));
        EXPECT_EQ(with.end(last), 1);
        write("one.yaml", "mishap: 1\nmanager: good_cleanup\nfaults: {resource.use: fail}\n");
    }
}

} // namespace
