// SPDX-License-Identifier: MIT
#pragma once
/// How tests say that input is refused.

#include <mishap/input_error.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>

namespace selftest {

/// Expects that calling it throws `input_error` at that offset, with all those words in its message.
template <class Call>
void expect_refused(Call call, std::size_t offset, std::initializer_list<std::string_view> words,
    const std::string& text = {})
{
    try {
        call();
        ADD_FAILURE() << "'" << text << "' is not refused";
    } catch (const mishap::input_error& e) {
        EXPECT_EQ(e.offset(), offset) << e.what();
        for (const std::string_view word : words)
            EXPECT_NE(std::string_view(e.what()).find(word), std::string_view::npos)
                << "'" << word << "' is not in: " << e.what();
    }
}

} // namespace selftest
