// SPDX-License-Identifier: MIT
// Goal: nothing that a manager does stops a campaign or the scenarios after it, and what a campaign finds
// depends neither on the number of processes, nor on that of machines, nor on being stopped in between.
// Method: child processes; hostile managers; whole outputs are compared, but for the time taken.

#include "child.hpp"

#include <yaml-cpp/yaml.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

namespace {

using misuse::says;

class campaigns : public misuse::in_fresh_folder
{
protected:
    std::string scenario_of(const std::string& manager, const std::string& faults) const
    {
        const std::string file = manager + ".yaml";
        write(file, "mishap: 1\nmanager: " + manager + "\n" + faults);
        return file;
    }

    misuse::ended hostile(std::vector<std::string> words, misuse::variables set = {}) const
    {
        return run(MISHAP_HOSTILE, std::move(words), set);
    }
};

struct hostile_kind
{
    const char* manager;
    const char* rule;
    const char* how;
};

const misuse::variables tight{{"MISHAP_HANDLER_TIME", "400ms"}, {"MISHAP_HANDLER_MEMORY", "64"}};

const hostile_kind kinds[] = {
#if !defined(__SANITIZE_ADDRESS__)
    {"segfault", "crashes", "the program crashed (SIGSEGV)"},
    {"overflows_the_stack", "crashes", "the stack overflowed (SIGSEGV)"},
    {"frees_twice", "crashes", "the program was aborted (SIGABRT)"},
#endif
    {"aborts", "crashes", "the program was aborted (SIGABRT)"},
    {"told_to_end", "crashes", "SIGTERM"},
    {"exits", "crashes", "std::exit was called (exit code"},
    {"exits_with_seven", "crashes", "_exit was called (exit code 7)"},
    {"thread_throws", "crashes", "std::terminate was called (SIGABRT)"},
    {"loops", "spins", "a handler used 400ms of processor time and did not return"},
    {"waits_for_a_semaphore_of_c", "spins", "a handler blocked the thread for 2.4s and did not return"},
    {"allocates", "exhausts_memory", "a handler took 64 MiB of memory and did not return"},
};

// One after the other in one `run`: each is named, and so is the right one after them all.
TEST_F(campaigns, survive_a_hostile_manager_of_each_kind)
{
    std::vector<std::string> command{"run"};
    for (const hostile_kind& one : kinds)
        command.push_back(
            scenario_of(one.manager, "explore: {sweep: {perturbations: 1, kinds: [fail io_error]}}\n"));
    command.push_back(scenario_of("nothing", "faults: {session.use: fail io_error}\n"));
    const misuse::ended child = hostile(command, tight);
    EXPECT_EQ(child.code, 1) << child.err;
    for (const hostile_kind& one : kinds) {
        EXPECT_TRUE(says(child.out, std::string(one.manager) + " breaks " + one.rule + '\n'));
        EXPECT_TRUE(says(child.out, one.how));
        EXPECT_TRUE(
            says(child.out, std::string("replay '1 ") + one.manager + " session.use=fail(io_error) ~"));
    }
    EXPECT_TRUE(says(child.out, "ok     nothing.yaml"));
}

TEST_F(campaigns, examples_that_end_their_process_are_verdicts_that_can_be_expected)
{
    const std::string fails = scenario_of("aborts", "faults: {session.use: fail io_error}\n");
    const std::string expects =
        scenario_of("exits_at_once", "faults: {session.use: fail io_error}\nexpect: {violates: crashes}\n");
    const misuse::ended child = hostile({"run", fails, expects});
    EXPECT_EQ(child.code, 1) << child.err;
    EXPECT_TRUE(says(child.out, "aborts.yaml:3: error: aborts breaks crashes"));
    EXPECT_TRUE(says(child.out, "exits_at_once breaks crashes, as expected"));
    EXPECT_TRUE(says(child.out, "2 scenarios in 2 runs: 1 as expected, 1 not"));
}

// The timeline up to the death is kept with the case, and the case is shrunk like any other.
TEST_F(campaigns, a_crash_has_its_smallest_plan_and_its_timeline)
{
    const misuse::ended child =
        hostile({"sweep", "aborts", "--perturbations", "2", "--kinds", "fail io_error,hang"});
    EXPECT_EQ(child.code, 1) << child.err;
    EXPECT_TRUE(says(child.out, "aborts breaks crashes"));
    EXPECT_TRUE(says(child.out, "  plan      session.use=fail(io_error)"));
    EXPECT_TRUE(says(child.out, "session.use#1     fails io_error"));
    EXPECT_TRUE(says(child.out, "saved     mishap-failures/aborts_crashes_"));
}

TEST_F(campaigns, random_plans_that_end_their_process_are_found_and_made_small)
{
    const misuse::ended child = hostile({"random", "aborts", "--cases", "300"});
    EXPECT_EQ(child.code, 1) << child.err;
    EXPECT_TRUE(says(child.out, "aborts breaks crashes"));
    EXPECT_TRUE(says(child.out, "  plan      session.use=fail(io_error)"));
}

TEST_F(campaigns, bad_input_found_in_a_worker_is_bad_input)
{
    const misuse::ended child = hostile({"sweep", "asks_for_clients"});
    EXPECT_EQ(child.code, 2);
    EXPECT_TRUE(says(child.err, "asks_for_clients: environment::clients was called, but the contract"));
    EXPECT_TRUE(says(mishap({"sweep", "session", "--with", "nonsense=1"}).err, "never asked for a setting"));
}

struct campaign_words
{
    const char* name;
    std::vector<std::string> words;
};

const campaign_words all_campaigns[] = {
    {"sweep_that_holds", {"sweep", "session", "--perturbations", "2"}},
    {"sweep_that_breaks", {"sweep", "session_as_written", "--perturbations", "2"}},
    {"sweep_of_a_pool", {"sweep", "connection_pool", "--perturbations", "1"}},
    {"random", {"random", "session_as_written", "--cases", "3000", "--seed", "4"}},
    {"random_with_deviations", {"random", "connection_pool", "--cases", "1500", "--also", "deviate"}},
};

class each_campaign : public campaigns, public testing::WithParamInterface<campaign_words>
{
protected:
    misuse::ended with(std::vector<std::string> more, misuse::variables set = {}) const
    {
        std::vector<std::string> words = GetParam().words;
        words.insert(words.end(), more.begin(), more.end());
        // What was saved before would be tried first.
        std::filesystem::remove_all(path("mishap-failures"));
        return mishap(words, set);
    }
};

TEST_P(each_campaign, finds_the_same_with_any_number_of_processes)
{
    const misuse::ended one = with({"--jobs", "1"});
    const misuse::ended three = with({"--jobs", "3"});
    const misuse::ended here = with({"--no-isolate"});
    EXPECT_EQ(misuse::without_time(one.out), misuse::without_time(three.out));
    EXPECT_EQ(misuse::without_time(one.out), misuse::without_time(here.out));
    EXPECT_EQ(one.code, here.code);
    EXPECT_EQ(one.err, "");
}

TEST_P(each_campaign, shards_put_together_are_one_process)
{
    const misuse::ended whole = with({});
    for (const char* shard : {"1/3", "2/3"})
        with({"--shard", shard, "--json", std::string("shard") + shard[0] + ".jsonl", "--jobs", "1"});
    // As Bazel and the matrices of GoogleTest have it.
    with(
        {"--json", "shard3.jsonl", "--jobs", "2"}, {{"GTEST_TOTAL_SHARDS", "3"}, {"GTEST_SHARD_INDEX", "2"}});
    std::filesystem::remove_all(path("mishap-failures"));
    const misuse::ended merged = mishap({"merge", "shard1.jsonl", "shard3.jsonl", "shard2.jsonl"});
    EXPECT_EQ(misuse::without_time(merged.out), misuse::without_time(whole.out)) << merged.err;
    EXPECT_EQ(merged.code, whole.code);
    const misuse::ended lacking = mishap({"merge", "shard1.jsonl", "shard3.jsonl"});
    EXPECT_EQ(lacking.code, 2);
    EXPECT_TRUE(says(lacking.err, "is in none of the files: did all shards come to their end?"));
}

TEST_P(each_campaign, goes_on_where_it_stopped)
{
    const misuse::ended whole = with({"--json", "all.jsonl"});
    // As a killed program leaves it: the parts so far, and half of a line.
    std::istringstream lines(read("all.jsonl"));
    std::string half;
    std::string line;
    for (int i = 0; i < 4 && std::getline(lines, line); ++i)
        half += line + '\n';
    std::getline(lines, line);
    write("half.jsonl", half + line.substr(0, line.size() / 2));
    const misuse::ended resumed = with({"--resume", "half.jsonl"});
    EXPECT_EQ(misuse::without_time(resumed.out), misuse::without_time(whole.out)) << resumed.err;
    EXPECT_TRUE(says(mishap({"random", "session", "--resume", "half.jsonl"}).err, "has the results of '"));
}

INSTANTIATE_TEST_SUITE_P(of, each_campaign, testing::ValuesIn(all_campaigns),
    [](const auto& one) { return std::string(one.param.name); });

TEST_F(campaigns, scenarios_are_split_among_shards_too)
{
    write("a/good.yaml", "mishap: 1\nmanager: good_cleanup\nfaults: {resource.use: fail io_error}\n");
    write("a/bad.yaml",
        "mishap: 1\nmanager: bad_cleanup\nfaults: {resource.use: fail io_error, resource.close: fail "
        "io_error}\n");
    write("a/swept.yaml", "mishap: 1\nmanager: good_cleanup\nexplore: {sweep: {}, random: {cases: 700}}\n");
    const misuse::ended whole = mishap({"run", "a"});
    mishap({"run", "a", "--shard", "1/2", "--json", "1.jsonl"});
    mishap({"run", "a", "--shard", "2/2", "--json", "2.jsonl"});
    const misuse::ended merged = mishap({"merge", "1.jsonl", "2.jsonl"});
    EXPECT_EQ(merged.out, whole.out) << merged.err;
    EXPECT_EQ(merged.code, whole.code);
}

TEST_F(campaigns, words_that_cannot_be_used_are_refused_with_their_remedy)
{
    struct refused
    {
        std::vector<std::string> words;
        const char* said;
    };
    for (const refused& one :
        {refused{{"--shard", "3/2"}, "--shard is '3/2', but it takes its number and how many"},
            refused{{"--shard", "x"}, "--shard is 'x'"},
            refused{{"--jobs", "0"}, "--jobs must be a whole number"},
            refused{{"--no-isolate", "--jobs", "2"}, "leave --jobs out"},
            refused{{"--quiet=yes"}, "the option --quiet takes no value"},
            refused{{"--color", "pink"}, "--color: unknown word 'pink'"},
            refused{{"--annotate", "gitlab"}, "--annotate: unknown host 'gitlab'"},
            refused{{"--for", "0s"}, "--for: it is no time at all"},
            refused{{"--json", "nowhere/x.jsonl"}, "nowhere/x.jsonl cannot be written"},
            refused{{"--resume", "nothing.jsonl"}, "nothing.jsonl cannot be read"}}) {
        std::vector<std::string> words{"sweep", "session"};
        words.insert(words.end(), one.words.begin(), one.words.end());
        const misuse::ended child = mishap(words);
        EXPECT_EQ(child.code, 2);
        EXPECT_TRUE(says(child.err, one.said));
    }
    write("noise.jsonl", "no JSON\n");
    EXPECT_TRUE(says(mishap({"merge", "noise.jsonl"}).err, "noise.jsonl:1: this is no JSON"));
    EXPECT_TRUE(says(mishap({"merge"}).err, "merge takes the files that the shards wrote"));
}

// -- What programs read --

bool is_of(const YAML::Node& value, const std::string& type)
{
    if (type == "object")
        return value.IsMap();
    if (type == "array")
        return value.IsSequence();
    if (!value.IsScalar())
        return false;
    const bool quoted = value.Tag() == "!";
    if (type == "string")
        return quoted;
    if (type == "boolean")
        return !quoted && (value.Scalar() == "true" || value.Scalar() == "false");
    return type == "integer" && !quoted && std::regex_match(value.Scalar(), std::regex("[0-9]+"));
}

/// What is wrong with a line, by the part of JSON Schema that the file uses.
std::string flaw_of(const YAML::Node& line, const YAML::Node& schema)
{
    for (const YAML::Node& one : schema["oneOf"]) {
        if (one["properties"]["type"]["const"].Scalar() != line["type"].Scalar())
            continue;
        for (const YAML::Node& name : one["required"])
            if (!line[name.Scalar()])
                return "it lacks " + name.Scalar();
        for (const auto& member : line) {
            const YAML::Node known = one["properties"][member.first.Scalar()];
            if (!known)
                return "it has an unknown " + member.first.Scalar();
            if (!known["type"])
                continue;
            bool fits = false;
            if (known["type"].IsSequence())
                for (const YAML::Node& type : known["type"])
                    fits = fits || is_of(member.second, type.Scalar());
            else
                fits = is_of(member.second, known["type"].Scalar());
            if (!fits)
                return "the type of " + member.first.Scalar() + " is wrong";
        }
        return {};
    }
    return "its type is unknown: " + line["type"].Scalar();
}

TEST_F(campaigns, lines_of_results_are_as_their_schema_has_them)
{
    const YAML::Node schema = YAML::LoadFile(RESULTS_SCHEMA);
    write("bad.yaml",
        "mishap: 1\nmanager: bad_cleanup\nfaults: {resource.use: fail io_error, resource.close: fail "
        "io_error}\n");
    mishap({"run", "bad.yaml", "--json", "run.jsonl"});
    mishap({"random", "bad_cleanup", "--json", "random.jsonl"});
    std::set<std::string> types;
    std::string token;
    for (const char* file : {"run.jsonl", "random.jsonl"}) {
        std::istringstream lines(read(file));
        for (std::string line; std::getline(lines, line);) {
            const YAML::Node read = YAML::Load(line);
            EXPECT_EQ(flaw_of(read, schema), "") << line;
            types.insert(read["type"].Scalar());
            if (read["token"])
                token = read["token"].Scalar();
        }
    }
    EXPECT_EQ(types, (std::set<std::string>{"campaign", "counterexample", "header", "part", "scenario"}));
    EXPECT_EQ(mishap({"replay", token}).code, 1);
}

TEST_F(campaigns, code_scanning_and_a_jobs_page_are_told)
{
    write("bad.yaml",
        "mishap: 1\nmanager: bad_cleanup\nfaults: {resource.use: fail io_error, resource.close: fail "
        "io_error}\n");
    const misuse::ended child = mishap({"run", "bad.yaml", "--sarif", "found.sarif", "--annotate", "github"});
    EXPECT_TRUE(says(child.out, "::error file=bad.yaml,line=3,title=bad_cleanup breaks "));
    const YAML::Node sarif = YAML::Load(read("found.sarif"));
    ASSERT_EQ(sarif["runs"][0]["results"].size(), 1u);
    const YAML::Node found = sarif["runs"][0]["results"][0];
    EXPECT_EQ(found["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].Scalar(), "bad.yaml");
    EXPECT_TRUE(says(found["message"]["text"].Scalar(), "bad_cleanup breaks "));
    // A sweep's is where the manager is registered.
    mishap({"sweep", "bad_cleanup", "--sarif", "swept.sarif"});
    EXPECT_TRUE(says(read("swept.sarif"), "cleanup_error/adapters.cpp"));
}

} // namespace
