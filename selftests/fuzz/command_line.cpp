// SPDX-License-Identifier: MIT
// Goal: no command line takes the program down; each ends with one of the four exit codes. Words are
// separated by line ends. The one manager is small, and campaigns are kept short, so that their options are
// read and obeyed. The mutator keeps the checksum of a token to replay right.

#include "checksum.hpp"

#include <mishap/environment.hpp>
#include <mishap/main.hpp>
#include <mishap/manager.hpp>
#include <mishap/resource.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

MISHAP_CONTRACT(small){.time = {.unbounded = {mishap::phase::create}}};

MISHAP_MANAGER(small, mishap::environment& env)
{
    (void)env.setting("size", 1);
    mishap::mock_resource session("session");
    co_await session.create();
}

namespace {

/// Words that would test GoogleTest, write files, or run for long.
bool is_left_out(std::string_view word)
{
    if (word.starts_with("--g") || word.starts_with("--save") || word == "-")
        return true;
    std::size_t digits = 0;
    for (const char c : word)
        if ((digits = c >= '0' && c <= '9' ? digits + 1 : 0) > 2)
            return true;
    return false;
}

} // namespace

/// Mutates the token of a replay half of the time, and whatever is there otherwise.
extern "C" std::size_t LLVMFuzzerCustomMutator(
    std::uint8_t* data, std::size_t size, std::size_t size_max, unsigned seed)
{
    constexpr std::string_view replay = "replay\n";
    if (seed % 2 == 0 || size_max < replay.size() + fuzz::checksum_size ||
        !fuzz::text_of(data, size).starts_with(replay))
        return LLVMFuzzerMutate(data, size, size_max);
    return replay.size() +
           fuzz::mutate_token(data + replay.size(), size - replay.size(), size_max - replay.size());
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    std::vector<std::string> words{"mishap"};
    std::string word;
    for (std::size_t i = 0; i <= size; ++i) {
        const char c = i < size ? static_cast<char>(data[i]) : '\n';
        if (c == '\0')
            return -1; // no command line has one
        if (c != '\n') {
            word += c;
            continue;
        }
        if (is_left_out(word))
            return -1;
        words.push_back(std::move(word));
        word.clear();
    }
    if (words.size() < 2 || words[1].empty())
        return -1; // every test of the program
    // A random campaign has a thousand cases where nobody says how many.
    if (words[1] == "random")
        words.insert(words.end(), {"--cases", "20"});
    if (words[1] == "sweep")
        words.insert(words.end(), {"--runs-max", "50"});
    std::vector<char*> pointers;
    for (std::string& one : words)
        pointers.push_back(one.data());
    pointers.push_back(nullptr);
    const int code = mishap::run_main(static_cast<int>(words.size()), pointers.data());
    if (code < 0 || code > 3)
        std::abort();
    return 0;
}
