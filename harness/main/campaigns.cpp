// SPDX-License-Identifier: MIT
#include "campaigns.hpp"

#include "output.hpp"
#include "sarif.hpp"

#include "explore/worker_process.hpp"
#include "report/json.hpp"
#include "report/json_lines.hpp"
#include "report/page.hpp"

#include <mishap/duration.hpp>
#include <mishap/input_error.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <random>

namespace mishap::detail {

namespace {

/// What only says how a campaign is run, and so may differ between results that are put together.
constexpr std::string_view manners[] = {
    "jobs", "shard", "resume", "json", "sarif", "annotate", "html", "color", "save", "no-isolate", "quiet"};

unsigned processors() noexcept
{
    cpu_set_t mine;
    CPU_ZERO(&mine);
    return ::sched_getaffinity(0, sizeof mine, &mine) == 0
               ? std::max(1u, static_cast<unsigned>(CPU_COUNT(&mine)))
               : 1;
}

/// CTest runs tests side by side itself.
bool is_under_ctest() noexcept
{
    return std::getenv("CTEST_INTERACTIVE_DEBUG_MODE") || std::getenv("DASHBOARD_TEST_FROM_CTEST");
}

std::optional<std::uint64_t> number_in(const char* variable)
{
    const char* const text = std::getenv(variable);
    if (!text || !*text)
        return std::nullopt;
    const std::string_view digits(text);
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || end != digits.data() + digits.size())
        throw input_error(fmt::format("{} is '{}', but it takes a whole number", variable, text));
    return value;
}

std::map<std::string, std::string> environment_that_counts()
{
    std::map<std::string, std::string> variables;
    for (const char* name : {"MISHAP_SEED", "RC_PARAMS", "MISHAP_HANDLER_TIME", "MISHAP_HANDLER_MEMORY"})
        if (const char* value = std::getenv(name); value && *value)
            variables[name] = value;
    return variables;
}

std::vector<std::string> command_of(std::string_view name, const arguments& given)
{
    std::vector<std::string> words{std::string(name)};
    for (const auto& [option, value] : given.all_options())
        if (std::find(std::begin(manners), std::end(manners), option) == std::end(manners))
            words.push_back(fmt::format("--{}={}", option, value));
    words.insert(words.end(), given.rest().begin(), given.rest().end());
    return words;
}

std::string in_words(const std::vector<std::string>& command)
{
    return fmt::format("{}", fmt::join(command, " "));
}

void check_same(const results_header& one, const results_header& other, const std::string& file)
{
    if (one.command != other.command)
        throw input_error(fmt::format(
            "{} has the results of '{}', not of '{}'", file, in_words(one.command), in_words(other.command)));
    if (one.environment != other.environment)
        throw input_error(
            fmt::format("{} was written with other values of MISHAP_SEED, RC_PARAMS or the limits "
                        "of handlers: set them as they were",
                file));
    if (one.shards != other.shards)
        throw input_error(fmt::format("{} is one of {} shards, not of {}", file, one.shards, other.shards));
}

} // namespace

const std::vector<std::string>& campaign_options()
{
    static const std::vector<std::string> all{
        "jobs", "shard", "resume", "json", "sarif", "annotate", "html", "color", "save"};
    return all;
}

const std::vector<std::string>& campaign_flags()
{
    static const std::vector<std::string> all{"no-isolate", "quiet"};
    return all;
}

std::string_view campaign_usage() noexcept
{
    return "[--jobs N|--no-isolate] [--shard I/N] [--json FILE] [--resume FILE] [--sarif FILE] "
           "[--annotate github] [--html FILE] [--color WHEN] [--quiet] [--save DIR]";
}

std::string_view campaign_help() noexcept
{
    return "Campaigns run in processes of their own, so that nothing that a manager does can stop them.\n"
           "  --jobs N          how many at once (the processors; 1 under CTest); results are the same\n"
           "  --no-isolate      in this very process, for debuggers\n"
           "  --for TIME        stop after so much real time; --cases and --runs-max stop by number\n"
           "  --seed S|random   the seed of random plans; a random one is printed\n"
           "  --shard I/N       only this machine's share (or GTEST_SHARD_INDEX and GTEST_TOTAL_SHARDS)\n"
           "  --json FILE       results as JSON lines, which `merge` and --resume read\n"
           "  --resume FILE     go on where the campaign stopped that wrote this file\n"
           "  --sarif FILE      counterexamples for code scanning; --annotate github for a job's page\n"
           "  --html FILE       a page with timelines to look into, written in this very process; DIR/ one\n"
           "                    for each campaign or scenario that is not as it should be\n"
           "  --color WHEN      auto, always or never\n"
           "  --quiet           no progress, and nothing of what is as it should be\n"
           "SIGINT and SIGTERM end a campaign with the report so far, and exit codes 130 and 143.\n";
}

results*& merged() noexcept
{
    static results* all = nullptr;
    return all;
}

campaign_command::campaign_command(std::string_view name, const arguments& given)
    : quiet_(given.has("quiet")), progress_(quiet_), conducts_(!given.has("no-isolate") && !collects_page())
{
    choose_color(given.option("color").value_or("auto"));
    const auto jobs = given.number("jobs", 1, 1024);
    // A page shows whole runs, which stay in the process that ran them.
    const char* const why = given.has("no-isolate") ? "--no-isolate" : "--html";
    if (!conducts_)
        for (const char* other : {"jobs", "shard", "resume"})
            if (given.option(other))
                throw input_error(fmt::format("{} runs all in this process: leave --{} out", why, other));
    led_.jobs = static_cast<unsigned>(jobs.value_or(is_under_ctest() ? 1 : processors()));
    if (conducts_ && !merged())
        read_shard(given);
    if (const auto to = given.option("annotate")) {
        const std::vector<std::string> known{"github"};
        if (*to != known.front())
            throw input_error("--annotate: " + unknown_word("host", *to, known));
        annotates_ = true;
    }
    sarif_ = given.option("sarif").value_or("");
    open_results(name, given);
    led_.watch = [this](const campaign_status& now) { progress_.show(now); };
    on_counterexample() = [this](const std::string& line) {
        results_.line(line);
        counterexamples_.push_back(line);
        if (annotates_)
            annotate(line);
    };
    if (conducts_) {
        led_.journal = merged() ? static_cast<part_journal*>(merged()) : &results_;
        conducted() = &led_;
        signals_.emplace();
    }
}

campaign_command::~campaign_command()
{
    conducted() = nullptr;
    on_counterexample() = nullptr;
}

void campaign_command::read_shard(const arguments& given)
{
    std::optional<std::uint64_t> index, total;
    if (const auto text = given.option("shard")) {
        const std::size_t slash = text->find('/');
        const auto read = [&](std::string_view digits) {
            std::uint64_t value = 0;
            const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
            return error == std::errc() && end == digits.data() + digits.size() ? value : 0;
        };
        const std::uint64_t one = slash == text->npos ? 0 : read(std::string_view(*text).substr(0, slash));
        total = slash == text->npos ? 0 : read(std::string_view(*text).substr(slash + 1));
        if (one == 0 || one > *total)
            throw input_error(
                fmt::format("--shard is '{}', but it takes its number and how many there are: 1/3", *text));
        index = one - 1;
    } else {
        total = number_in("GTEST_TOTAL_SHARDS");
        index = number_in("GTEST_SHARD_INDEX");
        if (total.has_value() != index.has_value() || (total && *index >= *total))
            throw input_error("GTEST_TOTAL_SHARDS and GTEST_SHARD_INDEX go together, and the index is less");
        // Bazel looks whether it is there.
        if (const char* const file = std::getenv("GTEST_SHARD_STATUS_FILE"); total && file)
            std::ofstream(file, std::ios::app).flush();
    }
    led_.shard = index.value_or(0);
    led_.shards = total.value_or(1);
}

void campaign_command::open_results(std::string_view name, const arguments& given)
{
    const results_header header{command_of(name, given), environment_that_counts(), led_.shard, led_.shards};
    if (const auto before = given.option("resume")) {
        if (given.option("json"))
            throw input_error("--resume goes on in its own file: leave --json out");
        read_results read = read_results::of(*before);
        check_same(read.header, header, *before);
        if (read.header.shard != header.shard)
            throw input_error(
                fmt::format("{} is shard {}, not {}", *before, read.header.shard + 1, header.shard + 1));
        results_.take(std::move(read.parts));
        results_.write_to(*before, header, true);
    } else if (const auto file = given.option("json")) {
        results_.write_to(*file, header, false);
    }
}

bool campaign_command::is_elsewhere(std::uint64_t number) const noexcept
{
    return conducts_ && number % led_.shards != led_.shard;
}

void campaign_command::found(const campaign_result& result) { results_.line(campaign_line(result)); }

void campaign_command::found(const scenario& what, const scenario_result& result)
{
    results_.line(scenario_line(what, result));
}

/// As GitHub's runner takes it.
void campaign_command::annotate(const std::string& line)
{
    const json::value read = json::parse(line);
    const auto escaped = [](std::string_view text, bool property) {
        std::string out;
        for (const char c : text)
            if (c == '%' || c == '\n' || c == '\r' || (property && (c == ':' || c == ',')))
                out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
            else
                out += c;
        return out;
    };
    const std::string& location = read["location"].text();
    const std::size_t colon = location.rfind(':');
    std::string where;
    if (colon != std::string::npos)
        where = fmt::format("file={},line={},", escaped(location.substr(0, colon), true),
            escaped(location.substr(colon + 1), true));
    clear_line();
    say(fmt::format("::error {}title={}::{}\n", where,
        escaped(fmt::format("{} breaks {}", read["manager"].text(), read["rule"].text()), true),
        escaped(fmt::format("{}\nplan: {}\nreplay: {}", read["sentence"].text(), read["plan"].text(),
                    read["token"].text()),
            false)));
}

void campaign_command::finish()
{
    clear_line();
    if (!sarif_.empty())
        write_sarif(sarif_, counterexamples_);
}

std::vector<std::string> read_shards(const std::vector<std::string>& files)
{
    if (files.empty())
        throw input_error("merge takes the files that the shards wrote with --json: merge shard*.jsonl");
    std::map<std::string, std::string> parts;
    std::optional<results_header> first;
    for (const std::string& file : files) {
        read_results read = read_results::of(file);
        if (first)
            check_same(read.header, *first, file);
        else
            first = read.header;
        parts.merge(read.parts);
    }
    for (const auto& [name, value] : first->environment)
        ::setenv(name.c_str(), value.c_str(), 1);
    static results all;
    all.take(std::move(parts), true);
    merged() = &all;
    return first->command;
}

duration named_time(const arguments& given)
{
    const auto text = given.option("for");
    if (!text)
        return duration(0);
    try {
        const duration time = parse_duration(*text);
        if (time <= duration(0))
            throw input_error("it is no time at all");
        return time;
    } catch (const input_error& e) {
        throw input_error(fmt::format("--for: {}", e.what()));
    }
}

std::uint64_t random_seed()
{
    std::random_device source;
    return std::uint64_t(source()) << 32 | source();
}

} // namespace mishap::detail
