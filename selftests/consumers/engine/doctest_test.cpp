// SPDX-License-Identifier: MIT
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "managers.hpp"

#include <doctest/doctest.h>

TEST_CASE("a session is closed whatever happens")
{
    CHECK(mishap::sweep(&right, options("right")) == mishap::holds);
}

TEST_CASE("a leak is found" * doctest::should_fail())
{
    CHECK(mishap::sweep(&leaks, options("leaks")) == mishap::holds);
}
