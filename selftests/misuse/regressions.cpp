// SPDX-License-Identifier: MIT
// Goal: counterexamples that were saved are tried first the next time: those that hold are called mended,
// those that break something fail the campaign, even where it does not find them itself. Files in folders
// `regressions` are tests of their own and come first; `require` fails what never reached it. Method: child
// processes; exit code and text are asserted.

#include "child.hpp"

#include <string>

namespace {

using misuse::says;

constexpr const char* mended = "mishap: 1\nmanager: good_cleanup\nfaults: {resource.use: fail io_error}\n";
constexpr const char* violating_case =
    "mishap: 1\nmanager: bad_cleanup\nfaults: {resource.use: fail io_error, resource.close: fail io_error}\n";

class regressions : public misuse::in_fresh_folder
{};

TEST_F(regressions, what_holds_now_is_mended)
{
    write("mishap-failures/good_cleanup_completes_0001.yaml", mended);
    write("mishap-failures/bad_cleanup_preserves_error_0001.yaml", violating_case); // of another manager
    for (const char* command : {"sweep", "random"}) {
        const misuse::ended child = mishap({command, "good_cleanup"});
        EXPECT_EQ(child.code, 0) << child.out << child.err;
        EXPECT_TRUE(
            child.out.starts_with("mended    mishap-failures/good_cleanup_completes_0001.yaml holds now"))
            << child.out;
        EXPECT_FALSE(says(child.out, "bad_cleanup"));
    }
}

TEST_F(regressions, what_breaks_still_is_found_by_a_campaign_too_small_to_find_it)
{
    write("mishap-failures/bad_cleanup_preserves_error_0001.yaml", violating_case);
    const misuse::ended child = mishap({"sweep", "bad_cleanup", "--perturbations", "0"});
    EXPECT_EQ(child.code, 1) << child.out << child.err;
    EXPECT_TRUE(
        child.out.starts_with("again     mishap-failures/bad_cleanup_preserves_error_0001.yaml breaks "))
        << child.out;
    EXPECT_TRUE(says(child.out, "bad_cleanup breaks ")) << "its report";
}

TEST_F(regressions, what_the_campaign_finds_itself_is_told_once)
{
    const misuse::ended first = mishap({"sweep", "bad_cleanup"});
    EXPECT_EQ(first.code, 1);
    ASSERT_FALSE(files_in("mishap-failures").empty());
    const misuse::ended second = mishap({"sweep", "bad_cleanup"});
    EXPECT_EQ(second.code, 1);
    std::string rest = second.out;
    for (const std::string& file : files_in("mishap-failures")) {
        EXPECT_TRUE(says(rest, "again     mishap-failures/" + file));
        const auto end = rest.find('\n', rest.find("again     mishap-failures/" + file));
        rest.erase(rest.find("again     mishap-failures/" + file),
            end + 1 - rest.find("again     mishap-failures/" + file));
    }
    EXPECT_EQ(misuse::without_time(rest), misuse::without_time(first.out));
}

TEST_F(regressions, what_cannot_be_used_is_stale_and_no_failure)
{
    write("mishap-failures/good_cleanup_a.yaml",
        "mishap: 1\nmanager: good_cleanup\nfaults: {resource.usee: hang}\n");
    write("mishap-failures/good_cleanup_b.yaml", "[");
    const misuse::ended child = mishap({"sweep", "good_cleanup", "--perturbations", "1"});
    EXPECT_EQ(child.code, 0) << child.out << child.err;
    EXPECT_TRUE(says(child.out, "stale     mishap-failures/good_cleanup_a.yaml: invalid"));
    EXPECT_TRUE(says(child.out, "stale     mishap-failures/good_cleanup_b.yaml:1:"));
}

TEST_F(regressions, explorations_of_scenarios_try_them_too)
{
    write("explores.yaml", "mishap: 1\nmanager: bad_cleanup\nexplore: {sweep: {perturbations: 0}}\n");
    EXPECT_EQ(mishap({"run", "explores.yaml"}).code, 0);
    write("mishap-failures/bad_cleanup_preserves_error_0001.yaml", violating_case);
    const misuse::ended child = mishap({"run", "explores.yaml"});
    EXPECT_EQ(child.code, 1) << child.out;
    EXPECT_TRUE(says(child.out, "again     mishap-failures/bad_cleanup_preserves_error_0001.yaml"));
    EXPECT_EQ(mishap({"run", "explores.yaml", "--save", "elsewhere"}).code, 0);
}

TEST_F(regressions, of_other_terms_are_none_of_its_business)
{
    write("explores.yaml", "mishap: 1\nmanager: bad_cleanup\ncontract: {suppresses: [timed_out]}\n"
                           "explore: {sweep: {perturbations: 0}}\n");
    write("mishap-failures/bad_cleanup_preserves_error_0001.yaml", violating_case);
    const misuse::ended child = mishap({"run", "explores.yaml"});
    EXPECT_EQ(child.code, 0) << child.out << child.err;
    EXPECT_FALSE(says(child.out, "again"));
}

TEST_F(regressions, in_a_folder_of_that_name_are_tests_that_come_first)
{
    write("all/a.yaml", mended);
    write("all/regressions/z.yaml", violating_case);
    const misuse::ended child = mishap({"run", "all"});
    EXPECT_EQ(child.code, 1);
    EXPECT_LT(child.out.find("FAILED all/regressions/z.yaml"), child.out.find("ok     all/a.yaml"))
        << child.out;
}

TEST_F(regressions, obligations_of_a_scenario_fail_it)
{
    write("met.yaml", "mishap: 1\nmanager: good_cleanup\nrequire: [resource.close: hang, resource.use]\n"
                      "explore: {sweep: {perturbations: 1}}\n");
    EXPECT_EQ(mishap({"run", "met.yaml"}).code, 0);
    write("unmet.yaml", "mishap: 1\nmanager: good_cleanup\nrequire: {resource.close: deaf}\n"
                        "explore: {sweep: {perturbations: 1}}\n");
    const misuse::ended child = mishap({"run", "unmet.yaml"});
    EXPECT_EQ(child.code, 1);
    EXPECT_TRUE(says(child.out, "required, and never reached: resource.close: deaf"));
    const misuse::ended swept = mishap(
        {"sweep", "good_cleanup", "--perturbations", "1", "--require", "resource.use,resource.close: deaf"});
    EXPECT_EQ(swept.code, 1);
    EXPECT_TRUE(says(swept.out, "resource.close: deaf NEVER"));
}

TEST_F(regressions, obligations_that_mean_nothing_are_refused_with_their_place)
{
    write("a.yaml", "mishap: 1\nmanager: good_cleanup\nrequire:\n  - resource.close: hng\n"
                    "explore: {sweep: {}}\n");
    const misuse::ended child = mishap({"run", "a.yaml"});
    EXPECT_EQ(child.code, 2);
    EXPECT_TRUE(says(child.err, "a.yaml:4:5: ")) << child.err;
    write("b.yaml", "mishap: 1\nmanager: good_cleanup\nrequire: [resource.close: hang]\nfaults: {}\n");
    EXPECT_TRUE(says(mishap({"run", "b.yaml"}).err, "write 'require' beside explore"));
}

} // namespace
