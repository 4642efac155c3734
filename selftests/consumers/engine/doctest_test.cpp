// SPDX-License-Identifier: MIT
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "managers.hpp"

#include <mishap/doctest.hpp>

using mishap::doctest::Holds;
using mishap::doctest::Violates;

TEST_CASE("a session is closed whatever happens")
{
    CHECK(mishap::sweep(&right, options("right")) == Holds());
}

TEST_CASE("a leak is found")
{
    CHECK(mishap::sweep(&leaks, options("leaks")) == Violates("closes_everything"));
}

TEST_CASE("what breaks is reported" * doctest::should_fail())
{
    CHECK(mishap::sweep(&leaks, options("leaks")) == Holds());
}
