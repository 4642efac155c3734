// SPDX-License-Identifier: MIT
// Goal: managers are known by the name, place and contract with which they were registered, whatever came
// first. Method: registrations in this file, and some made by hand that must be refused.

#include "refusal.hpp"

#include <mishap/environment.hpp>
#include <mishap/manager.hpp>
#include <mishap/run.hpp>

#include <algorithm>

using namespace std::chrono_literals;

namespace {
constexpr int line = __LINE__;
}
MISHAP_CONTRACT(promises_first){.time = {.create = 5s}};
MISHAP_MANAGER(promises_first, mishap::environment& env) { co_await env.body()(); }
MISHAP_MANAGER(promises_last, mishap::environment& env) { co_await env.body()(); }
MISHAP_CONTRACT(promises_last){.time = {.close = 6s}, .work = {.uses = {"query", "query"}}};
MISHAP_MANAGER(promises_nothing, mishap::environment& env) { co_await env.body()(); }

namespace {

using selftest::expect_refused;

TEST(manager, is_found_by_name_with_its_place)
{
    const mishap::manager& found = mishap::get_manager("promises_nothing");
    EXPECT_EQ(found.name, "promises_nothing");
    EXPECT_TRUE(found.file.ends_with("manager.cpp"));
    EXPECT_EQ(found.line, line + 6);
    EXPECT_TRUE(mishap::run(found, {}).holds());
    EXPECT_EQ(mishap::run(found, {}).manager, "promises_nothing");
}

TEST(manager, has_its_contract_whichever_came_first)
{
    EXPECT_EQ(mishap::get_manager("promises_first").promises.time.create, 5s);
    EXPECT_EQ(mishap::get_manager("promises_last").promises.time.close, 6s);
    EXPECT_EQ(mishap::get_manager("promises_last").promises.work.uses,
        (std::vector<std::string>{"query", "query"}));
    EXPECT_EQ(mishap::get_manager("promises_nothing").promises.time.create, std::nullopt);
}

TEST(manager, names_are_listed_in_order)
{
    const auto names = mishap::manager_names();
    EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
    EXPECT_EQ(std::count(names.begin(), names.end(), "promises_first"), 1);
}

TEST(manager, an_unknown_one_is_refused_with_its_neighbour)
{
    expect_refused([] { mishap::get_manager("promises_frist"); }, 0,
        {"unknown manager 'promises_frist'", "did you mean 'promises_first'?", "promises_nothing"});
}

TEST(manager, a_second_of_one_name_is_an_error_and_the_first_stays)
{
    const auto before = mishap::registration_errors().size();
    mishap::manager again("promises_first", [](mishap::environment& env) { return env.body()(); });
    again.file = "elsewhere.cpp";
    again.line = 7;
    mishap::register_manager(std::move(again));
    const auto& errors = mishap::registration_errors();
    ASSERT_EQ(errors.size(), before + 1);
    EXPECT_EQ(
        errors.back().find("elsewhere.cpp:7: a manager named 'promises_first' is registered already at "), 0u)
        << errors.back();
    EXPECT_TRUE(errors.back().ends_with("manager.cpp:" + std::to_string(line + 3))) << errors.back();
    EXPECT_EQ(mishap::get_manager("promises_first").promises.time.create, 5s);
}

TEST(manager, a_contract_of_nobody_is_an_error)
{
    mishap::detail::contract_registration{"promises_nothin"} = mishap::contract();
    const auto& errors = mishap::registration_errors();
    ASSERT_FALSE(errors.empty());
    EXPECT_NE(errors.back().find(
                  "MISHAP_CONTRACT(promises_nothin): unknown manager 'promises_nothin'; did you mean "
                  "'promises_nothing'?"),
        std::string::npos)
        << errors.back();
}

} // namespace
