// SPDX-License-Identifier: MIT
#include "generators.hpp"

#include <mishap/duration.hpp>
#include <mishap/error.hpp>

#include <algorithm>
#include <tuple>

namespace selftest {

namespace gen = rc::gen;
using mishap::fault;
using mishap::fault_plan;
using mishap::operation_id;
using mishap::perturbation;

rc::Gen<std::string> words()
{
    return gen::nonEmpty(gen::container<std::string>(gen::elementOf(std::string("abcxyzABCXYZ0189_"))));
}

namespace {

rc::Gen<operation_id> operations_of_resources()
{
    return gen::map(
        gen::tuple(gen::element<mishap::lane>(0, 0, 0, 1, 2, 999, mishap::background_lane), words(), words(),
            gen::inRange<std::uint32_t>(1, 1'000'001), gen::inRange<std::uint32_t>(1, 4)),
        [](const auto& drawn) {
            const auto& [lane, kind, name, occurrence, attempt] = drawn;
            return operation_id{lane, kind, name, occurrence, attempt};
        });
}

rc::Gen<perturbation> perturbations()
{
    const auto plain = gen::map(gen::pair(operations(), faults()), [](const auto& drawn) {
        return perturbation{.at = drawn.first, .what = mishap::operation_fault{drawn.second}};
    });
    const auto of_body = gen::map(
        gen::pair(operations_of_resources(), gen::elementOf(mishap::error_names())), [](const auto& drawn) {
            return perturbation{.at = drawn.first, .what = mishap::body_failure{.error = drawn.second}};
        });
    using mishap::interruption;
    using mishap::moment;
    const auto cancelled =
        gen::map(gen::tuple(operations(), gen::element<mishap::lane>(0, 1, 99),
                     gen::element(moment::before, moment::queued, moment::after, moment::steps),
                     gen::inRange<std::uint32_t>(0, 1'000),
                     gen::element(mishap::cancellation::terminal, mishap::cancellation::partial,
                         mishap::cancellation::total)),
            [](const auto& drawn) {
                const auto& [at, client, when, steps, type] = drawn;
                return perturbation{.at = when == moment::steps ? operation_id() : at,
                    .what = interruption{.client = client, .when = when, .steps = steps, .type = type}};
            });
    const auto abandoned = gen::map(
        gen::tuple(operations(), gen::element<mishap::lane>(0, 1, 99, mishap::whole_world),
            gen::element(moment::queued, moment::after, moment::steps),
            gen::inRange<std::uint32_t>(0, 1'000)),
        [](const auto& drawn) {
            const auto& [at, client, when, steps] = drawn;
            return perturbation{.at = when == moment::steps ? operation_id() : at,
                .what = interruption{
                    .what = interruption::action::abandon, .client = client, .when = when, .steps = steps}};
        });
    const auto held_back =
        gen::map(gen::pair(operations(), gen::inRange<std::uint32_t>(1, 1'000)), [](const auto& drawn) {
            const mishap::lane first = drawn.first.lane == 0 ? mishap::lane(3) : mishap::lane(0);
            return perturbation{
                .at = drawn.first, .what = mishap::deviation{.first = first, .steps = drawn.second}};
        });
    return gen::weightedOneOf<perturbation>(
        {{4, plain}, {1, of_body}, {1, cancelled}, {1, abandoned}, {1, held_back}});
}

rc::Gen<std::optional<mishap::lazy_faults>> draws()
{
    const auto some = gen::map(
        gen::tuple(gen::arbitrary<std::uint64_t>(), gen::inRange<std::uint32_t>(0, 1'001),
            gen::container<std::array<std::uint8_t, mishap::fault_kinds - 1>>(gen::arbitrary<std::uint8_t>()),
            gen::arbitrary<std::uint32_t>()),
        [](const auto& drawn) {
            const auto& [seed, per_mille, weights, at_most] = drawn;
            mishap::lazy_faults lazy{.seed = seed, .per_mille = per_mille, .at_most = at_most};
            std::copy(weights.begin(), weights.end(), lazy.weights.begin() + 1);
            return std::optional(lazy);
        });
    return gen::oneOf(gen::just(std::optional<mishap::lazy_faults>()), some);
}

rc::Gen<std::optional<mishap::drawn_schedule>> schedules()
{
    using mishap::schedule_kind;
    const auto some = gen::map(gen::tuple(gen::arbitrary<std::uint64_t>(), gen::inRange<std::uint32_t>(0, 17),
                                   gen::arbitrary<std::uint32_t>()),
        [](const auto& drawn) {
            const auto& [seed, depth, operations] = drawn;
            const auto kind = depth == 0 ? schedule_kind::random : schedule_kind::pct;
            return std::optional(mishap::drawn_schedule{
                .kind = kind, .seed = seed, .depth = depth, .operations = depth == 0 ? 0 : operations});
        });
    return gen::oneOf(gen::just(std::optional<mishap::drawn_schedule>()), some);
}

} // namespace

rc::Gen<operation_id> operations()
{
    const auto bodies =
        gen::map(gen::pair(gen::element<mishap::lane>(0, 1), gen::inRange<std::uint32_t>(1, 10)),
            [](const auto& drawn) { return mishap::body_operation(drawn.first, drawn.second); });
    return gen::weightedOneOf<operation_id>({{4, operations_of_resources()}, {1, bodies}});
}

rc::Gen<fault> faults()
{
    const auto durations = gen::map(gen::inRange<std::int64_t>(0, mishap::duration::max().count()),
        [](std::int64_t count) { return mishap::duration(count); });
    const auto failures = gen::tuple(gen::elementOf(mishap::error_names()),
        gen::oneOf(gen::just(mishap::duration(0)), durations), gen::arbitrary<bool>());
    return gen::oneOf(gen::element(fault{}, fault::ok_now(), fault::hang(), fault::deaf(), fault::empty(),
                          fault::bad_alloc(), fault::cancel(), fault::cancel(mishap::cancellation::partial),
                          fault::cancel(mishap::cancellation::total)),
        gen::map(failures,
            [](const auto& drawn) {
                const auto& [error, after, took_effect] = drawn;
                return took_effect ? fault::fail_after_effect(error, after) : fault::fail(error, after);
            }),
        gen::map(gen::pair(durations, gen::arbitrary<bool>()), [](const auto& drawn) {
            return drawn.second ? fault::delay(drawn.first) : fault::late(drawn.first);
        }));
}

rc::Gen<fault_plan> written_plans()
{
    return gen::map(
        gen::tuple(gen::container<std::vector<perturbation>>(perturbations()),
            gen::pair(draws(), schedules()),
            gen::container<std::map<std::string, std::string, std::less<>>>(
                gen::nonEmpty<std::string>(), gen::arbitrary<std::string>()),
            gen::container<std::map<mishap::lane, mishap::duration>>(gen::inRange<mishap::lane>(0, 100),
                gen::map(gen::inRange<std::int64_t>(0, 1'000'000'000'000),
                    [](std::int64_t count) { return mishap::duration(count); }))),
        [](const auto& drawn) {
            fault_plan plan;
            for (const perturbation& p : std::get<0>(drawn))
                if (!p.is_fault() || !plan.find(p.at))
                    plan.perturbations.push_back(p);
            std::tie(plan.lazy, plan.schedule) = std::get<1>(drawn);
            plan.settings = std::get<2>(drawn);
            for (const auto& [name, value] : plan.settings)
                if (value.size() % 2 == 1)
                    plan.invalid_settings.insert(name);
            plan.arrivals = std::get<3>(drawn);
            return plan;
        });
}

} // namespace selftest
