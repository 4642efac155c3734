// SPDX-License-Identifier: MIT
#include <mishap/fuzz.hpp>

#include "campaign.hpp"

#include "simulation/run.hpp"
#include "vocabulary/mix.hpp"

#include <mishap/input_error.hpp>
#include <mishap/report.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

/// libFuzzer takes what is counted here for coverage, too. Without it, the section is a plain array.
__attribute__((section("__libfuzzer_extra_counters"))) static std::array<std::uint8_t, 1 << 14> features;

namespace mishap {

namespace {

constexpr std::size_t header_size = 2;
constexpr std::size_t record_size = 6;
constexpr std::size_t records_max = 16;
/// Later occurrences of an operation are not struck.
constexpr std::uint32_t occurrences_max = 8;

constexpr std::string_view errors[] = {
    "io_error", "connection_reset", "timed_out", "value_error", "foreign", "access_denied"};

/// Bytes one by one, and zeroes after the end.
class byte_reader
{
public:
    explicit byte_reader(std::span<const std::uint8_t> bytes) noexcept : bytes_(bytes) {}

    std::uint32_t take() noexcept { return at_ < bytes_.size() ? bytes_[at_++] : 0u; }
    /// A number below that.
    std::uint32_t below(std::size_t most) noexcept { return take() % static_cast<std::uint32_t>(most); }
    bool is_at_end() const noexcept { return at_ >= bytes_.size(); }

private:
    std::span<const std::uint8_t> bytes_;
    std::size_t at_ = 0;
};

/// Around the contract's deadlines.
duration duration_of(const contract& promises, std::uint32_t parameter)
{
    const auto& time = promises.time;
    const std::optional<duration> deadlines[] = {time.create, time.acquire, time.close};
    const auto& deadline = deadlines[parameter % std::size(deadlines)];
    const duration near = deadline.value_or(std::chrono::seconds(1));
    const duration choices[] = {near - std::chrono::microseconds(1), near,
        near + std::chrono::microseconds(1), near / 2, std::chrono::milliseconds(1), near * 2};
    return choices[parameter / std::size(deadlines) % std::size(choices)];
}

/// What may be chosen against a manager without being asked for.
enum class choice_of : std::uint8_t
{
    fail,
    hang,
    delay,
    cancel,
    fail_after_effect,
    ok_now,
    bad_alloc,
    interrupt,
    deviate,
    abandon,
};

constexpr std::size_t choices_of_any = 9; // without `abandon`

symbol error_of(std::uint32_t parameter) { return symbol(errors[parameter % std::size(errors)]); }

} // namespace

fuzz_format::fuzz_format(const manager& under_test)
    : promises_(under_test.promises), clients_(under_test.promises.default_clients())
{
    detail::runner runner(under_test, promises_, {});
    const auto learn = [&](const fault_plan& plan) -> const trace& {
        const trace& happened = runner.run(plan).trace;
        for (const operation_record& op : happened.operations) {
            const std::pair name(op.id.kind, op.id.name);
            if (std::find(operations_.begin(), operations_.end(), name) == operations_.end())
                operations_.push_back(name);
        }
        return happened;
    };
    constexpr std::size_t runs_max = 500;
    std::vector<operation_id> clean;
    for (const operation_record& op : learn({}).operations)
        if (clean.size() < runs_max - 1 && !op.in_probe)
            clean.push_back(op.id);
    for (const operation_id& id : clean) {
        fault_plan one;
        one.perturbations.push_back({.at = id, .what = operation_fault{fault::fail("io_error")}});
        learn(one);
    }
    std::sort(operations_.begin(), operations_.end(), [](const auto& a, const auto& b) {
        return std::pair(a.first.text(), a.second.text()) < std::pair(b.first.text(), b.second.text());
    });
}

fault_plan fuzz_format::plan_of(std::span<const std::uint8_t> bytes) const
{
    fault_plan plan;
    byte_reader in(bytes.first(std::min(bytes.size(), header_size)));
    if (const std::uint32_t clients = in.take(); promises_.serves_clients() && clients != 0)
        plan.clients = 1 + (clients - 1) % (clients_ + 1);
    const std::uint32_t clients = plan.clients != 0 ? plan.clients : clients_;
    const std::uint32_t way = in.take();
    if (clients > 1 && promises_.serves_clients()) {
        plan.sequential = way % 8 == 1;
        plan.relay = way % 8 == 2;
        if (way % 8 > 2)
            plan.arrivals[static_cast<lane>(way / 8 % clients)] = duration_of(promises_, way / 8 + way % 8);
    }
    if (operations_.empty())
        return plan;
    const std::size_t choices = choices_of_any + promises_.work.abandonable;
    std::span<const std::uint8_t> rest = bytes.subspan(std::min(bytes.size(), header_size));
    for (std::size_t i = 0; i < records_max && !rest.empty(); ++i) {
        byte_reader record(rest.first(std::min(rest.size(), record_size)));
        rest = rest.subspan(std::min(rest.size(), record_size));
        const std::uint32_t what = record.take();
        const auto& [kind, name] = operations_[record.below(operations_.size())];
        // The background comes after the clients.
        const auto client = static_cast<lane>(record.below(clients + 1));
        const operation_id at{
            .lane = static_cast<std::uint32_t>(client) == clients ? background_lane : client,
            .kind = kind,
            .name = name,
            .occurrence = 1 + record.below(occurrences_max)};
        const std::uint32_t parameter = record.take();
        const std::uint32_t extra = record.take();
        if (what == 0)
            continue;
        const auto strike = [&](const fault& chosen) {
            if (!plan.find(at))
                plan.perturbations.push_back({.at = at, .what = operation_fault{chosen}});
        };
        const auto interrupt = [&](interruption::action how) {
            constexpr moment moments[] = {moment::queued, moment::after};
            plan.perturbations.push_back({.at = at,
                .what = interruption{.what = how,
                    .client = static_cast<lane>(parameter % clients),
                    .when = moments[extra % 2],
                    .steps = extra / 2 % 8}});
        };
        switch (static_cast<choice_of>((what - 1) % choices)) {
        case choice_of::fail:
            strike(fault::fail(
                error_of(parameter), extra == 0 ? duration(0) : duration_of(promises_, extra - 1)));
            break;
        case choice_of::fail_after_effect:
            strike(fault::fail_after_effect(error_of(parameter)));
            break;
        case choice_of::hang:
            strike(fault::hang());
            break;
        case choice_of::delay:
            strike(fault::delay(duration_of(promises_, parameter)));
            break;
        case choice_of::cancel:
            strike(fault::cancel());
            break;
        case choice_of::ok_now:
            strike(fault::ok_now());
            break;
        case choice_of::bad_alloc:
            strike(fault::bad_alloc());
            break;
        case choice_of::interrupt:
            interrupt(interruption::action::cancel);
            break;
        case choice_of::abandon:
            interrupt(interruption::action::abandon);
            break;
        case choice_of::deviate:
            if (const auto first = static_cast<lane>(parameter % clients); first != at.lane)
                plan.perturbations.push_back(
                    {.at = at, .what = deviation{.first = first, .steps = 1 + extra % 8}});
            break;
        }
    }
    return plan;
}

namespace {

/// Everything that one fuzz target keeps.
struct target
{
    explicit target(const manager& what) : under_test(what), format(what), runner(what, what.promises, {}) {}

    const manager& under_test;
    fuzz_format format;
    detail::runner runner;
};

/// Which event followed which, of what operation: so that a fuzzer is led on even where the manager's own
/// code is not instrumented.
void count_features(const trace& happened)
{
    std::uint64_t before = 0;
    for (const event& e : happened.events) {
        std::uint64_t now = static_cast<std::uint64_t>(e.kind);
        if (e.kind == event_kind::started || e.kind == event_kind::completed) {
            const operation_record& op = happened.operations[e.subject];
            now = detail::mix(detail::mix(now, op.id.kind.stable_hash()), op.id.name.stable_hash());
            now = detail::mix(now, static_cast<std::uint64_t>(op.result));
        }
        ++features[detail::mix(before, now) % features.size()];
        before = now;
    }
}

[[noreturn]] void tell_and_abort(const manager& under_test, const fault_plan& plan)
{
    detail::campaign campaign(under_test, {}, {}, under_test.name);
    campaign.run(plan, [](const run_result&) {});
    const campaign_result found = campaign.finish();
    for (const counterexample& c : found.counterexamples) {
        std::string saved;
        try {
            saved = save_counterexample(c, "mishap-failures");
        } catch (const std::exception& e) {
            saved = e.what();
        }
        fmt::print(stderr, "{}\n", report(c, {.saved = saved}));
    }
    if (found.counterexamples.empty())
        fmt::print(stderr, "a violation was seen once, and not again: {}\n",
            to_string(replay_token{under_test.name, plan}));
    std::abort();
}

} // namespace

int fuzz_one_input(std::string_view manager, const std::uint8_t* data, std::size_t size)
{
    static std::unique_ptr<target> here;
    try {
        if (!here || here->under_test.name != manager)
            here = std::make_unique<target>(get_manager(manager));
        const fault_plan plan = here->format.plan_of({data, size});
        const run_result& done = here->runner.run(plan);
        count_features(done.trace);
        if (done.holds())
            return 0;
    } catch (const std::exception& e) {
        fmt::print(stderr, "mishap: error: {}\n", e.what());
        std::exit(2);
    }
    tell_and_abort(here->under_test, here->format.plan_of({data, size}));
}

} // namespace mishap
