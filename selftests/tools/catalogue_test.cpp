// SPDX-License-Identifier: MIT
// Goal: in the catalogue and in the correct managers that look wrong, exactly what is wrong on purpose is
// found. Method: every managers' header of the catalogue and the correct managers, in one translation unit;
// each finding is expected below with its reason, and none else may come.

#include "support.hpp"

#include <gmock/gmock.h>

#include <algorithm>

namespace {

using namespace selftest;
using namespace mishap::tools;

/// What is wrong on purpose. Each was judged by reading, and in most cases mishap blames the same manager in
/// a run.
const std::vector<std::string> expected = {
    "close-replaces-error: scenarios/broken_rules/managers.hpp: co_await resource.close();",
    "cleanup-skipped: scenarios/broken_rules/managers.hpp: co_await outer.close();",
    "close-replaces-error: scenarios/broken_rules/managers.hpp: co_await outer.close();",
    "close-replaces-error: scenarios/broken_rules/managers.hpp: co_await inner.close();",
    "close-replaces-error: scenarios/cleanup_error/managers.hpp: co_await resource.close();",
    "cleanup-skipped: scenarios/cleanup_on_exception/managers.hpp: co_yield resource;",
    "or-as-timeout: scenarios/connection_pool/managers.hpp: "
    "auto first = co_await (available_.get() || timer.async_wait(asio::use_awaitable));",
    "close-replaces-error: scenarios/injected_manager/managers.hpp: co_await session->close();",
    "close-replaces-error: scenarios/none_resource/managers.hpp: co_await resource.close();",
    "closes-uncreated: scenarios/none_resource/managers.hpp: co_await resource.close();",
    "close-replaces-error: scenarios/pooled_connection/managers.hpp: co_await pool.release(borrowed);",
    "close-replaces-error: scenarios/resource_manager/managers.hpp: co_await resource.cleanup();",
    "close-replaces-error: scenarios/session_with_stats/managers.hpp: co_await session->close();",
    "close-replaces-error: scenarios/shared/lend_as_written.hpp: co_await resource.close();",
    "never-closed: scenarios/singleton_resource/as_written.hpp: resource_ = std::move(created);",
    "or-as-timeout: scenarios/timeout_protection/managers.hpp: "
    "const auto first = co_await (resource.create() || timer.async_wait(asio::use_awaitable));",
    "close-replaces-error: scenarios/timeout_protection/managers.hpp: co_await resource.close();",
    "closes-uncreated: scenarios/timeout_protection/managers.hpp: co_await resource.close();",
    "close-replaces-error: scenarios/transaction/as_written.hpp: co_await session.rollback();",
    "cleanup-skipped: scenarios/transaction/as_written.hpp: co_await session.close();",
    "close-replaces-error: scenarios/transaction/as_written.hpp: co_await session.close();",
    "close-replaces-error: scenarios/typed_manager/managers.hpp: co_await resource.close();",
    "lends-twice: scenarios/yields_twice/managers.hpp: co_await body(second);",
    "lends-twice: scenarios/yields_twice/managers.hpp: co_yield second;",
};

class catalogue_test : public in_fresh_folder
{};

TEST_F(catalogue_test, has_the_findings_that_it_is_to_have_and_no_others)
{
    std::vector<std::string> headers;
    const std::filesystem::path root = MISHAP_SOURCE;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / "scenarios"))
        if (entry.path().extension() == ".hpp" && entry.path().filename() != "adapters.hpp")
            headers.push_back(entry.path().lexically_relative(root / "scenarios").string());
    std::sort(headers.begin(), headers.end());
    ASSERT_GE(headers.size(), 9u);
    std::string text;
    for (const std::string& one : headers)
        text += "#include \"" + one + "\"\n";
    text += "#include \"pairs/correct_pools.hpp\"\n#include \"pairs/correct_sessions.hpp\"\n";
    write("all.cpp", text);
    const unit in = read_unit(path("all.cpp"), flags());
    for (const diagnostic& one : in.diagnostics)
        ADD_FAILURE() << one.where.file << ':' << one.where.line << ": " << one.text;
    EXPECT_THAT(shown(in, run_checks(in)), testing::UnorderedElementsAreArray(expected));
}

} // namespace
