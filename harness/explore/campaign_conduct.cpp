// SPDX-License-Identifier: MIT
// How a campaign hands its runs to other processes, and makes one result of what they find.

#include "campaign.hpp"
#include "conductor.hpp"

#include "vocabulary/printable.hpp"

#include <mishap/duration.hpp>
#include <mishap/input_error.hpp>
#include <mishap/report.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace mishap::detail {

namespace {

/// The plan of a run that ended its process, as far as it fired, out of what the process said last.
std::optional<fault_plan> plan_in(const std::string& words, const std::string& manager)
{
    constexpr std::string_view before = "in the run that this repeats:\n  ";
    const auto found = words.find(before);
    if (found == std::string::npos)
        return std::nullopt;
    const auto at = found + before.size();
    try {
        replay_token token = parse_token(std::string_view(words).substr(at, words.find('\n', at) - at));
        if (token.manager == manager)
            return std::move(token.plan);
    } catch (const input_error&) { // the process died while it spoke
    }
    return std::nullopt;
}

} // namespace

/// The result of a run that ended its process.
run_result& campaign::dead(const fault_plan& plan, const death& how)
{
    ++work_.dead;
    dead_.manager = under_test_.name;
    dead_.contract = promises_;
    dead_.limits = runner_.asked_limits();
    dead_.plan = plan;
    dead_.fired = plan_in(how.words, under_test_.name).value_or(plan);
    dead_.trace = {};
    dead_.verdict.violations.clear();
    dead_.verdict.violations.push_back(violation_of(how));
    last_words_[to_string(dead_.fired)] = events_in(how.words);
    return dead_;
}

void campaign::begin_part(const part_request& asked, shared_row& row)
{
    tells_timeline_ = true;
    result_.runs = result_.fired = result_.violating_runs = result_.first_violation = result_.pruned = 0;
    cells_.clear();
    bugs_.clear();
    obligations_.clear();
    entered_ = asked_ = nondeterministic_ = false;
    if (skipped_)
        *skipped_ = 0;
    work_.row = &row;
    work_.begun = work_.dead = 0;
    work_.begun_max = asked.begun_max;
    work_.deaths = asked.deaths;
}

campaign_part campaign::end_part()
{
    campaign_part part;
    part.runs = result_.runs;
    part.fired = result_.fired;
    part.violating = result_.violating_runs;
    part.first_violation = result_.first_violation;
    part.pruned = result_.pruned;
    part.deaths = work_.dead;
    part.skipped = skipped_ ? *skipped_ : 0;
    part.entered = entered_;
    part.asked = asked_;
    part.reached = obligations_.reached();
    part.required = obligations_.met();
    part.nondeterministic = nondeterministic_;
    part.cut_short = workers::told_to_stop();
    part.coverage = cells_;
    part.met = bugs_.all();
    part.settings_read = runner_.settings_read();
    if (also_reads_)
        part.others_settings_read = also_reads_->settings_read();
    return part;
}

void campaign::add(const coverage_of_operation& row)
{
    auto found = std::find_if(cells_.begin(), cells_.end(),
        [&](const auto& known) { return known.kind == row.kind && known.name == row.name; });
    if (found == cells_.end())
        found = cells_.insert(cells_.end(), {row.kind, row.name, {}});
    for (std::size_t kind = 0; kind < fault_kinds; ++kind) {
        found->by_fault[kind].planned += row.by_fault[kind].planned;
        found->by_fault[kind].fired += row.by_fault[kind].fired;
        found->by_fault[kind].seen += row.by_fault[kind].seen;
    }
}

void campaign::join(campaign_part&& part)
{
    if (result_.violating_runs == 0 && part.violating != 0)
        result_.first_violation = result_.runs + part.first_violation;
    result_.runs += part.runs;
    result_.fired += part.fired;
    result_.violating_runs += part.violating;
    result_.pruned += part.pruned;
    deaths_ += part.deaths;
    if (skipped_)
        *skipped_ += part.skipped;
    entered_ = entered_ || part.entered;
    asked_ = asked_ || part.asked;
    obligations_.join(part.reached, part.required);
    nondeterministic_ = nondeterministic_ || part.nondeterministic;
    for (const coverage_of_operation& row : part.coverage)
        add(row);
    bugs_.join(std::move(part.met));
    runner_.note_read(part.settings_read);
    if (also_reads_)
        also_reads_->note_read(part.others_settings_read);
}

bool campaign::may_go_on() const noexcept
{
    if (work_.row)
        return !workers::told_to_stop() && (work_.begun_max == 0 || work_.begun + 1 < work_.begun_max);
    const bool is_up = until_ != duration(0) && real_now() >= until_;
    cut_short_ = cut_short_ || is_up;
    return !is_up;
}

void campaign::stops_after(duration real_time)
{
    if (real_time > duration(0))
        until_ = began_ + real_time;
}

void campaign::watch(
    const row_sums& live, std::uint64_t done, std::uint64_t all, const std::string& what) const
{
    conducted()->watch({.runs = std::max(result_.runs, live.runs),
        .fired = std::max(result_.fired, live.fired),
        .violating = std::max(result_.violating_runs, live.violating),
        .tries = result_.manager + (what.empty() ? "" : ", ") + what,
        .done = done,
        .all = all,
        .began = began_,
        .until = until_});
}

std::string campaign::why_stopped() const
{
    if (conducts_ && stopped_by() != 0)
        return fmt::format("stopped by SIG{}", sigabbrev_np(stopped_by()));
    if (cut_short_ && until_ != duration(0) && real_now() >= until_)
        return fmt::format("its time was up after {}", to_string(until_ - began_));
    if (deaths_ >= deaths_max)
        return fmt::format("stopped after {} runs that ended their process", deaths_);
    return {};
}

bool campaign::is_shard() const noexcept { return conducts_ && conducted()->shards > 1; }

std::string campaign::which_shard() const
{
    return is_shard() ? fmt::format("; shard {} of {}", conducted()->shard + 1, conducted()->shards)
                      : std::string();
}

bool has_died(const run_result& done) noexcept
{
    const auto& all = done.verdict.violations;
    return !all.empty() && is_death(all.front().invariant);
}

bool campaign::conduct(parts& all)
{
    conductor& led = *conducted();
    if (result_.runs == 0)
        keep_settings(all.base);
    const std::string sort = fmt::format("{}.{}", number_, ++sorts_);
    const auto key = [&](std::uint64_t part) { return fmt::format("{}.{}", sort, part); };
    const auto is_shared = [&](std::uint64_t part) { return all.has_root && part == 0; };
    const auto is_mine = [&](std::uint64_t part) { return part % led.shards == led.shard; };
    const row_sums before{result_.runs, result_.fired, result_.violating_runs};
    std::uint64_t budget = all.runs_max - std::min(all.runs_max, result_.runs);
    std::uint64_t next = 0; ///< the first part that was not counted
    bool whole = true;
    workers::work work;
    work.parts = &all.count;
    work.runs_max = &budget;
    work.until = until_;
    work.serve = [&](const part_request& asked, shared_row& row, const try_alone&) {
        campaign_part extra;
        begin_part(asked, row);
        all.serve(asked, extra);
        campaign_part part = end_part();
        part.parts = extra.parts;
        part.lost = extra.lost;
        part.limited = extra.limited;
        part.drawn = extra.drawn;
        part.bounded = extra.bounded;
        part.repeated = extra.repeated;
        part.longest_wait = extra.longest_wait;
        part.tick = extra.tick;
        return part.to_json();
    };
    work.fits = [&](const part_request& asked, const std::string& answer) -> std::optional<std::uint64_t> {
        if (asked.runs_max > budget && campaign_part::from_json(answer).runs > budget)
            return budget;
        return std::nullopt;
    };
    work.known = [&](std::uint64_t part) -> std::optional<std::string> {
        auto found = led.journal ? led.journal->find(key(part)) : std::nullopt;
        if (!found && led.journal && led.journal->is_whole())
            throw input_error(fmt::format(
                "part {} of the campaign is in none of the files: did all shards come to their end?",
                key(part)));
        return found;
    };
    work.skips = [&](std::uint64_t part) { return !is_shared(part) && !is_mine(part); };
    work.take = [&](const part_request& asked, const std::string& answer) {
        campaign_part part = campaign_part::from_json(answer);
        if (led.journal && !part.cut_short)
            led.journal->keep(key(asked.part), answer);
        whole = whole && !part.cut_short && asked.begun_max == 0;
        next = asked.part + 1;
        const bool may_go_on = all.learn(part); // what others have in hand when it is stopped counts, too
        if (is_mine(asked.part))
            join(std::move(part));
        budget = all.runs_max - std::min(all.runs_max, result_.runs);
        const bool goes_on = may_go_on && budget != 0 && !nondeterministic_ && deaths_ < deaths_max;
        return goes_on ? workers::next::go_on : workers::next::stop;
    };
    work.watch = [&](const row_sums& live) {
        watch({before.runs + live.runs, before.fired + live.fired, before.violating + live.violating}, next,
            all.count, all.what);
    };
    workers::run(work);
    while (next < all.count && work.skips(next))
        ++next;
    whole = whole && next >= all.count;
    cut_short_ = cut_short_ || !whole;
    return whole;
}

std::string campaign::answer_of_a_worker(
    const char* question, const std::function<std::string()>& ask, std::string answer)
{
    const std::uint64_t one = 1;
    workers::work work;
    work.parts = work.runs_max = &one;
    const std::string key = fmt::format("{}.{}.{}", number_, ++sorts_, question);
    part_journal* const journal = conducted()->journal;
    work.serve = [&, if_it_dies = answer](
                     const part_request& asked, shared_row& row, const try_alone&) -> std::string {
        work_.row = &row;
        row.run = 1;
        return asked.deaths.empty() ? ask() : if_it_dies;
    };
    work.known = [&](std::uint64_t) { return journal ? journal->find(key) : std::nullopt; };
    work.take = [&](const part_request&, const std::string& given) {
        answer = given;
        if (journal)
            journal->keep(key, given);
        return workers::next::stop;
    };
    workers::run(work);
    return answer;
}

std::string campaign::tell_as_worker(const part_request& asked, shared_row& row, const try_alone& alone)
{
    work_.row = &row;
    work_.begun = 0;
    tells_timeline_ = true;
    const auto& all = bugs_.all();
    // What ends its process is tried in one of its own first.
    if (deaths_ != 0 || !asked.deaths.empty() ||
        std::any_of(all.begin(), all.end(), [](const auto& one) { return is_death(one.what.invariant); }))
        work_.alone = &alone;
    bugs_.tell(result_, false);
    for (counterexample& c : result_.counterexamples)
        if (is_death(c.invariant))
            c.events = last_words_[to_string(c.minimal.fired)];
    tell_if_nobody_is_served();
    return told_to_json(result_);
}

/// Makes counterexamples small in a worker, which is a copy of this process and knows all that was met.
void campaign::tell_in_worker()
{
    const bool needs_one = !bugs_.empty() || ((promises_.serves_clients() || asked_) && !entered_);
    if (!needs_one)
        return;
    if (stopped_by() != 0)
        bugs_.hurry();
    const std::uint64_t one = 1;
    workers::work work;
    work.parts = work.runs_max = &one;
    work.serve = [&](const part_request& asked, shared_row& row, const try_alone& alone) {
        return tell_as_worker(asked, row, alone);
    };
    work.alone = [&](const std::string& line, shared_row& row) {
        work_.row = &row;
        work_.alone = nullptr;
        tells_timeline_ = true;
        row.run = 1;
        try {
            judged(parse_plan(line));
        } catch (const std::exception&) { // misuse, which is told where the run is made again
        }
    };
    work.take = [&](const part_request&, const std::string& answer) {
        told_from_json(answer, runner_.asked_limits(), promises_, result_);
        return workers::next::stop;
    };
    work.watch = [&](const row_sums&) { watch({}, 0, 0, "makes counterexamples small"); };
    work.finishes = true;
    workers::run(work);
}

void campaign::tell_of_bugs()
{
    if (conducts_ && !result_.replayed)
        tell_in_worker();
    else
        bugs_.tell(result_, result_.replayed);
}

} // namespace mishap::detail
