// SPDX-License-Identifier: MIT
#include "command.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <string>
#include <vector>

namespace {

constexpr const char* usage = R"(usage: mishap-tools COMMAND ...

  validate   check C++ code that owns resources, without running it
  generate   write the fake, manager, adapter, contract and scenarios for a class or a function
  convert    turn a synchronous RAII class or with_x(callback) function into an asynchronous manager

`mishap-tools COMMAND --help` says more.
)";

} // namespace

int main(int count, char** words)
{
    using namespace mishap::tools;
    const std::vector<std::string> all(words + 1, words + count);
    if (all.empty() || all.front() == "--help" || all.front() == "help") {
        fmt::print(all.empty() ? stderr : stdout, "{}", usage);
        return all.empty() ? bad_input : all_well;
    }
    const std::vector<std::string> rest(all.begin() + 1, all.end());
    try {
        if (all.front() == "validate")
            return validate(rest);
        if (all.front() == "generate")
            return generate(rest);
        if (all.front() == "convert")
            return convert(rest);
        throw usage_error(fmt::format("there is no command '{}'\n{}", all.front(), usage));
    } catch (const usage_error& error) {
        fmt::print(stderr, "mishap-tools: {}\n", error.what());
    } catch (const std::exception& error) {
        fmt::print(stderr, "mishap-tools: {}\n", error.what());
    }
    return bad_input;
}
