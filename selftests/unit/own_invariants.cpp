// SPDX-License-Identifier: MIT
// Goal: a rule of a user's own is as good as one of mishap's: every run is judged by it, it is selected,
// shrunk, saved and reported alike, and one that is wrong itself does no harm. Method: rules registered here,
// and in the file that scenarios/README.md shows, over small managers; scenarios are read from text.

#include "refusal.hpp"
#include "support/under_test.hpp"

#include "invariant/document_rules.hpp"

#include <mishap/account.hpp>
#include <mishap/duration.hpp>
#include <mishap/gtest.hpp>
#include <mishap/invariant.hpp>
#include <mishap/report.hpp>
#include <mishap/scenario.hpp>

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <stdexcept>
#include <string>

namespace {

using namespace selftest;
using mishap::evidence;
using mishap::violation;

MISHAP_INVARIANT(throws_at_notes, "nobody writes notes", const evidence& e, std::vector<violation>&)
{
    if (!e.trace.notes.empty())
        throw std::out_of_range("a note");
}

MISHAP_INVARIANT(speaks_of_nothing, "nobody uses a resource that is called odd", const evidence& e,
    std::vector<violation>& found)
{
    for (const mishap::operation_record& op : e.trace.operations)
        if (op.id.kind == "odd" && op.role == mishap::role::use)
            found.push_back({.sentence = "it was used",
                .lane = op.id.lane,
                .resource = 4711,
                .proof = {{4711, "there is no such event"}, {mishap::none, "nor this"}}});
}

// What the account says of a run, as violations: why its client may end with an error, how long it waited for
// what, and what there was.
MISHAP_INVARIANT(goes_unexplained, "nothing that is called explained goes wrong", const evidence& e,
    std::vector<violation>& found)
{
    const auto is_explained = [&](mishap::index operation) {
        return operation != mishap::none && e.trace.operations[operation].id.kind == "explained";
    };
    for (const mishap::reason& r : e.account.client(0).reasons)
        if (is_explained(r.operation))
            found.push_back(e.broken_by(e.trace.operations[r.operation],
                r.is_owed() ? "must be told" : "need not be told: " + std::string(r.waived->name)));
    for (mishap::index i = 0; i < e.trace.operations.size(); ++i) {
        const mishap::operation_account& op = e.account.operations()[i];
        if (is_explained(i) && op.how == mishap::wait_end::struck)
            found.push_back(e.broken_by(e.trace.operations[i],
                "was struck after " +
                    mishap::to_string(e.trace.time_of(op.waited.to) - e.trace.time_of(op.waited.from))));
    }
    for (mishap::index i = 0; i < e.trace.bodies.size(); ++i) {
        const mishap::supply& there = e.account.supply_at(e.trace.bodies[i].entered);
        if (there.inside != 1 || there.open > 1 || e.account.stays()[i].nested)
            found.push_back({.sentence = "there is more than one client, or resource"});
    }
}

awaitable<void> is_explained(environment& env)
{
    mock_resource session("explained");
    co_await session.create();
    std::exception_ptr error;
    try {
        try {
            co_await session.maintain("ping");
        } catch (const std::runtime_error&) {
        }
        co_await env.body()(session);
    } catch (...) {
        error = std::current_exception();
    }
    co_await shield();
    co_await session.close();
    if (error)
        std::rethrow_exception(error);
}

awaitable<void> asks_twice(environment& env)
{
    mock_resource session("session");
    co_await session.create();
    std::exception_ptr error;
    try {
        co_await env.body()(session);
        co_await session.use("ask");
    } catch (...) {
        error = std::current_exception();
    }
    co_await shield();
    try {
        co_await session.close();
    } catch (...) {
        env.report(std::current_exception());
    }
    if (error)
        std::rethrow_exception(error);
}

awaitable<void> writes_a_note(environment& env)
{
    co_await right(env);
    env.note("anything");
}

awaitable<void> uses_something_odd(environment&)
{
    mock_resource odd("odd");
    co_await odd.create();
    co_await odd.use("use");
    co_await odd.close();
}

MISHAP_CONTRACT(asking){.time = {.unbounded = {phase::create, phase::close}}, .work = {.uses = {"ask"}}};
MISHAP_MANAGER(asking, environment& env) { co_await asks_twice(env); }

/// Where the resource is left open, besides.
MISHAP_CONTRACT(leaking){.time = {.unbounded = {phase::create, phase::close}}};
MISHAP_MANAGER(leaking, environment& env)
{
    mock_resource session("session");
    co_await session.create();
    co_await env.body()(session);
    co_await session.use("use");
}

/// Where its client never comes back.
MISHAP_CONTRACT(hanging){.time = {.unbounded = {phase::create}}};
MISHAP_MANAGER(hanging, environment& env)
{
    mock_resource session("session");
    co_await session.create();
    co_await env.body()(session);
    co_await session.use("use");
    co_await shield();
    co_await session.close();
}

constexpr const char* hanging_close = "session.close=hang";

mishap::scenario_result run_text(const std::string& text)
{
    return mishap::run_scenario(mishap::parse_scenario("mishap: 1\n" + text, "text.yaml"), {.save_to = ""});
}

TEST(own_invariant, is_judged_in_every_run)
{
    EXPECT_TRUE(breaks_only(run_under("", asks_twice), "asks_once"));
    EXPECT_EQ(sentence_of(run_under("", asks_twice)), "session.ask#1 asks once more");
    EXPECT_TRUE(holds(run_under("", right)));
}

// The account is what mishap's own rules read.
TEST(own_invariant, reads_the_account)
{
    EXPECT_TRUE(holds(run_under("", is_explained)));
    const run_result owed = run_under("explained.create=fail(io_error)", is_explained);
    EXPECT_TRUE(breaks_only(owed, "goes_unexplained"));
    EXPECT_EQ(sentence_of(owed), "must be told");
    const run_result waived = run_under("explained.ping=fail(io_error)", is_explained);
    EXPECT_TRUE(breaks_only(waived, "goes_unexplained"));
    EXPECT_EQ(sentence_of(waived), "need not be told: on_the_side");
    EXPECT_EQ(sentence_of(run_under("explained.create=cancel", is_explained)), "was struck after 0s");
}

TEST(waivers, have_names_and_sentences_of_their_own)
{
    std::set<std::string_view> names;
    for (const mishap::waiver* one : mishap::waivers()) {
        EXPECT_TRUE(names.insert(one->name).second) << one->name << " stands there twice";
        EXPECT_TRUE(one->sentence.ends_with('.')) << one->name;
    }
    EXPECT_EQ(names.size(), 27U);
}

TEST(own_invariant, comes_after_mishaps_own)
{
    const run_result done = mishap::run(mishap::get_manager("leaking"), {});
    ASSERT_EQ(done.verdict.violations.size(), 2U);
    EXPECT_EQ(done.verdict.violations[0].invariant, "closes_everything");
    EXPECT_EQ(done.verdict.violations[1].invariant, "asks_once");
}

TEST(own_invariant, is_listed_after_mishaps_own)
{
    const auto all = mishap::invariants();
    EXPECT_EQ(all.front().name, "leaves_the_simulation");
    const auto found =
        std::find_if(all.begin(), all.end(), [](const auto& i) { return i.name == "asks_once"; });
    ASSERT_NE(found, all.end());
    EXPECT_EQ(found->rule, "a client asks each resource once");
}

TEST(own_invariant, that_throws_is_broken)
{
    const run_result done = run_under("", writes_a_note);
    EXPECT_TRUE(breaks_only(done, "throws_at_notes"));
    EXPECT_EQ(sentence_of(done), "the rule itself threw std::out_of_range (a note)");
    EXPECT_NE(mishap::report(done, done.verdict.violations.front()).find("breaks throws_at_notes"),
        std::string::npos);
}

TEST(own_invariant, may_speak_of_what_is_not_there)
{
    const run_result done = run_under("", uses_something_odd);
    EXPECT_TRUE(breaks_only(done, "speaks_of_nothing"));
    EXPECT_EQ(done.verdict.violations.front().resource, mishap::none);
    EXPECT_TRUE(done.verdict.violations.front().proof.empty());
    EXPECT_TRUE(mishap::sweep(uses_something_odd, {.contract = patient}).violates("speaks_of_nothing"));
}

// Whoever hangs is blamed for that alone.
TEST(own_invariant, says_nothing_about_what_follows_from_a_hang)
{
    const mishap::manager& hangs = mishap::get_manager("hanging");
    EXPECT_TRUE(breaks_only(mishap::run(hangs, {}), "asks_once"));
    EXPECT_TRUE(breaks_only(mishap::run(hangs, mishap::parse_plan(hanging_close)), "completes"));
}

TEST(own_invariant, is_shrunk_and_shown_like_others)
{
    const mishap::campaign_result found = mishap::random_campaign(
        mishap::get_manager("asking"), {.cases = 50, .seed = 1, .kinds = {mishap::fault_kind::delay}});
    ASSERT_EQ(found.counterexamples.size(), 1U);
    const mishap::counterexample& c = found.counterexamples.front();
    EXPECT_EQ(c.invariant, "asks_once");
    EXPECT_TRUE(c.minimal.fired.perturbations.empty()) << "no fault is needed";
    const std::string text = mishap::report(c);
    EXPECT_NE(text.find("asking breaks asks_once"), std::string::npos) << text;
    EXPECT_NE(text.find("<- here"), std::string::npos) << text;
}

TEST(own_invariant, can_be_expected_to_break)
{
    EXPECT_EQ(run_text("manager: asking\nfaults: {}\nexpect: {violates: asks_once}\n").status,
        mishap::scenario_status::held);
    EXPECT_EQ(run_text("manager: asking\nfaults: {}\nexpect: {violates: throws_at_notes}\n").status,
        mishap::scenario_status::failed);
}

TEST(document_rules, are_checked_by_invariants_that_exist)
{
    for (const mishap::detail::document_rule& rule : mishap::detail::document_rules())
        for (const std::string_view name : rule.checked_by)
            EXPECT_NO_THROW(mishap::select_invariants(std::vector<std::string>{std::string(name)})) << name;
}

TEST(registration, refuses_what_no_rule_could_be)
{
    const auto judge = [](const evidence&, std::vector<violation>&) {};
    const auto refuse = [](const mishap::invariant& added, std::string_view why) {
        expect_refused([&] { mishap::register_invariant(added); }, 0, {why}, std::string(added.name));
    };
    refuse({"asks_once", "again", judge}, "an invariant named 'asks_once' is registered already");
    refuse({"closes_once", "mine", judge}, "'closes_once' is an invariant of mishap's own");
    refuse({"equivalent", "mine", judge}, "'equivalent' is an invariant of mishap's own");
    refuse({"Not-a-word", "mine", judge}, "use a-z, 0-9 and _");
    refuse({"", "mine", judge}, "use a-z, 0-9 and _");
    refuse({"fine", "", judge}, "has no rule");
    refuse({"fine", "mine", nullptr}, "has no function");
}

// Where no main() of mishap's looks at the errors, no run passes for one that was judged.
TEST(registration, that_was_refused_refuses_every_run)
{
    const auto run_after_refusal = [] {
        const mishap::detail::invariant_registration again(
            {"asks_once", "again", [](const evidence&, std::vector<violation>&) {}}, "rules.cpp", 7);
        try {
            run_under("", right);
        } catch (const std::logic_error& e) {
            std::fputs(e.what(), stderr);
            std::_Exit(7);
        }
    };
    EXPECT_EXIT(run_after_refusal(), testing::ExitedWithCode(7),
        "rules.cpp:7: an invariant named 'asks_once' is registered already");
}

TEST(narrowing, judges_only_what_it_names)
{
    const mishap::manager& leaks = mishap::get_manager("leaking");
    EXPECT_TRUE(breaks_only(mishap::run(leaks, {}, {.invariants = {"asks_once"}}), "asks_once"));
    EXPECT_TRUE(
        breaks_only(mishap::run(leaks, {}, {.invariants = {"closes_everything"}}), "closes_everything"));
    EXPECT_TRUE(holds(mishap::run(leaks, {}, {.invariants = {"fair", "exclusive"}})));
    EXPECT_TRUE(mishap::sweep(leaks, {.perturbations = 1, .invariants = {"fair", "asks_once"}})
                    .violates("asks_once"));
    EXPECT_FALSE(mishap::sweep(leaks, {.perturbations = 1, .invariants = {"fair", "asks_once"}})
                     .violates("closes_everything"));
}

TEST(narrowing, keeps_what_would_make_the_verdict_worthless)
{
    const auto for_ever = [](environment& env) -> awaitable<void> {
        for (;;)
            co_await asio::post(env.executor(), asio::use_awaitable);
    };
    mishap::run_options options{.contract = patient, .limits = {.steps_max = 200}, .invariants = {"fair"}};
    EXPECT_TRUE(breaks_only(mishap::run(for_ever, {}, options), "livelock"));
}

// What follows from a hang is no violation, also where nobody asked about the hang.
TEST(narrowing, blames_no_rule_for_what_another_one_explains)
{
    const mishap::run_options options{.invariants = {"asks_once", "closes_everything"}};
    EXPECT_TRUE(
        holds(mishap::run(mishap::get_manager("hanging"), mishap::parse_plan(hanging_close), options)));
}

TEST(narrowing, refuses_unknown_names)
{
    expect_refused([] { mishap::run(right, {}, {.invariants = {"closes_evrything"}}); }, 0,
        {"unknown invariant 'closes_evrything'", "did you mean 'closes_everything'?"});
}

TEST(narrowing, is_told_by_the_scenario)
{
    const auto held = run_text("manager: leaking\nfaults: {}\ninvariants: [fair, exclusive]\n");
    EXPECT_EQ(held.status, mishap::scenario_status::held) << held.failure;
    EXPECT_EQ(held.summary, "holds (judged by fair, exclusive alone)");
    const auto swept = run_text("manager: leaking\nexplore: {sweep: {perturbations: 1}}\ninvariants: fair\n");
    EXPECT_EQ(swept.status, mishap::scenario_status::held) << swept.failure;
    EXPECT_TRUE(swept.summary.ends_with(" (judged by fair alone)")) << swept.summary;
}

TEST(narrowing, is_kept_by_what_is_saved)
{
    mishap::counterexample c;
    c.invariant = "asks_once";
    c.minimal.manager = "leaking";
    c.invariants = {"asks_once", "fair"};
    EXPECT_EQ(mishap::parse_scenario(mishap::to_scenario(c), "saved.yaml").invariants, c.invariants);
}

} // namespace
