// SPDX-License-Identifier: MIT
// Goal: symbols are equal exactly when their texts are, on every thread and for as long as the process lives.
// Method: one word interned from buffers that go away, from other threads, and after so many others that any
// cache of recent words has forgotten it.

#include <mishap/symbol.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

namespace {

using mishap::symbol;

TEST(symbol, equal_texts_are_equal_symbols)
{
    const std::string mine = "session";
    EXPECT_EQ(symbol("session"), symbol(mine));
    EXPECT_NE(symbol("session"), symbol("sessions"));
    EXPECT_NE(symbol("ab"), symbol("ba"));
    EXPECT_EQ(symbol("session").stable_hash(), symbol(mine).stable_hash());
}

TEST(symbol, the_empty_word_is_the_default)
{
    EXPECT_TRUE(symbol().empty());
    EXPECT_EQ(symbol(), symbol(""));
    EXPECT_EQ(symbol().text(), "");
    EXPECT_STREQ(symbol().c_str(), "");
    EXPECT_FALSE(symbol("a").empty());
}

TEST(symbol, the_text_outlives_what_it_was_made_from)
{
    symbol kept;
    {
        const std::string passing = "a word that is longer than a short string would hold in place";
        kept = symbol(passing);
    }
    EXPECT_EQ(kept.text(), "a word that is longer than a short string would hold in place");
    EXPECT_EQ(kept.c_str()[kept.text().size()], '\0');
}

// Words of one length with equal first and last letters are the hardest for a cache that looks at those.
TEST(symbol, thousands_of_words_do_not_confuse_one)
{
    std::vector<symbol> symbols;
    std::vector<std::string> texts;
    for (int i = 0; i < 5'000; ++i) {
        texts.push_back("w" + std::to_string(10'000 + i) + "w");
        symbols.emplace_back(texts.back());
    }
    for (std::size_t i = 0; i < texts.size(); ++i) {
        EXPECT_EQ(symbols[i].text(), texts[i]);
        EXPECT_EQ(symbol(texts[i]), symbols[i]);
    }
}

TEST(symbol, order_is_alphabetical)
{
    std::vector<symbol> words{"pear", "apple", "fig", ""};
    std::sort(words.begin(), words.end());
    EXPECT_EQ(words, (std::vector<symbol>{"", "apple", "fig", "pear"}));
}

TEST(symbol, threads_agree)
{
    constexpr int words = 500;
    std::vector<std::vector<symbol>> seen(4);
    {
        std::vector<std::jthread> threads;
        for (auto& mine : seen)
            threads.emplace_back([&mine] {
                for (int i = 0; i < words; ++i)
                    mine.emplace_back("thread_word_" + std::to_string(i));
            });
    }
    for (const auto& theirs : seen)
        EXPECT_EQ(theirs, seen.front());
}

// Plans and seeds rely on it: the number must be the same in every process, and next year.
TEST(symbol, the_hash_is_fnv_1a)
{
    EXPECT_EQ(symbol("").stable_hash(), 0u);
    EXPECT_EQ(symbol("a").stable_hash(), 0xaf63dc4c8601ec8cull);
    EXPECT_EQ(symbol("foobar").stable_hash(), 0x85944171f73967e8ull);
}

} // namespace
