// SPDX-License-Identifier: MIT
// Goal: a counterexample that is saved as a scenario file says the same as its plan, whatever the plan holds.
// Method: plans of every part are put into a counterexample, written, read back and compared.

#include "generators.hpp"

#include <mishap/manager.hpp>
#include <mishap/report.hpp>
#include <mishap/resource.hpp>
#include <mishap/scenario.hpp>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <set>

namespace {

MISHAP_MANAGER(saved_session, mishap::environment&)
{
    mishap::mock_resource session("session");
    co_await session.create();
    co_await session.close();
}

/// Everything that YAML takes for structure somewhere, and what terminals obey.
rc::Gen<std::string> odd_texts()
{
    return rc::gen::container<std::string>(
        rc::gen::elementOf(std::string("ab \":#\n\t\r\\'{}[]-?*&!|>%@`,~=\x1b\x7f")));
}

RC_GTEST_PROP(counterexample, reads_back_as_the_plan_that_it_was, ())
{
    mishap::counterexample c;
    c.invariant = "completes";
    c.minimal.manager = "saved_session";
    mishap::fault_plan plan = *selftest::written_plans();
    plan.lazy.reset(); // what fired has none
    // A body fails once, so no plan that fired says it twice.
    std::set<mishap::operation_id, bool (*)(const mishap::operation_id&, const mishap::operation_id&)> bodies(
        [](const auto& a, const auto& b) { return mishap::to_string(a) < mishap::to_string(b); });
    std::erase_if(plan.perturbations, [&](const mishap::perturbation& p) {
        const mishap::operation_id what = p.fails_body() ? mishap::body_operation(p.at.lane) : p.at;
        return p.is_fault() && !bodies.insert(what).second;
    });
    // What YAML cannot hold, such as bytes that are no UTF-8, is not what this is about.
    for (auto& [name, value] : plan.settings)
        value = *rc::gen::oneOf(rc::gen::just(std::string()), selftest::words(), odd_texts());
    std::map<std::string, std::string, std::less<>> named;
    for (const auto& [name, value] : plan.settings)
        named[*rc::gen::oneOf(selftest::words(), rc::gen::nonEmpty(odd_texts()))] = value;
    plan.settings = named;
    plan.invalid_settings.clear();
    for (const auto& [name, value] : named)
        if (value.size() % 2 == 1)
            plan.invalid_settings.insert(name);
    // Clients come at a time of their own where they are, and several.
    if (!plan.arrivals.empty())
        plan.clients = 100;
    c.minimal.fired = plan;
    mishap::fault_plan read = mishap::parse_scenario(mishap::to_scenario(c), "saved.yaml").plan;
    // A file lists kinds of perturbations one after the other.
    for (mishap::fault_plan* p : {&plan, &read})
        std::sort(p->perturbations.begin(), p->perturbations.end(),
            [](const mishap::perturbation& a, const mishap::perturbation& b) {
                const auto text = [](const mishap::perturbation& one) {
                    mishap::fault_plan alone;
                    alone.perturbations = {one};
                    return mishap::to_string(alone);
                };
                return text(a) < text(b);
            });
    RC_ASSERT(mishap::to_string(read) == mishap::to_string(plan));
}

} // namespace
