// SPDX-License-Identifier: MIT
// Goal: a slip of the pen is recognised and a stranger is not, and a message about an unknown word is
// complete. Method: small vocabularies.

#include <mishap/input_error.hpp>

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace {

using mishap::nearest;

const std::vector<std::string> commands{"run", "sweep", "random", "replay", "list", "check"};

TEST(nearest, finds_a_dropped_added_or_changed_letter)
{
    EXPECT_EQ(nearest("swep", commands), "sweep");
    EXPECT_EQ(nearest("sweeep", commands), "sweep");
    EXPECT_EQ(nearest("sweap", commands), "sweep");
    EXPECT_EQ(nearest("rune", commands), "run");
    EXPECT_EQ(nearest("sweep", commands), "") << "a word that is known has no better spelling";
}

TEST(nearest, two_letters_swapped_are_one_slip)
{
    EXPECT_EQ(nearest("lsit", commands), "list");
    EXPECT_EQ(nearest("hagn", std::vector<std::string>{"hang"}), "hang");
    EXPECT_EQ(nearest("hnag", std::vector<std::string>{"hang"}), "hang");
}

TEST(nearest, leaves_strangers_alone)
{
    EXPECT_EQ(nearest("perform", commands), "");
    EXPECT_EQ(nearest("", commands), "");
    EXPECT_EQ(nearest("xyz", commands), "");
    EXPECT_EQ(nearest("sweep", {}), "");
}

TEST(nearest, takes_the_nearer_of_two)
{
    const std::vector<std::string> words{"closes_once", "closes_everything"};
    EXPECT_EQ(nearest("closes_evrything", words), "closes_everything");
    EXPECT_EQ(nearest("close_once", words), "closes_once");
}

// Quadratic time over what somebody pasted by mistake would look like a hang.
TEST(nearest, a_very_long_word_is_nobodys_slip)
{
    const std::string pasted(5'000'000, 'x');
    EXPECT_EQ(nearest(pasted, std::vector<std::string>{pasted}), "");
}

TEST(unknown_word, echoes_suggests_and_lists)
{
    EXPECT_EQ(mishap::unknown_word("sub-command", "swep", commands),
        "unknown sub-command 'swep'; did you mean 'sweep'? (known: run, sweep, random, replay, list, check)");
    EXPECT_EQ(mishap::unknown_word("word", "perform", std::vector<std::string>{"run"}),
        "unknown word 'perform' (known: run)");
    EXPECT_EQ(mishap::unknown_word("manager", "session", {}),
        "unknown manager 'session'; there is no manager to name");
}

TEST(unknown_word, shortens_what_is_very_long)
{
    const std::string message = mishap::unknown_word("word", std::string(10'000, 'x'), commands);
    EXPECT_LT(message.size(), 200u);
    EXPECT_NE(message.find("xxx...'"), std::string::npos);
}

} // namespace
