// SPDX-License-Identifier: MIT
// Goal: a scenario file that cannot be used is refused, whatever is wrong with it, and the message lets its
// author mend it without looking anything up: file, line and column, the offending text, what was allowed.
// Method: each row of the table is written to a file, which the program mishap is asked to run and then to
// check, each in a process of its own; exit code and text are asserted.

#include "child.hpp"

#include <algorithm>
#include <ostream>
#include <string>
#include <vector>

namespace {

using misuse::says;

struct bad_file
{
    const char* name;
    std::string text;
    /// `line:column` of the trouble.
    std::string place;
    /// All of this is in the message.
    std::vector<std::string> words;

    friend void PrintTo(const bad_file& row, std::ostream* out) { *out << row.name; }
};

constexpr const char* known_faults =
    "(known: ok, ok now, fail ERROR [in DURATION], fail after effect ERROR [in DURATION], delay DURATION, "
    "hang, deaf, late DURATION, empty, bad_alloc, cancel";
constexpr const char* known_units = "(known: ns, us, ms, s, min, h)";

std::string scenario(const std::string& rest) { return "mishap: 1\nmanager: good_cleanup\n" + rest; }

std::string noise()
{
    // A linear congruential generator's bytes; zeros left out, since those have a row of their own.
    std::string bytes;
    std::uint32_t state = 2026;
    for (int i = 0; i < 400; ++i) {
        state = state * 1'664'525 + 1'013'904'223;
        if (const char byte = static_cast<char>(state >> 24))
            bytes += byte;
    }
    return bytes;
}

const std::vector<bad_file>& table()
{
    using namespace std::string_literals;
    static const std::vector<bad_file> rows{
        {"empty", "", "1:1", {"empty", "'mishap: 1'"}},
        {"blank", " \n\t\n\n", "1:1", {"empty", "'mishap: 1'"}},
        {"comment_only", "# nothing yet\n", "1:1", {"empty", "'mishap: 1'"}},
        {"zero_bytes", "mishap: 1\n"s + '\0' + "\n", "1:1", {"byte 11 is zero", "no text file"}},
        {"syntax", scenario("faults: {resource.use: hang\n"), "4:1", {"no YAML", "end of map"}},
        {"stray_colon", scenario("faults: a: b\n"), "3:10", {"no YAML"}},
        {"no_map", "- mishap\n- 1\n", "1:1", {"must be a map", "not a list"}},
        {"one_word", "mishap\n", "1:1", {"must be a map", "not 'mishap'"}},
        {"duplicate_key", scenario("manager: good_cleanup\nfaults: {}\n"), "3:1", {"'manager'", "twice"}},
        {"abandon_nobody", scenario("abandon: {at: resource.use, client: someone}\n"), "3:37",
            {"client", "'someone'"}},
        {"abandon_during", scenario("abandon: {at: resource.use, when: during}\n"), "3:35",
            {"moment", "'during'", "queued, after, steps"}},
        {"abandon_without_anchor", scenario("abandon: {client: world}\n"), "3:10",
            {"abandon needs 'at'", "when: steps"}},
        {"abandon_by_type", scenario("abandon: {at: resource.use, type: partial}\n"), "3:29",
            {"'type'", "at, when, client, steps"}},
        {"abandon_explored", scenario("abandon: resource.use\nexplore: {sweep: {}}\n"), "3:10",
            {"leave 'abandon' out"}},
        {"schedule_in_other_words", scenario("schedule: c1 goes first\n"), "3:11",
            {"'c1 goes first'", "run c1 before c0/session.close"}},
        {"schedule_of_one_lane", scenario("schedule: run c0 before c0/resource.use\n"), "3:25",
            {"step of its own lane"}},
        {"schedule_without_operation", scenario("schedule: [run c1 before]\n"), "3:16",
            {"it needs an operation"}},
        {"arrivals_of_a_nobody", scenario("arrivals: {x1: 2s}\nfaults: {}\n"), "3:12", {"'x1'", "no client"}},
        {"arrivals_without_unit", scenario("arrivals: {c1: 2}\nfaults: {}\n"), "3:17",
            {"'2'", "it has no unit"}},
        // What is written in one key never becomes a part of another.
        {"arrivals_that_smuggle",
            scenario("clients: 3\narrivals: {\"c1 2s) sequential arrive(c2\": 1s}\n"
                     "faults: {}\n"),
            "4:12", {"'c1 2s) sequential arrive(c2' is no client"}},
        {"schedule_that_smuggles",
            scenario(
                "schedule: run c1 before c0/resource.use) resource.use=hang run(c1 before c0/resource.use\n"),
            "3:28", {"names no operation"}},
        {"arrivals_of_an_absentee", scenario("clients: 2\narrivals: {c1: 1s, c2: 2s}\nfaults: {}\n"), "4:20",
            {"c2 never comes: there are 2 clients, c0 to c1"}},
        {"arrivals_twice", scenario("clients: 2\narrivals: {c01: 1s, c1: 2s}\nfaults: {}\n"), "4:21",
            {"c1 arrives twice"}},
        {"arrivals_of_one", scenario("arrivals: {c0: 1s}\nfaults: {}\n"), "3:12", {"one client only"}},
        {"arrivals_in_turn_of_one", scenario("arrivals: relay\nfaults: {}\n"), "3:11", {"one client only"}},
        {"no_arrivals", scenario("arrivals: {}\nfaults: {}\n"), "3:11", {"arrivals is empty: leave it out"}},
        {"cancels_nothing", scenario("cancel: []\n"), "3:9", {"cancel is empty: leave it out"}},
        {"abandons_nothing", scenario("abandon: []\n"), "3:10", {"abandon is empty: leave it out"}},
        {"schedules_nothing", scenario("schedule: []\n"), "3:11", {"schedule is empty: leave it out"}},
        {"expects_no_violation", scenario("faults: {}\nexpect: {violates: []}\n"), "4:20",
            {"violates is empty: leave it out"}},
        {"step_with_anchor", scenario("cancel: {when: steps, steps: 2, at: resource.use}\n"), "3:9",
            {"'when: steps' counts from the start of the run: leave 'at' out"}},
        {"step_without_number", scenario("cancel: {when: steps}\n"), "3:9",
            {"'when: steps' needs 'steps', the number of the step"}},
        {"during_with_steps", scenario("cancel: {at: resource.use, steps: 2}\n"), "3:9",
            {"'during' is no single moment to count 'steps' from"}},
        {"uses_no_name", scenario("contract: {uses: [use, two words]}\nfaults: {}\n"), "3:24",
            {"'two words' is no name of an operation: letters, digits and _"}},
        {"fair_to_one", scenario("contract: {fair: true}\nfaults: {}\n"), "3:11",
            {"fair is set for a manager of one client", "capacity"}},
        {"shared_by_one", scenario("contract: {shared: true}\nfaults: {}\n"), "3:11",
            {"shared is set for a manager of one client", "capacity"}},
        {"setting_without_name", scenario("with: {\"\": 1}\nfaults: {}\n"), "3:8",
            {"a setting needs a name"}},
        {"operation_fails_after", scenario("faults:\n  resource.use: fail io_error after resource.use\n"),
            "4:17", {"only a body fails before or after an operation"}},
        {"steps_for_years", scenario("step_cost: 2562047h\nfaults: {}\n"), "3:12",
            {"step_cost is", "at most 3600s"}},
        {"waits_for_centuries", scenario("contract: {grace: 9223372036854775807ns}\nfaults: {}\n"), "3:19",
            {"grace is", "at most"}},
        {"arrives_in_centuries", scenario("clients: 2\narrivals: {c1: 2562047h}\nfaults: {}\n"), "4:16",
            {"arrives is", "at most"}},
        {"duplicate_fault", scenario("faults:\n  resource.use: hang\n  resource.use: fail\n"), "5:3",
            {"'resource.use'", "twice"}},
        {"duplicate_fault_in_other_words",
            scenario("faults:\n  resource.use: hang\n  resource.use#1: fail\n"), "5:3",
            {"'resource.use#1'", "has a fault already"}},
        {"unknown_alias", "mishap: 1\nmanager: *name\nfaults: {}\n", "2:10", {"no YAML", "anchor"}},
        {"two_documents", scenario("faults: {}\n---\n") + scenario("faults: {}\n"), "4:1",
            {"second document", "one file is one test"}},
        {"stray_comma", "," + scenario("faults: {}\n"), "1:1", {"no YAML", "','"}},
        {"stray_bracket", scenario("faults: {}\n]\n"), "4:1", {"no YAML", "']'"}},
        {"stray_brace", scenario("faults: {}}\n"), "3:11", {"no YAML", "'}'"}},
        {"unknown_key", scenario("fault: {}\n"), "3:1",
            {"'fault'", "did you mean 'faults'?",
                "(known: mishap, manager, equivalent_to, about, with, invalid, clients, arrivals, cancel, "
                "abandon, schedule, step_cost, limits, network, peer, contract, faults, expect, explore, "
                "require, invariants"}},
        {"unknown_key_of_expect", scenario("faults: {}\nexpect: {outcomes: returns}\n"), "4:10",
            {"key of expect 'outcomes'", "did you mean 'outcome'?",
                "(known: outcome, reports, events, violates"}},
        {"unknown_key_of_sweep", scenario("explore:\n  sweep: {pertubations: 2}\n"), "4:11",
            {"key of sweep 'pertubations'", "did you mean 'perturbations'?"}},
        {"unknown_key_of_contract", scenario("contract: {close_timout: 5s}\nfaults: {}\n"), "3:12",
            {"key of contract 'close_timout'", "did you mean 'close_timeout'?"}},
        {"unknown_manager", "mishap: 1\nmanager: good_clenup\nfaults: {}\n", "2:10",
            {"unknown manager 'good_clenup'", "did you mean 'good_cleanup'?",
                "(known: auto_manager, bad_cleanup, "}},
        {"no_manager", "mishap: 1\nfaults: {}\n", "1:1", {"'manager' is missing"}},
        {"no_version", "manager: good_cleanup\nfaults: {}\n", "1:1", {"'mishap' is missing", "'mishap: 1'"}},
        {"unknown_version", "mishap: 2\nmanager: good_cleanup\nfaults: {}\n", "1:9",
            {"'2'", "reads version 1"}},
        {"version_is_a_list", "mishap: [1]\nmanager: good_cleanup\nfaults: {}\n", "1:9",
            {"the version must be a text, not a list"}},
        {"nothing_to_run", scenario(""), "1:1", {"nothing to run", "faults", "explore"}},
        {"faults_and_explore", scenario("faults: {}\nexplore: {sweep: {}}\n"), "4:10", {"not both"}},
        {"malformed_operation", scenario("faults:\n  resource: hang\n"), "4:3",
            {"'resource' names no operation", "no '.'", "such as session.query#2"}},
        {"operation_without_name", scenario("faults:\n  resource.: hang\n"), "4:3",
            {"'resource.' names no operation", "letters, digits and _"}},
        {"unknown_lane", scenario("faults:\n  d1/resource.use: hang\n"), "4:3",
            {"'d1/resource.use'", "'d1' is no lane (c0, c1, ... or bg)"}},
        {"occurrence_zero", scenario("faults:\n  resource.use#0: hang\n"), "4:15",
            {"'#0' in 'resource.use#0'", "count from #1"}},
        {"occurrence_huge", scenario("faults:\n  resource.use#99999999999: hang\n"), "4:15",
            {"'#99999999999'", "#1000000"}},
        {"unknown_fault", scenario("faults:\n  resource.use: hnag\n"), "4:17",
            {"unknown fault 'hnag'", "did you mean 'hang'?", known_faults}},
        {"unknown_error", scenario("faults:\n  resource.use: fail io_eror\n"), "4:22",
            {"unknown error 'io_eror'", "did you mean 'io_error'?",
                "(known: access_denied, bad_alloc, breaker_open, broken_pipe, connection_aborted, "}},
        {"parameter_too_many", scenario("faults:\n  resource.use: hang io_error\n"), "4:22",
            {"'hang' takes no parameter", "'io_error'"}},
        {"delay_without_duration", scenario("faults:\n  resource.use: delay\n"), "4:22",
            {"'delay' lacks its duration", "'delay 5s'"}},
        {"unknown_unit", scenario("faults:\n  resource.use: delay 5x\n"), "4:24",
            {"'5x'", "unknown duration unit 'x'", known_units}},
        {"no_unit", scenario("faults:\n  resource.use: delay 5\n"), "4:24",
            {"'5' is no duration", "ns, us, ms, s, min, h"}},
        {"negative_duration", scenario("faults:\n  resource.use: delay -5s\n"), "4:23",
            {"'-5s' is no duration", "no sign", "such as 5s"}},
        {"overflowing_duration", scenario("faults:\n  resource.use: delay 99999999999h\n"), "4:23",
            {"'99999999999h' is no duration", "292 years"}},
        {"too_fine_a_duration", scenario("faults:\n  resource.use: delay 1.5ns\n"), "4:24",
            {"'1.5ns' is no duration", "finer than a nanosecond"}},
        {"faults_is_a_list", scenario("faults: [hang]\n"), "3:9", {"faults must be a map", "not a list"}},
        {"fault_is_a_map", scenario("faults:\n  resource.use: {hang: 1}\n"), "4:17",
            {"a fault must be a text, not a map"}},
        {"body_delays_after", scenario("faults:\n  body: hang after resource.use\n"), "4:9",
            {"after an operation a body can only fail"}},
        {"contract_contradicts_itself", scenario("contract: {create_timeout: 5s}\nfaults: {}\n"), "3:11",
            {"create phase", "5s", "unbounded"}},
        {"unknown_phase", scenario("contract: {unbounded: [crate]}\nfaults: {}\n"), "3:24",
            {"unknown phase 'crate'", "did you mean 'create'?"}},
        {"unknown_way_to_be_closed", scenario("contract: {closed_by: destructor}\nfaults: {}\n"), "3:23",
            {"unknown way to be closed 'destructor'", "(known: operation, destruction, either)"}},
        {"unknown_policy", scenario("contract: {close_error: rised}\nfaults: {}\n"), "3:25",
            {"'rised'", "did you mean 'raised'?"}},
        {"unknown_invariant", scenario("faults: {}\nexpect: {violates: [closes_evrything]}\n"), "4:21",
            {"unknown invariant 'closes_evrything'", "did you mean 'closes_everything'?"}},
        {"unknown_invariant_to_judge", scenario("faults: {}\ninvariants: [closes_evrything]\n"), "4:14",
            {"unknown invariant 'closes_evrything'", "did you mean 'closes_everything'?"}},
        {"no_invariant_to_judge", scenario("faults: {}\ninvariants: []\n"), "4:13", {"invariants is empty"}},
        {"expects_what_is_not_judged",
            scenario("faults: {}\ninvariants: [fair]\nexpect: {violates: closes_once}\n"), "5:9",
            {"'closes_once' is expected to break", "'invariants'"}},
        {"judges_a_comparison", scenario("equivalent_to: bad_cleanup\nfaults: {}\ninvariants: [fair]\n"),
            "5:13", {"nothing but 'equivalent' is judged"}},
        {"unknown_outcome", scenario("faults: {}\nexpect: {outcome: retuns}\n"), "4:19",
            {"unknown outcome 'retuns'", "did you mean 'returns'?"}},
        {"unknown_error_in_outcome", scenario("faults: {}\nexpect: {outcome: throws io_eror}\n"), "4:19",
            {"unknown error 'io_eror'", "did you mean 'io_error'?"}},
        {"unknown_kind", scenario("explore: {sweep: {kinds: [hang, fial]}}\n"), "3:33",
            {"unknown fault 'fial'", "did you mean 'fail'?", known_faults}},
        {"too_many_perturbations", scenario("explore: {sweep: {perturbations: 9}}\n"), "3:34",
            {"from 0 to 8", "'9'"}},
        {"no_cases", scenario("explore: {random: {cases: 0}}\n"), "3:27", {"from 1 to", "'0'"}},
        {"seed_is_negative", scenario("explore: {random: {seed: -1}}\n"), "3:26", {"from 0 to", "'-1'"}},
        {"outcome_of_many_runs", scenario("explore: {sweep: {}}\nexpect: {outcome: returns}\n"), "4:9",
            {"only 'violates' can be expected"}},
    };
    return rows;
}

class bad_scenario : public misuse::in_fresh_folder, public testing::WithParamInterface<bad_file>
{
protected:
    void expect_refused(const bad_file& row) const
    {
        const std::string file = std::string(row.name) + ".yaml";
        write(file, row.text);
        for (const char* command : {"run", "check"}) {
            const misuse::ended child = mishap({command, file});
            EXPECT_EQ(child.code, 2) << command;
            const std::string message = misuse::line_of(child.err, std::string(misuse::error) + file);
            EXPECT_TRUE(message.starts_with(std::string(misuse::error) + file + ':' + row.place + ": "))
                << "expected at " << row.place << ":\n"
                << child.err;
            for (const std::string& words : row.words)
                EXPECT_TRUE(says(message, words)) << command;
        }
    }
};

TEST_P(bad_scenario, is_refused_with_place_text_and_what_was_allowed) { expect_refused(GetParam()); }

INSTANTIATE_TEST_SUITE_P(each, bad_scenario, testing::ValuesIn(table()),
    [](const auto& row) { return std::string(row.param.name); });

class odd_file : public misuse::in_fresh_folder
{};

// Noise may trip over anything first, so nothing but the refusal and its place is asserted.
TEST_F(odd_file, binary_noise_is_refused)
{
    write("noise.yaml", noise());
    const misuse::ended child = mishap({"run", "noise.yaml"});
    EXPECT_EQ(child.code, 2);
    EXPECT_TRUE(says(child.err, "mishap: error: noise.yaml:1:"));
}

// YAML's own words do not say what is wrong with a tab.
TEST_F(odd_file, a_tab_as_indentation_is_named)
{
    write("tab.yaml", scenario("faults:\n\tresource.use: hang\n"));
    const misuse::ended child = mishap({"run", "tab.yaml"});
    EXPECT_EQ(child.code, 2);
    EXPECT_TRUE(says(child.err, "mishap: error: tab.yaml:4:1: "));
    EXPECT_TRUE(says(child.err, "a tab is no indentation in YAML: use spaces"));
}

TEST_F(odd_file, an_unknown_alias_is_echoed)
{
    write("alias.yaml", "mishap: 1\nmanager: *nobody\nfaults: {}\n");
    EXPECT_TRUE(says(mishap({"run", "alias.yaml"}).err, "*nobody"));
}

// Nesting that would overflow the stack of a naive reader, in each of YAML's ways to nest.
TEST_F(odd_file, deep_nesting_is_refused)
{
    const auto repeat = [](std::string_view words, int times) {
        std::string text;
        for (int i = 0; i < times; ++i)
            text += words;
        return text;
    };
    const std::string deep[] = {repeat("[", 100'000), repeat("{a: ", 100'000), repeat("- ", 100'000)};
    for (const std::string& nested : deep) {
        write("deep.yaml", "mishap: 1\nfaults:\n  " + nested + "\n");
        const misuse::ended child = mishap({"run", "deep.yaml"});
        EXPECT_EQ(child.code, 2) << nested.substr(0, 4);
        EXPECT_TRUE(says(child.err, "mishap: error: deep.yaml:"));
        EXPECT_TRUE(says(child.err, "nested too deeply"));
    }
}

TEST_F(odd_file, a_huge_file_is_refused)
{
    write("huge.yaml", scenario("about: " + std::string(2'000'000, 'x') + "\nfaults: {}\n"));
    const misuse::ended child = mishap({"run", "huge.yaml"});
    EXPECT_EQ(child.code, 2);
    EXPECT_TRUE(says(child.err, "mishap: error: huge.yaml:1:1: "));
    EXPECT_TRUE(says(child.err, "1000000 bytes"));
}

// Nobody wants to mend a file one mistake at a time.
TEST_F(odd_file, every_mistake_of_a_file_is_told_in_its_order)
{
    write("several.yaml", "mishap: 1\nmanager: good_cleanup\nclients: 0\nabuot: x\n"
                          "contract: {close_timout: 5s, uses: [a b]}\n"
                          "faults:\n  resource.use: hnag\n  resource: hang\n  resource.close: fail io_eror\n"
                          "expect: {violates: [fairr, completes, recoverz]}\n");
    const misuse::ended child = mishap({"check", "several.yaml"});
    EXPECT_EQ(child.code, 2);
    std::string::size_type last = 0;
    for (const char* place : {"3:10", "4:1", "5:12", "5:37", "7:17", "8:3", "9:24", "10:21", "10:39"}) {
        const auto at = child.err.find(std::string("mishap: error: several.yaml:") + place + ": ");
        ASSERT_NE(at, std::string::npos) << place << '\n' << child.err;
        EXPECT_GE(at, last) << place;
        last = at;
    }
    EXPECT_EQ(std::count(child.err.begin(), child.err.end(), '\n'), 9);
}

TEST_F(odd_file, a_thousand_mistakes_are_told_in_a_page)
{
    std::string faults;
    for (int i = 0; i < 1'000; ++i)
        faults += "  resource.use#" + std::to_string(i + 1) + ": hnag\n";
    write("thousand.yaml", scenario("faults:\n" + faults));
    const misuse::ended child = mishap({"check", "thousand.yaml"});
    EXPECT_EQ(child.code, 2);
    EXPECT_TRUE(says(child.err, "thousand.yaml: and 950 more"));
}

// A thousand mistakes are as good as three: the report stays readable.
TEST_F(odd_file, many_faults_that_never_fire_give_a_short_report)
{
    std::string faults;
    for (int i = 2; i < 1'000; ++i)
        faults += "  resource.use#" + std::to_string(i) + ": hang\n";
    write("many.yaml", scenario("faults:\n" + faults));
    const misuse::ended child = mishap({"run", "many.yaml"});
    EXPECT_EQ(child.code, 1);
    EXPECT_TRUE(says(child.out, "many.yaml:4:3: the fault at resource.use#2 never fired"));
    EXPECT_TRUE(says(child.out, "more"));
    EXPECT_LT(child.out.size(), 4'000u);
}

TEST_F(odd_file, a_name_that_is_no_test_name_is_refused)
{
    for (const char* name : {"Bad-Name.yaml", "bad.yml", "b\xc3\xa4.yaml", ".yaml", "bad.yaml.yaml"}) {
        write(name, scenario("faults: {}\n"));
        const misuse::ended child = mishap({"run", name});
        EXPECT_EQ(child.code, 2) << name;
        EXPECT_TRUE(says(child.err, std::string(misuse::error) + name + ":1:1: '" + name + "'"));
        EXPECT_TRUE(says(child.err, "a-z, 0-9 and _, ending in .yaml"));
    }
}

TEST_F(odd_file, a_folder_named_as_a_file_is_searched)
{
    write("folder.yaml/good.yaml", scenario("faults: {}\n"));
    const misuse::ended child = mishap({"run", "folder.yaml"});
    EXPECT_EQ(child.code, 0);
    EXPECT_TRUE(says(child.out, "ok     folder.yaml/good.yaml"));
}

} // namespace
