// SPDX-License-Identifier: MIT
// Goal: no line takes the plan's reader down; a line that is a plan is written as another one that reads as
// the same plan; and what is refused is refused at an offset inside the line.

#include <mishap/duration.hpp>
#include <mishap/fault.hpp>
#include <mishap/input_error.hpp>
#include <mishap/plan.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

template <class Parse>
void expect_refusal_inside(std::string_view text, Parse parse)
{
    try {
        parse(text);
    } catch (const mishap::input_error& e) {
        if (e.offset() > text.size())
            std::abort();
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view line(reinterpret_cast<const char*>(data), size);
    expect_refusal_inside(line, [](std::string_view text) {
        const mishap::fault_plan plan = mishap::parse_plan(text);
        if (mishap::parse_plan(to_string(plan)) != plan)
            std::abort();
    });
    expect_refusal_inside(line, [](std::string_view text) {
        const mishap::fault one = mishap::parse_fault(text);
        if (mishap::parse_fault(to_string(one)) != one || mishap::parse_fault(to_token(one)) != one)
            std::abort();
    });
    expect_refusal_inside(line, [](std::string_view text) { mishap::parse_pattern(text); });
    expect_refusal_inside(line, [](std::string_view text) { mishap::parse_duration(text); });
    return 0;
}
