// SPDX-License-Identifier: MIT
#include "managers.hpp"

#if __has_include(<catch2/catch_test_macros.hpp>)
#include <catch2/catch_test_macros.hpp>
#else
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
#endif
#include <mishap/catch2.hpp>

using mishap::catch2::Holds;
using mishap::catch2::Violates;

TEST_CASE("a session is closed whatever happens")
{
    CHECK_THAT(mishap::sweep(&right, options("right")), Holds());
}

TEST_CASE("a leak is found")
{
    CHECK_THAT(mishap::sweep(&leaks, options("leaks")), Violates("closes_everything"));
}

TEST_CASE("what breaks is reported", "[!shouldfail]")
{
    CHECK_THAT(mishap::sweep(&leaks, options("leaks")), Holds());
    CHECK(mishap::sweep(&leaks, options("leaks")) == mishap::holds); // without the header
}
