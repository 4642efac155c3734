// SPDX-License-Identifier: MIT
// Goal: whatever a manager does to the program, its user reads which run it was, and nothing passes unheard.
// Method: a table of hostile managers (programs/hostile.cpp), right but for one thing each, as child
// processes: how the child ends, and what it says. What a manager left behind changes nothing about the next.

#include "child.hpp"

#include <algorithm>
#include <ostream>
#include <random>
#include <sstream>

namespace {

using misuse::says;

constexpr int by_signal = 128;
constexpr int ended_well = 0;
constexpr int told_of_a_violation = 1;
constexpr int refused_input = 2;

struct hostile_manager
{
    const char* manager;
    /// How the program ends.
    int code;
    /// On standard error where the program dies, else in the report.
    std::string said;
    /// Limits that are reached sooner than by default.
    misuse::variables limits = {};

    /// The program lives on.
    bool survives() const
    {
        return code == ended_well || (code == told_of_a_violation && said.find(" breaks ") != said.npos);
    }
    friend void PrintTo(const hostile_manager& one, std::ostream* out) { *out << one.manager; }
};

#if defined(__SANITIZE_ADDRESS__)
// Its own handlers see these first.
constexpr int by_crash = 1;
constexpr int by_double_free = 1;
const std::string crashed = "a sanitizer ended the program";
const std::string overflowed = crashed;
const std::string freed_twice = crashed;
#else
constexpr int by_crash = by_signal + 11;
constexpr int by_double_free = by_signal + 6;
const std::string crashed = "the program crashed";
const std::string overflowed = "the stack overflowed";
const std::string freed_twice = "the program was aborted";
#endif

const std::vector<hostile_manager>& hostile_managers()
{
    const auto dies = [](const char* manager, int code, const std::string& how,
                          misuse::variables limits = {}) {
        return hostile_manager{manager, code,
            how + " in the run that this repeats:\n  1 " + manager + " session.use=", std::move(limits)};
    };
    const auto breaks = [](const char* manager, const std::string& invariant) {
        return hostile_manager{
            manager, told_of_a_violation, std::string(manager) + " breaks " + invariant + '\n'};
    };
    const auto blocks = [](const char* manager, const std::string& call) {
        return hostile_manager{manager, told_of_a_violation,
            std::string(manager) +
                " breaks blocks_the_thread\n  the code under test blocks the thread: " + call};
    };
    const auto leaves = [](const char* manager, const std::string& call) {
        return hostile_manager{manager, told_of_a_violation,
            std::string(manager) +
                " breaks leaves_the_simulation\n  the code under test leaves the simulation: " + call};
    };
    const auto is_well = [](const char* manager) {
        return hostile_manager{manager, ended_well, "holds in 5 runs"};
    };
    const std::string told = "the program was told to end";
    const std::string too_long = "a handler used 400ms of processor time and did not return";
    const std::string too_much = "a handler took 64 MiB of memory and did not return";
    const misuse::variables soon{{"MISHAP_HANDLER_TIME", "400ms"}};
    const std::string blocked =
        "a handler blocked the thread for 300ms and did not return (six times MISHAP_HANDLER_TIME)";
    const misuse::variables soon_blocked{{"MISHAP_HANDLER_TIME", "50ms"}};
    const misuse::variables little{{"MISHAP_HANDLER_TIME", "off"}, {"MISHAP_HANDLER_MEMORY", "64"}};
    static const std::vector<hostile_manager> rows{
        // What ends the program.
        dies("segfault", by_crash, crashed),
        dies("aborts", by_signal + 6, "the program was aborted"),
        dies("traps", by_signal + 5, "the program was ended by SIGTRAP"),
        dies("rings", by_signal + 14, "the program was ended by SIGALRM"),
        dies("signals", by_signal + 10, "the program was ended by SIGUSR1"),
        dies("hangs_up", by_signal + 1, told),
        dies("told_to_end", by_signal + 15, told),
        dies("interrupted", by_signal + 2, told),
        dies("told_and_loops", by_signal + 15, told),
        dies("overflows_the_stack", by_crash, overflowed),
        dies("dispatches_itself", by_crash, overflowed),
        dies("frees_twice", by_double_free, freed_twice),
        dies("own_terminate_handler", 9, "_Exit was called"),
        dies("thread_crashes", by_crash, crashed),
        dies("thread_throws", by_signal + 6, "std::terminate was called"),
        dies("ends_its_thread", by_signal + 6, "the program was aborted"),
        dies("exits", 1, "std::exit was called"),
        dies("exits_quickly", 1, "std::quick_exit was called"),
        dies("exits_at_once", 1, "_Exit was called"),
        dies("exits_with_seven", 7, "_exit was called"),
        // What never returns.
        dies("loops", 1, too_long + " (MISHAP_HANDLER_TIME)", soon),
        // It gives its processor away: where that is busy, it blocks the thread more than it computes.
        dies("spins", 1, "MISHAP_HANDLER_TIME)", soon),
        dies("spins_on_a_lock", 1, too_long + " (MISHAP_HANDLER_TIME)", soon),
        dies("spins_until_a_time", 1, too_long + " (MISHAP_HANDLER_TIME)", soon),
        dies("allocates", 1, too_much + " (MISHAP_HANDLER_MEMORY)", little),
        dies("recurses_in_coroutines", 1, too_much + " (MISHAP_HANDLER_MEMORY)", little),
        dies("computes_for_a_while", 1, too_long + " (MISHAP_HANDLER_TIME)", soon),
        dies("reads_a_real_pipe_as_c_does", 1, blocked, soon_blocked),
        dies("waits_for_a_semaphore_of_c", 1, blocked, soon_blocked),
        breaks("yields_for_ever", "livelock"),
        breaks("waits_no_time_for_ever", "livelock"),
        breaks("posts_itself", "livelock"),
        breaks("posts_itself_twice", "livelock"),
        // What blocks the thread.
        blocks("locks_again",
            "pthread_mutex_lock (a mutex that this thread holds already: it was taken in step "),
        blocks("keeps_a_lock",
            "pthread_mutex_lock (a mutex that this thread holds already: it was taken in step "),
        blocks("waits_for_a_timed_mutex", "a timed wait for a mutex"),
        blocks("reads_what_never_comes", "read"),
        blocks("reads_a_real_pipe", "read (of what nobody has written)"),
        blocks("reads_a_real_pipe_in_parts", "readv (of what nobody has written)"),
        blocks("receives_on_a_real_socket", "recv (of what nobody has sent)"),
        blocks("receives_a_real_message", "recvmsg (of what nobody has sent)"),
        blocks("accepts_on_a_real_socket", "accept (while nobody connects)"),
        blocks("locks_a_locked_file", "flock (a file that is locked already)"),
        blocks("locks_a_locked_record", "fcntl (a part of a file that is locked already)"),
        blocks("waits_for_a_process", "waitpid (a process that goes on)"),
        blocks("waits_for_any_process", "waitpid (a process that goes on)"),
        is_well("locks_only_what_is_free"),
        is_well("reads_what_comes_from_outside"), // as the test allows
        blocks("sleeps", "nanosleep"),
        blocks("sleeps_as_in_c", "sleep"),
        blocks("pauses", "pause"),
        blocks("waits_on_a_condition", "pthread_cond_wait"),
        blocks("waits_a_while_on_a_condition", "a timed wait on a condition variable"),
        blocks("waits_for_a_promise", "a futex wait"),
        blocks("breaks_a_promise", "a futex wait"),
        blocks("waits_for_a_semaphore", "a futex wait"),
        blocks("waits_for_a_latch", "a futex wait"),
        blocks("waits_on_an_atomic", "a futex wait"),
        blocks("runs_a_context_for_ever", "pthread_cond_wait"),
        blocks("runs_the_context", "run() on the io_context of the simulation itself"),
        is_well("needs_the_kept_lock"),        // which nobody keeps
        is_well("locks_a_shared_mutex_again"), // which the C library refuses
        // What leaves the simulation, or leaves something behind.
        is_well("starts_a_thread"),
        is_well("starts_async"),
        leaves("forks", "a process was forked"),
        leaves("forks_and_ends_the_child", "a process was forked"),
        leaves("forks_and_exits_from_the_child", "a process was forked"),
        leaves("starts_a_process", "a process was started (posix_spawnp)"),
        leaves("runs_a_command", "a process was started (system)"),
        leaves("reads_from_a_command", "a process was started (popen)"),
        breaks("leaves_a_coroutine", "no_stray_work"),
        breaks("leaves_a_timer", "no_stray_work"),
        is_well("stops_the_context"),
        hostile_manager{"depends_on_the_run_before", told_of_a_violation,
            "depends_on_the_run_before breaks nondeterministic\n  the same plan gave two different runs"},
        // What throws.
        breaks("terminates", "no_escape"),
        breaks("throws_in_spite_of_noexcept", "no_escape"),
        breaks("throws_while_unwinding", "no_escape"),
        breaks("throws_in_a_handler", "no_escape"),
        breaks("fails_a_requirement", "expectation"),
        is_well("throws_from_a_destructor"),
        is_well("throws_in_a_detached_coroutine"),
        is_well("throws_an_int"),
        is_well("throws_text"),
        // What misuses what it was given.
        hostile_manager{
            "runs_inside_a_run", refused_input, "runs_inside_a_run: mishap::run was called inside a run"},
        hostile_manager{"asks_for_clients", refused_input,
            "asks_for_clients: environment::clients was called, but the contract"},
        hostile_manager{"resource_of_another_run", refused_input,
            "resource_of_another_run: a mishap::resource of kind 'kept' outlived the run in which it"},
        hostile_manager{"closes_its_output", refused_input, "standard output cannot be written"},
        is_well("writes_many_notes"),
        is_well("reports_nothing"),
        is_well("nothing"),
    };
    return rows;
}

class hostile : public misuse::in_fresh_folder, public testing::WithParamInterface<hostile_manager>
{};

TEST_P(hostile, is_named)
{
    const hostile_manager& one = GetParam();
    const misuse::ended child = run(MISHAP_HOSTILE,
        {"sweep", one.manager, "--no-isolate", "--perturbations", "1", "--kinds", "fail io_error"},
        one.limits);
    EXPECT_EQ(child.code, one.code) << child.out << child.err;
    EXPECT_TRUE(says(child.out + child.err, one.said));
}

INSTANTIATE_TEST_SUITE_P(each, hostile, testing::ValuesIn(hostile_managers()),
    [](const auto& one) { return std::string(one.param.manager); });

class after_hostile : public misuse::in_fresh_folder
{
protected:
    std::string scenario_of(const std::string& manager) const
    {
        const std::string file = manager + ".yaml";
        write(file, "mishap: 1\nmanager: " + manager + "\nfaults: {session.use: fail io_error}\n");
        return file;
    }

    /// What is reported of all that failed, between the lines of the files and the last line.
    static std::string reports(const std::string& out)
    {
        const auto begin = out.find("\n\n") + 2;
        const auto end = out.rfind('\n', out.size() - 2) + 1;
        return begin < end ? out.substr(begin, end - begin) : "";
    }

    /// What is said of each file: its line, with blanks made one.
    static std::vector<std::string> verdicts(const std::string& out)
    {
        std::vector<std::string> found;
        std::istringstream lines(out);
        for (std::string line; std::getline(lines, line);)
            if (line.find(".yaml  ") != line.npos) {
                const auto twice = [](char a, char b) { return a == ' ' && b == ' '; };
                line.erase(std::unique(line.begin(), line.end(), twice), line.end());
                found.push_back(line);
            }
        return found;
    }
};

// A fresh process is the measure: whatever ran before, in whatever order, every manager fares as in its own.
TEST_F(after_hostile, every_manager_fares_as_in_a_fresh_process)
{
    std::vector<std::string> files;
    std::vector<std::string> alone;
    std::vector<std::string> reported_alone;
    for (const hostile_manager& one : hostile_managers()) {
        // One counts its calls, one keeps a lock and another one needs it: those do depend on what was
        // before.
        const std::string_view name = one.manager;
        if (!one.survives() || name == "depends_on_the_run_before" || name == "keeps_a_lock" ||
            name == "needs_the_kept_lock")
            continue;
        files.push_back(scenario_of(one.manager));
        const std::string out = run(MISHAP_HOSTILE, {"run", "--no-isolate", files.back()}).out;
        const auto said = verdicts(out);
        ASSERT_EQ(said.size(), 1u) << one.manager;
        alone.push_back(said.front());
        reported_alone.push_back(reports(out));
        ASSERT_EQ(reported_alone.back().empty(), one.code == ended_well) << one.manager << out;
    }
    ASSERT_GE(files.size(), 30u);
    std::mt19937 random(13);
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < 4 * files.size(); ++i)
        order.push_back(i % files.size());
    for (int round = 0; round < 3; ++round) {
        std::shuffle(order.begin(), order.end(), random);
        std::vector<std::string> command{"run", "--no-isolate"};
        std::vector<std::string> expected;
        std::string reported;
        for (const std::size_t which : order) {
            reported += reported_alone[which];
            command.push_back(files[which]);
            expected.push_back(alone[which]);
        }
        const misuse::ended child = run(MISHAP_HOSTILE, command);
        EXPECT_EQ(child.code, 1);
        const auto said = verdicts(child.out);
        ASSERT_EQ(said.size(), expected.size());
        for (std::size_t i = 0; i < said.size(); ++i)
            EXPECT_EQ(said[i], expected[i]) << "after " << (i == 0 ? "nothing" : said[i - 1]);
        EXPECT_EQ(reports(child.out), reported);
    }
}

// The run that kept it was left where it stood: what needs the lock later must not wait for ever.
TEST_F(after_hostile, a_kept_lock_is_told_to_whoever_needs_it_later)
{
    const misuse::ended child = run(MISHAP_HOSTILE,
        {"run", "--no-isolate", scenario_of("keeps_a_lock"), scenario_of("needs_the_kept_lock")});
    EXPECT_EQ(child.code, 1);
    EXPECT_TRUE(says(child.out, "needs_the_kept_lock breaks blocks_the_thread"));
    EXPECT_TRUE(says(child.out, "of the run that this repeats: 1 keeps_a_lock session.use=fail(io_error) ~"));
}

// What was found before it was told to end is not lost.
TEST_F(after_hostile, a_program_that_is_told_to_end_tells_what_it_found)
{
    const misuse::ended child = run(MISHAP_HOSTILE, {"sweep", "found_before_it_is_told", "--no-isolate",
                                                        "--perturbations", "1", "--kinds", "fail io_error"});
    EXPECT_EQ(child.code, by_signal + 15);
    EXPECT_TRUE(says(child.err, "mishap: the program was told to end in the run that this repeats:\n"
                                "  1 found_before_it_is_told session.close=fail(io_error) ~"));
    EXPECT_TRUE(says(child.err,
        "mishap: so far, the campaign found_before_it_is_told: 4 runs, 2 with a violation\n"
        "  breaks closes_everything: 1 found_before_it_is_told session.use=fail(io_error) ~"));

    const misuse::ended files =
        run(MISHAP_HOSTILE, {"run", "--no-isolate", scenario_of("nothing"), scenario_of("posts_itself"),
                                scenario_of("interrupted"), scenario_of("aborts")});
    EXPECT_EQ(files.code, by_signal + 2);
    EXPECT_TRUE(says(files.out, "ok     nothing.yaml"));
    EXPECT_TRUE(says(files.err, "so far, 2 of 4 files ran: 1 as expected, 1 not\n"));
    EXPECT_TRUE(says(files.err, "posts_itself breaks livelock"));
}

// Whoever looks at a handler in a debugger takes their time.
TEST_F(after_hostile, a_handler_may_take_its_time_under_a_debugger)
{
    const std::vector<std::string> command{
        "sweep", "computes_for_a_while", "--no-isolate", "--perturbations", "1"};
    const misuse::variables soon{{"MISHAP_HANDLER_TIME", "200ms"}};
    EXPECT_EQ(run(MISHAP_HOSTILE, command, soon).code, 1);
    const misuse::ended debugged = run_debugged(MISHAP_HOSTILE, command, soon);
    EXPECT_EQ(debugged.code, 0) << debugged.err;
    EXPECT_TRUE(says(debugged.out, "computes_for_a_while holds in "));
}

// A sanitizer that ends the program is told of the run first.
TEST_F(after_hostile, undefined_behaviour_is_told_with_its_run)
{
    const std::string program = MISHAP_UNDEFINED;
    if (program.empty())
        GTEST_SKIP() << "this compiler has no UndefinedBehaviorSanitizer";
    const misuse::ended child =
        run(program, {"sweep", "undefined", "--no-isolate", "--kinds", "fail io_error"});
    EXPECT_EQ(child.code, 1);
    EXPECT_TRUE(says(child.err, "runtime error: signed integer overflow"));
    EXPECT_TRUE(says(child.err, "mishap: a sanitizer ended the program in the run that this repeats:\n"
                                "  1 undefined session.use=fail(io_error) ~"));
}

TEST_F(after_hostile, limits_that_do_not_read_are_refused)
{
    for (const char* limit : {"soon", "-1s", "10", "0s"}) {
        const misuse::ended child =
            run(MISHAP_HOSTILE, {"sweep", "nothing"}, {{"MISHAP_HANDLER_TIME", limit}});
        EXPECT_EQ(child.code, 2) << limit;
        EXPECT_TRUE(says(child.err, std::string("mishap: error: MISHAP_HANDLER_TIME is '") + limit +
                                        "', but it takes a duration, such as 10s, or off"));
    }
    for (const char* limit : {"much", "-1", "0", "2GiB", "9999999999999999999999"}) {
        const misuse::ended child =
            run(MISHAP_HOSTILE, {"sweep", "nothing"}, {{"MISHAP_HANDLER_MEMORY", limit}});
        EXPECT_EQ(child.code, 2) << limit;
        EXPECT_TRUE(says(child.err, std::string("mishap: error: MISHAP_HANDLER_MEMORY is '") + limit +
                                        "', but it takes a number of MiB, such as 2048, or off"));
    }
    EXPECT_EQ(run(MISHAP_HOSTILE, {"sweep", "nothing"},
                  {{"MISHAP_HANDLER_TIME", "off"}, {"MISHAP_HANDLER_MEMORY", "off"}})
                  .code,
        0);
}

} // namespace
