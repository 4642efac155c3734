// SPDX-License-Identifier: MIT
// RapidCheck takes a new seed every time; these tests are to give one answer. RC_PARAMS, where it is set,
// goes first.

#include <gtest/gtest.h>

#include <cstdlib>

int main(int argc, char** argv)
{
    setenv("RC_PARAMS", "seed=2026", 0);
    testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}
