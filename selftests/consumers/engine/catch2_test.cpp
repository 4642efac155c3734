// SPDX-License-Identifier: MIT
#include "managers.hpp"

#if __has_include(<catch2/catch_test_macros.hpp>)
#include <catch2/catch_test_macros.hpp>
#else
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
#endif

TEST_CASE("a session is closed whatever happens")
{
    CHECK(mishap::sweep(&right, options("right")) == mishap::holds);
}

TEST_CASE("a leak is found", "[!shouldfail]")
{
    CHECK(mishap::sweep(&leaks, options("leaks")) == mishap::holds);
}
