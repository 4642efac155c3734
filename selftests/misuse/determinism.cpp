// SPDX-License-Identifier: MIT
// Goal: what mishap says depends on nothing but what it was asked: not on the environment, the folder, the
// locale, the time, or where in memory things lie. Method: five managers of the catalogue, each in twenty
// processes whose surroundings differ; their output is the same to the byte.

#include "child.hpp"

#include <filesystem>

namespace {

class determinism : public misuse::in_fresh_folder, public testing::WithParamInterface<const char*>
{
protected:
    /// Runs all that a user may ask of a manager, in surroundings of which no two are alike.
    misuse::ended explore(const std::string& manager, int surroundings) const
    {
        const int n = surroundings;
        const std::string program = MISHAP_PROGRAM;
        // Each program starts elsewhere in memory by itself, and its stack is moved by its environment; some
        // get other layouts yet.
        std::string before;
        if (n % 4 == 1)
            before += "ulimit -s unlimited 2>/dev/null; ";
        if (n % 5 == 2)
            before += "umask 077; ";
        if (n % 7 == 3)
            before += "exec 5</dev/null 6</dev/null 7</dev/null; ";
        const std::string folder = "place_" + std::string(static_cast<std::size_t>(n) * 5, 'x');
        before += "mkdir " + folder + " && cd " + folder + " && ";
        const bool fixed = n % 6 == 4 && std::filesystem::exists("/usr/bin/setarch");
        const std::string start = (fixed ? "/usr/bin/setarch -R '" : "'") + program + "' ";
        std::string script = before;
        for (const char* arguments : {"sweep NAME --perturbations 1", "random NAME --cases 40 --seed 3",
                 "random NAME --cases 20 --seed 4 --also abandon,deviate"}) {
            std::string words = arguments;
            words.replace(words.find("NAME"), 4, manager);
            script += start + words + " | sed '/^  took /d'; ";
        }
        script += "cat mishap-failures/* 2>/dev/null";
        const char* const locales[] = {"C", "C.UTF-8", "de_DE.UTF-8", "tr_TR.UTF-8", "POSIX"};
        const char* const zones[] = {"UTC", "Asia/Kolkata", "America/St_Johns", ":nowhere"};
        misuse::variables set{{"LC_ALL", locales[n % 5]}, {"TZ", zones[n % 4]},
            {"PADDING", std::string(static_cast<std::size_t>(n) * 997, '.')},
            {"COLUMNS", std::to_string(20 + n)}, {"TERM", n % 2 ? "dumb" : "xterm-256color"},
            {"HOME", "/nonexistent/" + std::to_string(n)}, {"USER", "user" + std::to_string(n)},
            {"MALLOC_PERTURB_", std::to_string(n * 11)}};
        if (n % 3 == 1)
            set["MALLOC_ARENA_MAX"] = "1";
        if (n % 3 == 2)
            set["LD_BIND_NOW"] = "1";
        if (n % 8 == 5)
            set["GLIBC_TUNABLES"] = "glibc.malloc.tcache_count=0";
        return run("/bin/sh", {"-c", script}, set);
    }
};

TEST_P(determinism, twenty_processes_say_the_same)
{
    const misuse::ended first = explore(GetParam(), 0);
    EXPECT_TRUE(misuse::says(first.out, std::string(GetParam())));
    EXPECT_EQ(first.err, "");
    for (int surroundings = 1; surroundings < 20; ++surroundings) {
        const misuse::ended other = explore(GetParam(), surroundings);
        EXPECT_EQ(other.code, first.code) << surroundings;
        EXPECT_EQ(other.err, first.err) << surroundings;
        ASSERT_EQ(other.out, first.out) << surroundings;
    }
}

INSTANTIATE_TEST_SUITE_P(each, determinism,
    testing::Values(
        "bad_cleanup", "broken_manager", "connection_pool", "database_session", "transaction_as_written"),
    [](const auto& row) { return std::string(row.param); });

} // namespace
