// SPDX-License-Identifier: MIT
// Goal: every sequence of bytes is a plan that can be written and read back and run; a byte that changes
// changes one perturbation; and bytes reach every kind of perturbation. Method: bytes from a generator,
// against a manager of one client and one of several.

#include "support/under_test.hpp"

#include <mishap/fuzz.hpp>

#include <cstdint>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace {

using namespace selftest;
using bytes = std::vector<std::uint8_t>;

const mishap::manager session(
    "session",
    [](environment& env) -> awaitable<void> {
        mock_resource one("session");
        co_await with_cleanup(
            [&]() -> awaitable<void> {
                co_await one.create();
                co_await env.body()(one);
            },
            [&]() -> awaitable<void> { co_await one.close(); });
    },
    patient);

const mishap::manager several("several",
    [](environment& env) -> awaitable<void> {
        co_await env.clients([&](mishap::client& client) -> awaitable<void> {
            mock_resource one("session");
            co_await with_cleanup(
                [&]() -> awaitable<void> {
                    co_await one.create();
                    co_await client.body(one);
                },
                [&]() -> awaitable<void> { co_await one.close(); });
        });
    },
    {.time = {.unbounded = {phase::create, phase::close}},
        .capacity = {.clients = 3},
        .work = {.abandonable = true}});

std::string plan_of(const mishap::fuzz_format& format, const bytes& input)
{
    return mishap::to_string(format.plan_of(input));
}

TEST(fuzz_format, makes_a_plan_of_any_bytes)
{
    for (const mishap::manager* under_test : {&session, &several}) {
        const mishap::fuzz_format format(*under_test);
        std::mt19937 draw(7);
        for (int round = 0; round < 2000; ++round) {
            bytes input(draw() % 140);
            for (std::uint8_t& one : input)
                one = static_cast<std::uint8_t>(draw());
            const mishap::fault_plan plan = format.plan_of(input);
            ASSERT_EQ(mishap::parse_plan(mishap::to_string(plan)), plan) << mishap::to_string(plan);
            EXPECT_LE(plan.perturbations.size(), 16u);
            if (round % 20 == 0) {
                mishap::run(*under_test, plan);
            }
        }
    }
}

TEST(fuzz_format, knows_the_operations_of_the_manager)
{
    const mishap::fuzz_format format(session);
    std::set<std::string> names;
    for (const auto& [kind, name] : format.operations())
        names.insert(std::string(name.text()));
    EXPECT_TRUE(names.contains("create"));
    EXPECT_TRUE(names.contains("close"));
    EXPECT_EQ(plan_of(format, {}), "");
    EXPECT_EQ(plan_of(format, bytes(200)), "");
}

TEST(fuzz_format, changes_one_perturbation_where_one_byte_changes)
{
    const mishap::fuzz_format format(several);
    std::mt19937 draw(3);
    for (int round = 0; round < 500; ++round) {
        bytes input(2 + 6 * 8);
        for (std::size_t i = 2; i < input.size(); ++i)
            input[i] = static_cast<std::uint8_t>(draw());
        // Records that cannot be twice at one operation, so that none gives way to another.
        for (std::size_t record = 0; record < 8; ++record)
            input[2 + 6 * record + 3] = static_cast<std::uint8_t>(record);
        const auto before = format.plan_of(input).perturbations;
        const std::size_t where = 2 + draw() % (input.size() - 2);
        if ((where - 2) % 6 == 3)
            continue;
        input[where] = static_cast<std::uint8_t>(draw());
        const auto after = format.plan_of(input).perturbations;
        std::size_t kept = 0;
        for (const mishap::perturbation& p : before)
            kept += std::find(after.begin(), after.end(), p) != after.end();
        EXPECT_GE(kept + 1, before.size());
        EXPECT_LE(after.size(), before.size() + 1);
    }
}

TEST(fuzz_format, reaches_every_kind_of_perturbation)
{
    const mishap::fuzz_format format(several);
    std::set<std::string> words;
    for (int what = 1; what < 256; ++what)
        for (const std::uint8_t lane : {0, 1, 3}) {
            const std::string plan = plan_of(
                format, {0, 0, static_cast<std::uint8_t>(what), 2, lane, 0, static_cast<std::uint8_t>(2), 1});
            for (const char* word : {"=fail(", "=fail_after_effect(", "=hang", "=delay(", "=cancel",
                     "=ok_now", "=bad_alloc", "cancel(", "run(", "abandon("})
                if (plan.find(word) != std::string::npos)
                    words.insert(word);
        }
    EXPECT_EQ(words.size(), 10u) << testing::PrintToString(words);
    EXPECT_EQ(plan_of(format, {0, 1}), "sequential");
    EXPECT_EQ(plan_of(format, {2, 2}), "clients(2) relay");
}

} // namespace
