// SPDX-License-Identifier: MIT
#include "support/under_test.hpp"

#include <mishap/report.hpp>

#include <boost/asio/use_awaitable.hpp>

namespace selftest {

awaitable<void> right(environment& env)
{
    mock_resource resource;
    co_await resource.create();
    std::exception_ptr error;
    try {
        co_await env.body()(resource);
    } catch (...) {
        error = std::current_exception();
    }
    co_await shield();
    try {
        co_await resource.close();
    } catch (...) {
        if (!error)
            throw;
        env.report(std::current_exception());
    }
    if (error)
        std::rethrow_exception(error);
}

awaitable<void> pings(mock_resource& resource) { return resource.maintain("ping"); }

awaitable<void> acquires(mock_resource& resource)
{
    co_await resource.async<void(boost::system::error_code)>(
        mishap::role::acquire, "acquire", asio::use_awaitable);
}

run_result run_under(
    std::string_view plan, mishap::adapter under_test, const contract& promises, mishap::limits bounds)
{
    const mishap::manager made("under_test", std::move(under_test), promises);
    mishap::run_options options;
    options.limits = bounds;
    return mishap::run(made, mishap::parse_plan(plan), options);
}

namespace {

std::string reports(const run_result& done)
{
    std::string text;
    for (const mishap::violation& v : done.verdict.violations)
        text += '\n' + mishap::report(done, v);
    return text.empty() ? "\nholds\n" + mishap::timeline(done) : text;
}

} // namespace

testing::AssertionResult holds(const run_result& done)
{
    if (done.holds())
        return testing::AssertionSuccess();
    return testing::AssertionFailure() << reports(done);
}

testing::AssertionResult breaks_only(const run_result& done, std::string_view invariant)
{
    const auto& all = done.verdict.violations;
    if (all.size() == 1 && all.front().invariant == invariant)
        return testing::AssertionSuccess();
    return testing::AssertionFailure() << "not " << invariant << " alone:" << reports(done);
}

testing::AssertionResult breaks_first(const run_result& done, std::string_view invariant)
{
    const auto& all = done.verdict.violations;
    if (!all.empty() && all.front().invariant == invariant)
        return testing::AssertionSuccess();
    return testing::AssertionFailure() << "not " << invariant << " first:" << reports(done);
}

testing::AssertionResult holds_under_any_two_faults(mishap::adapter under_test, const contract& promises)
{
    const mishap::manager made("under_test", std::move(under_test), promises);
    const mishap::campaign_result result =
        mishap::sweep(made, {.kinds = {mishap::fault::fail("io_error"), mishap::fault::fail("foreign"),
                                 mishap::fault::hang(), mishap::fault::delay(mishap::duration(0))}});
    if (result.holds() && result.complete)
        return testing::AssertionSuccess();
    std::string text = result.covered + ' ' + result.invalid;
    for (const mishap::counterexample& c : result.counterexamples)
        text += '\n' + mishap::report(c);
    return testing::AssertionFailure() << text;
}

std::string sentence_of(const run_result& done)
{
    return done.holds() ? "holds" : done.verdict.violations.front().sentence;
}

} // namespace selftest
