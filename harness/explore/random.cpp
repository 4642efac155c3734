// SPDX-License-Identifier: MIT
#include "campaign.hpp"

#include "fault/plan_words.hpp"
#include "vocabulary/mix.hpp"
#include "vocabulary/printable.hpp"

#include <mishap/input_error.hpp>
#include <mishap/rapidcheck.hpp>

#include <fmt/format.h>

#include <rapidcheck/Random.h>
#include <rapidcheck/detail/Configuration.h>
#include <rapidcheck/seq/Create.h>
#include <rapidcheck/shrinkable/Create.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <string_view>

namespace mishap {

namespace {

rc::Seq<fault_plan> fewer_faults(const fault_plan& plan)
{
    std::vector<fault_plan> fewer;
    if (plan.lazy)
        for (std::uint32_t n = 0; n < plan.lazy->at_most; ++n) {
            fewer.push_back(plan);
            fewer.back().lazy->at_most = n;
        }
    return rc::seq::fromContainer(std::move(fewer));
}

fault_plan draw_plan(rc::Random random, const std::vector<fault_kind>& kinds)
{
    lazy_faults lazy;
    lazy.seed = random.next();
    const auto allowed = [&](std::size_t kind) {
        const auto what = static_cast<fault_kind>(kind);
        // Deafness blames every manager that waits for what it cancelled, so it has to be asked for; and
        // whether there are null handles at all, only the user knows.
        const bool on_request = what == fault_kind::deaf || what == fault_kind::late ||
                                what == fault_kind::empty || what == fault_kind::cancel_after_effect ||
                                what == fault_kind::hang_after_effect || what == fault_kind::one_byte;
        return (kinds.empty() && !on_request) || std::find(kinds.begin(), kinds.end(), what) != kinds.end();
    };
    // First tier: which kinds take part at all, a coin each; a campaign in which every kind always takes part
    // hardly ever meets long stretches without one of them.
    std::uint32_t taking_part = 0;
    while (taking_part == 0) {
        const std::uint64_t coins = random.next();
        for (std::size_t kind = 1; kind < fault_kinds; ++kind)
            taking_part |= std::uint32_t(allowed(kind) && (coins >> kind & 1)) << kind;
        bool any = false;
        for (std::size_t kind = 1; kind < fault_kinds; ++kind)
            any = any || allowed(kind);
        if (!any)
            break;
    }
    // Second tier: how likely those are, against each other and against plain success.
    constexpr std::uint8_t weights[] = {1, 4, 16};
    for (std::size_t kind = 1; kind < fault_kinds; ++kind)
        if (taking_part >> kind & 1)
            lazy.weights[kind] = weights[random.next() % std::size(weights)];
    constexpr std::uint32_t rates[] = {60, 150, 350, 700};
    lazy.per_mille = rates[random.next() % std::size(rates)];
    lazy.at_most = 1 + static_cast<std::uint32_t>(random.next() % 8);
    fault_plan plan;
    plan.lazy = lazy;
    return plan;
}

/// What a lazy plan cannot hold: cancellations at steps, and whether clients come one after the other.
/// Derived from the plan's own seed.
void draw_clients(fault_plan& plan, const contract& promises, const random_options& options)
{
    rc::Random random(plan.lazy ? plan.lazy->seed : 0);
    const std::uint32_t clients = plan.clients != 0 ? plan.clients : promises.default_clients();
    plan.arrivals = options.arrivals;
    if (clients > 1 && plan.arrivals.empty()) {
        const std::uint64_t coin = random.next() % 5;
        plan.sequential = coin == 0;
        plan.relay = coin == 2;
        // Some come later: in the middle of things, or when a deadline is close.
        const duration near = promises.time.acquire.value_or(std::chrono::seconds(1));
        const duration later[] = {duration(0), std::chrono::milliseconds(1), near / 2,
            near - std::chrono::microseconds(1), near, near + std::chrono::microseconds(1)};
        for (std::uint32_t client = 0; coin == 1 && client < clients; ++client)
            if (const duration at = later[random.next() % std::size(later)]; at != duration(0))
                plan.arrivals[static_cast<lane>(client)] = at;
    }
    const auto strike = [&](interruption::action what) {
        const std::uint64_t coin = random.next();
        const std::uint64_t step = random.next();
        if (coin % 3 != 0)
            return;
        const bool ends_world = what == interruption::action::abandon && (coin >> 4) % 8 == 0;
        const interruption one{.what = what,
            .client = ends_world ? whole_world : static_cast<lane>((coin >> 8) % clients),
            .when = moment::steps,
            .steps = 1 + static_cast<std::uint32_t>(step % (16 * clients))};
        plan.perturbations.push_back({.at = {}, .what = one});
    };
    const auto& kinds = options.kinds;
    if (kinds.empty() || std::find(kinds.begin(), kinds.end(), fault_kind::cancel) != kinds.end()) {
        strike(interruption::action::cancel);
        strike(interruption::action::cancel);
    }
    if (options.abandon)
        strike(interruption::action::abandon);
}

/// Holds back up to three of the operations that the last run reached; this one mostly does, too.
void draw_deviations(fault_plan& plan, const std::vector<operation_id>& reached, std::uint64_t seed)
{
    rc::Random random(seed ^ 0x9e3779b97f4a7c15ull); // not the numbers that the clients were drawn from
    lane last = 0;
    for (const operation_id& id : reached)
        last = std::max(last, id.lane);
    if (last == 0)
        return;
    for (int i = 0; i < 3; ++i) {
        const std::uint64_t coin = random.next();
        const std::uint64_t where = random.next();
        if (coin % 2 != 0)
            continue;
        const operation_id& at = reached[where % reached.size()];
        auto first = static_cast<lane>((coin >> 8) % static_cast<std::uint64_t>(last + 1));
        if (first == at.lane)
            first = static_cast<lane>(first == 0 ? last : first - 1);
        plan.perturbations.push_back({.at = at,
            .what = deviation{.first = first, .steps = 1 + static_cast<std::uint32_t>((coin >> 32) % 4)}});
    }
}

/// What a schedule finds, and how likely that is.
std::string about_schedule(const drawn_schedule& s, std::uint32_t clients)
{
    if (clients < 2)
        return fmt::format(", scheduled by {}, which changes nothing: there is one client", to_string(s));
    if (s.kind != schedule_kind::pct)
        return fmt::format(", scheduled by {}", to_string(s));
    // The bound of Burckhardt et al. (2010), of clients as threads and operations as their steps.
    const double runs = clients * std::pow(std::max(s.operations, 1u), s.depth - 1);
    return fmt::format(
        ", scheduled by {}: what depends on {} comes up in one run of {:.0f} at least, with {} "
        "clients and {} operations",
        to_string(s), detail::counted(s.depth, "ordering"), runs, clients, s.operations);
}

struct parameters
{
    std::uint64_t seed;
    std::uint64_t cases;
};

/// RapidCheck passes over what it does not know; a slip would silently draw other plans than were asked for.
void check_words(std::string_view text)
{
    const std::vector<std::string> known{"seed", "max_success", "max_size", "max_discard_ratio", "noshrink",
        "verbose_progress", "verbose_shrinking", "reproduce"};
    for (std::size_t at = 0; (at = text.find_first_not_of(' ', at)) != std::string_view::npos;) {
        const std::string_view word = text.substr(at, text.find(' ', at) - at);
        const std::string_view key = word.substr(0, word.find('='));
        if (std::find(known.begin(), known.end(), key) == known.end())
            throw input_error(fmt::format("RC_PARAMS: {}", unknown_word("parameter", key, known)));
        if (key.size() == word.size())
            throw input_error(fmt::format("RC_PARAMS: '{}' needs a value: {}=...", key, key));
        at += word.size();
    }
}

parameters read_parameters(const random_options& options)
{
    parameters p{options.seed.value_or(1),
        options.cases.value_or(
            options.time_max > duration(0) ? std::numeric_limits<std::uint64_t>::max() : 1'000)};
    if (const char* text = std::getenv("RC_PARAMS"); text && *text) {
        check_words(text);
        rc::detail::Configuration defaults;
        defaults.testParams.seed = p.seed;
        defaults.testParams.maxSuccess =
            static_cast<int>(std::min<std::uint64_t>(p.cases, std::numeric_limits<int>::max()));
        try {
            const auto read = rc::detail::configFromString(text, defaults);
            if (!options.seed)
                p.seed = read.testParams.seed;
            if (read.testParams.maxSuccess != defaults.testParams.maxSuccess)
                p.cases = static_cast<std::uint64_t>(std::max(read.testParams.maxSuccess, 0));
        } catch (const rc::detail::ConfigurationException& e) {
            throw input_error(fmt::format("RC_PARAMS: {}", e.what()));
        }
    }
    if (const char* text = std::getenv("MISHAP_SEED"); text && *text && !options.seed) {
        const std::string_view digits(text);
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), p.seed);
        if (error != std::errc() || end != digits.data() + digits.size())
            throw input_error(
                fmt::format("MISHAP_SEED is '{}', which is no whole number of 64 bits", digits));
    }
    return p;
}

/// The number of plans that one process draws one after the other, whatever the number of processes.
constexpr std::uint64_t cases_of_part = 256;

/// Draws the plans of a campaign by their number.
class drawer
{
public:
    drawer(detail::campaign& campaign, const random_options& options, std::uint64_t seed)
        : campaign_(campaign), options_(options), seed_(seed), plans_(arbitrary_plan(options.kinds)),
          random_(seed)
    {}

    /// Draws and runs those from one number on, and counts them and what had to be left where it stood.
    void draw(std::uint64_t from, std::uint64_t cases, std::uint64_t& drawn, std::uint64_t& lost)
    {
        go_to(from);
        reached_.clear();
        const std::uint64_t end = std::min(from + cases_of_part, cases);
        for (; at_ < end && lost < detail::lost_max && campaign_.may_go_on() && !campaign_.nondeterministic();
             ++at_, ++drawn)
            draw_one(lost);
    }

private:
    /// Each plan has a generator of its own, split off the campaign's.
    void go_to(std::uint64_t number)
    {
        if (at_ > number) {
            random_ = rc::Random(seed_);
            at_ = 0;
        }
        for (; at_ < number; ++at_)
            random_.split();
    }

    void draw_one(std::uint64_t& lost)
    {
        const rc::Random mine = random_.split();
        fault_plan plan = plans_(mine, 100).value();
        plan.settings = options_.settings;
        plan.invalid_settings = options_.invalid_settings;
        plan.step_cost = options_.step_cost;
        plan.clients = options_.clients;
        draw_clients(plan, campaign_.promises(), options_);
        if (options_.schedule.kind != schedule_kind::fifo) {
            plan.schedule = options_.schedule;
            plan.schedule->seed = plan.lazy ? detail::mix(plan.lazy->seed, 0) : at_;
        }
        if (options_.deviate)
            draw_deviations(plan, reached_, plan.lazy ? plan.lazy->seed : at_);
        // One run in 64 twice: a manager that is not deterministic makes every other verdict worthless.
        std::optional<std::pair<fault_plan, trace>> again;
        campaign_.run(plan, [&](const run_result& done) {
            lost += done.trace.cut_off != none;
            if (at_ % 64 == 0 && !detail::has_died(done))
                again.emplace(done.fired, done.trace);
            if (!options_.deviate)
                return;
            reached_.clear();
            for (const operation_record& op : done.trace.operations)
                if (op.started != none && !op.in_probe && op.role != role::body)
                    reached_.push_back(op.id);
        });
        if (again)
            campaign_.repeats(again->first, again->second);
    }

    detail::campaign& campaign_;
    const random_options& options_;
    std::uint64_t seed_;
    rc::Gen<fault_plan> plans_;
    rc::Random random_;
    std::uint64_t at_ = 0;              ///< the number of the next plan
    std::vector<operation_id> reached_; ///< by the run before
};

} // namespace

rc::Gen<fault_plan> arbitrary_plan(std::vector<fault_kind> kinds)
{
    return rc::Gen<fault_plan>([kinds = std::move(kinds)](const rc::Random& random, int) {
        return rc::shrinkable::shrinkRecur(draw_plan(random, kinds), &fewer_faults);
    });
}

void showValue(const fault_plan& plan, std::ostream& out) { out << to_string(plan); }

void detail::draw_into(campaign& campaign, const random_options& asked)
{
    random_options options = asked;
    campaign.require(options.require);
    if (options.kinds.empty() && campaign.promises().work.abandonable)
        options.abandon = options.deviate = true;
    const parameters p = read_parameters(options);
    campaign.stops_after(options.time_max);
    drawn_schedule& schedule = options.schedule;
    if (schedule.kind == schedule_kind::pct) {
        if (schedule.depth == 0 || schedule.depth > detail::depth_max)
            throw input_error(
                fmt::format("pct needs a depth from 1 to {}, such as pct 3", detail::depth_max));
        fault_plan calm;
        calm.settings = options.settings;
        calm.invalid_settings = options.invalid_settings;
        calm.clients = options.clients;
        schedule.operations = campaign.operations_of(calm);
    }
    drawer draws(campaign, options, p.seed);
    std::uint64_t drawn = 0;
    std::uint64_t lost = 0;
    if (campaign.is_conducted()) {
        detail::campaign::parts all;
        all.count = p.cases / cases_of_part + (p.cases % cases_of_part != 0);
        all.runs_max = std::numeric_limits<std::uint64_t>::max();
        all.what = fmt::format("plans drawn with seed {}", p.seed);
        all.base.settings = options.settings;
        all.base.invalid_settings = options.invalid_settings;
        all.base.clients = options.clients;
        all.serve = [&](const part_request& mine, campaign_part& part) {
            draws.draw(mine.part * cases_of_part, p.cases, part.drawn, part.lost);
        };
        all.learn = [&](const campaign_part& part) {
            drawn += part.drawn;
            lost += part.lost;
            return lost < lost_max;
        };
        campaign.conduct(all);
    } else {
        for (std::uint64_t from = 0;
             from < p.cases && lost < lost_max && campaign.may_go_on() && !campaign.nondeterministic();
             from += cases_of_part)
            draws.draw(from, p.cases, drawn, lost);
    }
    campaign.result().seed = p.seed;
    campaign.result().covered = fmt::format("{} plans drawn with seed {}{}", drawn, p.seed,
        options.deviate ? ", with deviations of the schedule" : "");
    if (schedule.kind != schedule_kind::fifo)
        campaign.result().covered += about_schedule(
            schedule, options.clients != 0 ? options.clients : campaign.promises().default_clients());
    if (lost >= lost_max)
        campaign.result().covered +=
            fmt::format("; stopped after {} runs that had to be left where they stood", lost);
    if (const std::string why = campaign.why_stopped(); !why.empty())
        campaign.result().covered += "; " + why;
    campaign.result().covered += campaign.which_shard();
}

campaign_result random_campaign(const manager& under_test, const random_options& options)
{
    detail::campaign campaign(under_test, options.contract, options.limits, options.name, options.invariants);
    if (!campaign.replayed())
        detail::draw_into(campaign, options);
    return campaign.finish();
}

} // namespace mishap
