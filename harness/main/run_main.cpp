// SPDX-License-Identifier: MIT
#include "campaign_words.hpp"
#include "campaigns.hpp"
#include "explain.hpp"
#include "explain_run.hpp"
#include "lists.hpp"
#include "options.hpp"
#include "output.hpp"
#include "patterns.hpp"
#include "scenario_tests.hpp"
#include "verdicts.hpp"
#include "watch.hpp"

#include "explore/neighbour.hpp"
#include "explore/worker_process.hpp"
#include "fault/plan_words.hpp"
#include "report/json_lines.hpp"
#include "report/page.hpp"
#include "report/report.hpp"
#include "scenario/format.hpp"
#include "scenario/regressions.hpp"
#include "simulation/last_words.hpp"
#include "simulation/misuse.hpp"
#include "simulation/run.hpp"
#include "simulation/running.hpp"
#include "vocabulary/printable.hpp"

#include <mishap/duration.hpp>
#include <mishap/error.hpp>
#include <mishap/explore.hpp>
#include <mishap/gtest.hpp>
#include <mishap/input_error.hpp>
#include <mishap/main.hpp>
#include <mishap/replay.hpp>
#include <mishap/report.hpp>
#include <mishap/scenario.hpp>

#include <gtest/gtest.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <limits>

namespace mishap {

namespace {

using detail::arguments;
using detail::complain;
using detail::counted;
using detail::folder_to_save_in;
using detail::keep_matching;
using detail::listed;
using detail::named_kinds;
using detail::named_limits;
using detail::named_manager;
using detail::named_schedule;
using detail::named_settings;
using detail::say;
using detail::settle_seed;
using detail::with_campaign_options;

enum exit_code
{
    all_well = 0,
    something_broke = 1,
    bad_input = 2,
    nothing_ran = 3
};

/// Gathers what happened into one exit code: bad input weighs most, then a violation, then having run
/// nothing.
struct tally
{
    bool bad = false;
    bool broke = false;
    std::uint64_t ran = 0;

    int exit() const { return bad ? bad_input : broke ? something_broke : ran == 0 ? nothing_ran : all_well; }
};

/// The program as a shell takes it, with the sub-command that a token follows.
std::string replay_command(const std::string& program)
{
    const bool plain = program.find_first_of(" '\"$`\\&;()<>|*?[]#~") == std::string::npos;
    if (plain)
        return program + " replay";
    std::string quoted = "'";
    for (const char c : program)
        quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return quoted + "' replay";
}

struct command
{
    std::string name;
    std::string usage;
    std::string about;
    int (*run)(std::vector<std::string> words, const std::string& program);
};

std::vector<std::string> named_files(const arguments& given, tally& result)
{
    std::vector<std::string> paths = given.rest();
    if (paths.empty())
        paths = detail::scenario_folders();
    std::vector<std::string> files;
    for (const std::string& path : paths) {
        try {
            for (std::string& file : find_scenarios(path))
                files.push_back(std::move(file));
        } catch (const input_error& e) {
            complain(e.what());
            result.bad = true;
        }
    }
    return files;
}

/// `--html FILE`
void begin_page(const arguments& given, const std::string& program)
{
    if (const auto file = given.option("html"))
        detail::collect_page(*file, replay_command(program));
}

/// Says where the page is, once it is there.
void end_page()
{
    if (const std::string file = detail::write_page(); !file.empty())
        say(fmt::format("the HTML report is {}\n", file));
}

int run_files_once(const arguments& given, const std::string& program)
{
    detail::campaign_command led("run", given);
    const scenario_options options{
        .replay_command = replay_command(program), .save_to = folder_to_save_in(given)};
    tally result;
    std::vector<std::string> files = named_files(given, result);
    keep_matching(files, given);
    std::size_t width = 0;
    for (const std::string& file : files)
        width = std::max(width, file.size());
    std::size_t held = 0;
    std::size_t refused = 0;
    std::uint64_t runs = 0;
    std::string failures;
    const detail::so_far so_far([&] {
        return fmt::format("{} of {} ran: {} as expected, {} not\n{}", result.ran,
            counted(files.size(), "file"), held, result.ran - held, failures);
    });
    detail::verdicts by_pattern;
    std::uint64_t number = 0;
    for (const std::string& file : files) {
        if (led.is_stopped())
            break;
        try {
            const scenario loaded = load_scenario(file);
            if (!loaded.sweep && !loaded.random && led.is_elsewhere(number++)) {
                led.pass_over();
                continue;
            }
            const scenario_result done = run_scenario(loaded, options);
            led.clear_line();
            led.found(loaded, done);
            ++result.ran;
            runs += done.runs;
            say(done.saved_before);
            by_pattern.add(file, loaded, done);
            const bool ok = done.status == scenario_status::held;
            held += ok;
            result.broke = result.broke || !ok;
            if (!ok || !led.is_quiet())
                say(fmt::format("{} {:<{}}  {} {}\n", ok ? "ok    " : "FAILED", file, width, loaded.manager,
                    done.summary));
            if (!ok)
                failures += '\n' + done.failure;
        } catch (const std::exception& e) {
            led.clear_line();
            say(fmt::format("BAD    {}\n", file));
            complain(e.what());
            result.bad = true;
            ++refused;
        }
    }
    say(failures);
    led.finish();
    if (const std::string table = by_pattern.table(); !table.empty() && !led.is_quiet())
        say('\n' + table);
    if (led.is_stopped())
        say(fmt::format("\nstopped by a signal: {} of {} ran", result.ran, counted(files.size(), "file")));
    say(fmt::format("\n{} in {}: {} as expected, {} not{}\n", counted(result.ran, "scenario"),
        counted(runs, "run"), held, result.ran - held,
        refused ? fmt::format(", {} could not be used", counted(refused, "file")) : ""));
    if (result.ran == 0)
        complain("no scenario ran");
    return result.exit();
}

int run_files(std::vector<std::string> words, const std::string& program)
{
    std::vector<std::string> flags = detail::campaign_flags();
    flags.push_back("watch");
    const arguments given(std::move(words), with_campaign_options({"filter"}), flags);
    begin_page(given, program);
    if (!given.has("watch"))
        return run_files_once(given, program);
    const std::vector<std::string> paths = given.rest().empty() ? detail::scenario_folders() : given.rest();
    return detail::watch(paths, [&] {
        detail::begin_page_anew();
        const int code = run_files_once(given, program);
        detail::write_page();
        return code;
    });
}

/// `fmt`: puts files into the house format, or says which are not.
int format_files(std::vector<std::string> words, const std::string&)
{
    const arguments given(std::move(words), {}, {"check"});
    tally result;
    for (const std::string& file : named_files(given, result)) {
        try {
            const bool changed = detail::format_file(file, !given.has("check"));
            ++result.ran;
            if (changed)
                say(given.has("check")
                        ? fmt::format("{}:1: error: not in the house format; 'fmt' mends it\n", file)
                        : fmt::format("formatted {}\n", file));
            result.broke = result.broke || (changed && given.has("check"));
        } catch (const std::exception& e) {
            complain(e.what());
            result.bad = true;
        }
    }
    return result.exit();
}

int check_files(std::vector<std::string> words, const std::string&)
{
    const arguments given(std::move(words), {});
    tally result;
    for (const std::string& file : named_files(given, result)) {
        try {
            load_scenario(file);
            ++result.ran;
        } catch (const std::exception& e) {
            complain(e.what());
            result.bad = true;
        }
    }
    say(fmt::format(
        "{} {} well formed\n", counted(result.ran, "scenario file"), result.ran == 1 ? "is" : "are"));
    return result.exit();
}

/// Tries what was saved for this manager before, and says what became of it.
std::vector<detail::saved_case> try_saved(const arguments& given, const manager& under_test,
    const std::map<std::string, std::string, std::less<>>& settings, const std::string& program)
{
    if (requested_replay())
        return {};
    scenario exploration;
    exploration.manager = under_test.name;
    exploration.plan.settings = settings;
    auto tried = detail::try_saved(folder_to_save_in(given), exploration, replay_command(program));
    say(detail::lines_of(tried));
    return tried;
}

int show(const campaign_result& result, const std::vector<detail::saved_case>& before,
    detail::campaign_command& led, const arguments& given, const std::string& program)
{
    const std::string folder = folder_to_save_in(given);
    std::vector<std::string> files;
    led.clear_line();
    for (const counterexample& c : result.counterexamples) {
        std::string saved;
        try {
            saved = save_counterexample(c, folder);
            files.push_back(saved);
        } catch (const std::exception& e) {
            saved = e.what();
        }
        detail::tell_counterexample(c, {}, saved);
        say(report(c, {.replay_command = replay_command(program), .saved = saved}) + '\n');
    }
    const std::string again = detail::reports_of(before, files);
    say(again);
    led.found(result);
    led.finish();
    say(summary(result));
    return tally{.broke = !result.holds() || !again.empty(), .ran = result.runs}.exit();
}

/// `--also abandon,deviate`: perturbations that are no faults.
template <class Options>
void read_also(const arguments& given, Options& options)
{
    const std::vector<std::string> known{"abandon", "deviate"};
    for (const std::string& word : listed(given, "also")) {
        if (word == "abandon")
            options.abandon = true;
        else if (word == "deviate")
            options.deviate = true;
        else
            throw input_error("--also: " + unknown_word("perturbation", word, known));
    }
}

int sweep_manager(std::vector<std::string> words, const std::string& program)
{
    sweep_options options;
    options.check_pruning = std::erase(words, "--check-pruning") != 0;
    const arguments given(std::move(words),
        with_campaign_options({"perturbations", "kinds", "also", "schedule", "require", "for", "runs-max",
            "horizon", "steps-max", "with"}),
        detail::campaign_flags());
    begin_page(given, program);
    detail::campaign_command led("sweep", given);
    const manager& under_test = named_manager(given);
    options.preemptions = named_schedule(given, true).preemptions;
    options.perturbations =
        static_cast<unsigned>(given.number("perturbations", 0, 8).value_or(options.perturbations));
    options.kinds = named_kinds(given);
    read_also(given, options);
    options.runs_max =
        given.number("runs-max", 1, std::numeric_limits<std::uint64_t>::max()).value_or(options.runs_max);
    options.time_max = detail::named_time(given);
    options.limits = named_limits(given);
    options.settings = named_settings(given);
    options.require = listed(given, "require");
    const auto before = try_saved(given, under_test, options.settings, program);
    return show(sweep(under_test, options), before, led, given, program);
}

int random_runs(std::vector<std::string> words, const std::string& program)
{
    settle_seed(words);
    const arguments given(std::move(words),
        with_campaign_options(
            {"cases", "for", "seed", "kinds", "also", "schedule", "require", "horizon", "steps-max", "with"}),
        detail::campaign_flags());
    begin_page(given, program);
    detail::campaign_command led("random", given);
    const manager& under_test = named_manager(given);
    random_options options;
    options.schedule = named_schedule(given, false).drawn;
    constexpr auto most = std::numeric_limits<std::uint64_t>::max();
    options.cases = given.number("cases", 1, most);
    options.time_max = detail::named_time(given);
    options.seed = given.number("seed", 0, most);
    for (const fault& kind : named_kinds(given))
        options.kinds.push_back(kind.kind);
    read_also(given, options);
    options.limits = named_limits(given);
    options.settings = named_settings(given);
    options.require = listed(given, "require");
    const auto before = try_saved(given, under_test, options.settings, program);
    return show(random_campaign(under_test, options), before, led, given, program);
}

int replay(std::vector<std::string> words, const std::string& program)
{
    const arguments given(std::move(words), {"horizon", "steps-max", "html"});
    begin_page(given, program);
    if (given.rest().size() != 1)
        throw input_error("replay takes one token, in quotes: replay '1 session session.close=hang ~7f3a'");
    const replay_token token = parse_token(given.rest().front());
    const manager& under_test = get_manager(token.manager);
    detail::runner once(under_test, under_test.promises, named_limits(given));
    const run_result run = once.run(token.plan);
    if (!once.inert().empty()) {
        fault_plan stale;
        stale.perturbations.push_back(token.plan.perturbations[once.inert().front()]);
        complain(fmt::format("the token is stale: {} never came up in this run", to_string(stale)));
        say(timeline(run));
        return something_broke;
    }
    const std::vector<counterexample> broken =
        detail::counterexamples_of(run, [&](const fault_plan& plan) { return &once.run(plan); });
    detail::add_to_page(run, broken);
    if (broken.empty()) {
        const std::string plan = to_string(token.plan);
        say(fmt::format(
            "{} holds under {}\n{}", token.manager, plan.empty() ? "no fault" : plan, timeline(run)));
        return all_well;
    }
    say(detail::report_of_run(broken.front(), {.replay_command = replay_command(program)}) + '\n');
    return something_broke;
}

int list(std::vector<std::string> words, const std::string&)
{
    const arguments given(std::move(words), {"format"});
    const std::vector<std::string> formats{"text", "markdown"};
    const std::string format = given.option("format").value_or("text");
    if (std::find(formats.begin(), formats.end(), format) == formats.end())
        throw input_error("--format: " + unknown_word("format", format, formats));
    if (given.rest().empty() || given.rest().size() > 2)
        throw input_error(fmt::format("list takes one of: {}", fmt::join(detail::list_names(), ", ")));
    const std::string part = given.rest().size() == 2 ? given.rest()[1] : "";
    say(detail::list_text(given.rest().front(), part, format == "markdown"));
    return all_well;
}

int explain(std::vector<std::string> words, const std::string&)
{
    const arguments given(std::move(words), {});
    if (given.rest().empty())
        throw input_error(
            "explain takes a rule, a term of the contract, a fault, a waiver or an error, or a run's token "
            "or file: explain preserves_error");
    if (given.rest().size() == 1 && detail::names_a_run(given.rest().front())) {
        say(detail::explain_run(given.rest().front()));
        return all_well;
    }
    // A fault may have several words: fail after effect.
    say(detail::explain_text(fmt::format("{}", fmt::join(given.rest(), " "))));
    return all_well;
}

int print_schema(std::vector<std::string> words, const std::string&)
{
    const arguments given(std::move(words), {});
    if (!given.rest().empty())
        throw input_error(fmt::format("'{}' is one word too many", given.rest().front()));
    say(scenario_schema());
    return all_well;
}

int write_new_manager(std::vector<std::string> words, const std::string&)
{
    const arguments given(std::move(words), {"pattern", "into"});
    if (given.rest().size() != 1)
        throw input_error("new takes the name of one manager: new invoice_store --pattern session");
    fmt::print("{}", detail::write_new(given.rest().front(), given.option("pattern").value_or("session"),
                         given.option("into").value_or(".")));
    return all_well;
}

int merge(std::vector<std::string> words, const std::string& program);
int help(std::vector<std::string>, const std::string& program);

const std::vector<command>& commands()
{
    static const std::vector<command> all{
        {"run", "run [FILE|DIR ...] [--filter PATTERN] [--watch] [CAMPAIGN OPTIONS]",
            "run scenario files; without any, those of this program; with a filter, those whose path has it; "
            "--watch runs again whenever one changes",
            &run_files},
        {"sweep",
            "sweep MANAGER [--perturbations N] [--kinds A,B] [--also abandon,deviate] [--schedule 'all N'] "
            "[--require WHAT,...] [--for TIME] [--runs-max N] [--check-pruning] [--horizon TIME] "
            "[--steps-max N] [--with NAME=VALUE] [CAMPAIGN OPTIONS]",
            "run a manager under every plan of at most N perturbations (default 2)", &sweep_manager},
        {"random",
            "random MANAGER [--cases N] [--for TIME] [--seed S|random] [--kinds A,B] "
            "[--also abandon,deviate] [--schedule random|'pct D'] [--require WHAT,...] [--horizon TIME] "
            "[--steps-max N] [--with NAME=VALUE] [CAMPAIGN OPTIONS]",
            "run a manager under plans drawn at random (default 1000)", &random_runs},
        {"merge", "merge FILE ... [CAMPAIGN OPTIONS]",
            "make one report of what the shards of a campaign wrote with --json", &merge},
        {"replay", "replay TOKEN [--horizon TIME] [--steps-max N] [--html FILE]",
            "repeat the run of a report", &replay},
        {"list",
            "list managers|roles|faults|invariants|waivers|errors|contract|coverage|keys|patterns|"
            "document-rules|verdicts|places [SECTION] [--format markdown]",
            "what this program knows", &list},
        {"new", "new NAME [--pattern PATTERN] [--into DIR]",
            "write a manager, a fake, an adapter and two scenarios to begin with, in DIR/NAME (patterns: "
            "list patterns)",
            &write_new_manager},
        {"check", "check [FILE|DIR ...]", "read scenario files without running them", &check_files},
        {"fmt", "fmt [FILE|DIR ...] [--check]",
            "put scenario files into the house format, comments and all; --check names those that differ",
            &format_files},
        {"schema", "schema", "a JSON Schema of scenario files, for editors", &print_schema},
        {"explain", "explain RULE|TERM|FAULT|WAIVER|ERROR|TOKEN|FILE",
            "what a word of a report, a contract or a scenario means; or a run in sentences, what it breaks "
            "and what mends that",
            &explain},
        {"help", "help", "this text", &help},
    };
    return all;
}

/// The campaign again, out of parts that are there.
int merge(std::vector<std::string> words, const std::string& program)
{
    std::vector<std::string> manners;
    const arguments given(std::move(words), detail::campaign_options(), detail::campaign_flags());
    for (const char* other : {"shard", "resume", "no-isolate"})
        if (given.option(other))
            throw input_error(fmt::format("merge puts all shards together: leave --{} out", other));
    for (const auto& [name, value] : given.all_options())
        manners.push_back(name == "quiet" ? "--quiet" : fmt::format("--{}={}", name, value));
    std::vector<std::string> command = detail::read_shards(given.rest());
    const std::string name = command.front();
    command.erase(command.begin());
    command.insert(command.end(), manners.begin(), manners.end());
    for (const auto& one : commands())
        if (one.name == name && (name == "run" || name == "sweep" || name == "random"))
            return one.run(std::move(command), program);
    throw input_error(fmt::format("these are no results of run, sweep or random, but of '{}'", name));
}

int help(std::vector<std::string>, const std::string& program)
{
    std::string text = fmt::format(
        "usage: {} COMMAND ..., or GoogleTest's flags, or nothing to run every test\n\n", program);
    for (const command& c : commands())
        text += fmt::format("  {}\n      {}\n", c.usage, c.about);
    text += fmt::format("\nCampaign options: {}\n{}", detail::campaign_usage(), detail::campaign_help());
    say(text +
        "\nExit codes: 2 if any input was bad, else 1 if anything broke, else 3 if nothing ran, else 0.\n"
        "Counterexamples are saved as scenario files in mishap-failures, or as --save says; what is there "
        "of the\n"
        "same manager is tried first. --require fails a campaign that never reached, for example,\n"
        "'session.close: hang', session.rollback or the text of a MISHAP_REACHED ('*': each of them).\n"
        "Environment: MISHAP_REPLAY, MISHAP_SEED, RC_PARAMS; MISHAP_HTML, as --html; COLUMNS (80 to 120);\n"
        "MISHAP_PROGRESS (30s, or off), how often a line tells of a campaign where there is no terminal;\n"
        "MISHAP_HANDLER_TIME (10s) and\n"
        "MISHAP_HANDLER_MEMORY (2048, in MiB), which one handler may use before it is taken for one that\n"
        "never returns, or off. One that blocks the thread may take six times that time.\n");
    return all_well;
}

/// Says so where `MISHAP_REPLAY` asks for a run that no campaign made.
bool replay_is_settled()
{
    const auto& requested = requested_replay();
    if (!requested || replay_was_taken())
        return true;
    complain(fmt::format(
        "MISHAP_REPLAY asks for a run of '{}', but no campaign of that name ran", requested->manager));
    return false;
}

int googletest_face(int argc, char** argv)
{
    const bool asked_for_list = std::any_of(argv + 1, argv + argc,
        [](const char* word) { return std::string_view(word) == "--gtest_list_tests"; });
    testing::InitGoogleMock(&argc, argv);
    detail::register_scenario_tests(replay_command(argv[0]));
    if (argc > 1) {
        complain(fmt::format("'{}' is no flag of GoogleTest; try '{} help'", argv[1], argv[0]));
        return bad_input;
    }
    const int failed = RUN_ALL_TESTS();
    if (detail::unusable_scenarios() > 0)
        return bad_input;
    if (!asked_for_list && !replay_is_settled())
        return bad_input;
    if (failed != 0)
        return something_broke;
    const int matching = testing::UnitTest::GetInstance()->test_to_run_count();
    if (!asked_for_list && (matching == 0 || GTEST_FLAG_GET(repeat) == 0)) {
        complain(matching == 0 ? "no test matched" : "no test ran: --gtest_repeat is 0");
        return nothing_ran;
    }
    return all_well;
}

int help_on(const command& one, const std::string& program)
{
    const bool campaigns = one.usage.find("CAMPAIGN") != std::string::npos;
    say(fmt::format("usage: {} {}\n\n  {}\n{}", program, one.usage, one.about,
        campaigns
            ? fmt::format("\nCampaign options: {}\n{}", detail::campaign_usage(), detail::campaign_help())
            : std::string()));
    return all_well;
}

/// Runs a sub-command, and refuses a requested replay that it had no campaign for.
int run_command(const command& asked, std::vector<std::string> words, const std::string& program)
{
    if (std::find(words.begin(), words.end(), "--help") != words.end())
        return help_on(asked, program);
    int code = asked.run(std::move(words), program);
    end_page();
    if (code == all_well && detail::workers_leaked())
        code = something_broke;
    if (detail::stopped_by() != 0)
        return 128 + detail::stopped_by();
    const bool explores = asked.name == "run" || asked.name == "sweep" || asked.name == "random";
    return !explores || replay_is_settled() ? code : bad_input;
}

int dispatch(int argc, char** argv)
{
    if (!detail::virtual_time_is_linked()) {
        complain("virtual time is not linked in: this program's clock_gettime, timerfd_settime or epoll_wait "
                 "are not mishap's. Link mishap::mishap into the program itself, and define none of these "
                 "functions elsewhere");
        return bad_input;
    }
    for (const std::string& error : registration_errors())
        complain(error);
    if (!registration_errors().empty())
        return bad_input;
    (void)requested_replay(); // throws for a damaged token
    (void)detail::read_handler_limits();
    const std::string first = argc > 1 ? argv[1] : "";
    if (first.empty() || first.starts_with("--gtest") || first.starts_with("--gmock"))
        return googletest_face(argc, argv);
    if (first == "--version") {
        say("mishap " MISHAP_VERSION "\n");
        return all_well;
    }
    if (first == "--help" || first == "-h")
        return help({}, argv[0]);
    for (const command& c : commands())
        if (c.name == first)
            return run_command(c, std::vector<std::string>(argv + 2, argv + argc), argv[0]);
    std::vector<std::string> names;
    for (const command& c : commands())
        names.push_back(c.name);
    complain(unknown_word("sub-command", first, names));
    return bad_input;
}

} // namespace

int run_main(int argc, char** argv)
{
    int code = bad_input;
    try {
        code = dispatch(argc, argv);
    } catch (const std::exception& e) {
        complain(e.what());
    }
    // What was found is worth nothing where nobody can read it.
    errno = 0;
    if (std::fflush(stdout) != 0 || std::ferror(stdout)) {
        complain(fmt::format(
            "standard output cannot be written{}{}", errno ? ": " : "", errno ? std::strerror(errno) : ""));
        return bad_input;
    }
    return code;
}

} // namespace mishap
