// SPDX-License-Identifier: MIT
// The keys of a scenario that describe a network: what they do to a manager, and what is said of bad ones.

#include "network/setup.hpp"

#include <mishap/environment.hpp>
#include <mishap/explore.hpp>
#include <mishap/network.hpp>
#include <mishap/replay.hpp>
#include <mishap/report.hpp>
#include <mishap/scenario.hpp>

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <gmock/gmock.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

namespace asio = boost::asio;
using asio::use_awaitable;
using asio::ip::tcp;
using testing::HasSubstr;
using namespace std::chrono_literals;

namespace {

/// What the last run of `asks_by_name` was told, and when that was.
std::string answered;
mishap::duration answered_at{0};

mishap::awaitable<void> answer_by_code(tcp::socket s)
{
    std::string line;
    co_await asio::async_read_until(s, asio::dynamic_buffer(line), '\n', use_awaitable);
    co_await asio::async_write(s, asio::buffer("from the adapter\n", 17), use_awaitable);
}

mishap::awaitable<void> asks_by_name(mishap::environment& env)
{
    answered.clear();
    env.network().listen("shop.example:80", &answer_by_code);
    tcp::resolver resolver(env.executor());
    const auto found = co_await resolver.async_resolve("shop.example", "80", use_awaitable);
    tcp::socket s(env.executor());
    co_await asio::async_connect(s, found, use_awaitable);
    co_await asio::async_write(s, asio::buffer("hello\n", 6), use_awaitable);
    const std::size_t length =
        co_await asio::async_read_until(s, asio::dynamic_buffer(answered), '\n', use_awaitable);
    answered.resize(length - 1);
    answered_at = mishap::duration(std::chrono::steady_clock::now().time_since_epoch()) - 24h * 30;
}

const bool registered = [] {
    mishap::register_manager({"asks_by_name", &asks_by_name,
        {.time = {.unbounded = {mishap::phase::create, mishap::phase::close, mishap::phase::other}}}});
    return true;
}();

mishap::scenario_result run(const std::string& keys)
{
    return mishap::run_scenario(
        mishap::parse_scenario("mishap: 1\nmanager: asks_by_name\n" + keys, "asks.yaml"), {.save_to = ""});
}

std::string refusal(const std::string& keys)
{
    try {
        run(keys + "faults: {}\n");
    } catch (const mishap::scenario_error& e) {
        return e.what();
    }
    return "nothing";
}

TEST(network_keys, without_them_the_adapter_says_who_is_there)
{
    EXPECT_EQ(run("faults: {}\n").failure, "");
    EXPECT_EQ(answered, "from the adapter");
}

TEST(network_keys, a_peer_of_the_scenario_comes_before_the_adapters)
{
    const auto done =
        run("peer:\n  shop.example:80: [expect: \"hello\\n\", wait: 2s, reply: 'from the file\\n', close]\n"
            "faults: {}\n");
    EXPECT_EQ(done.failure, "");
    EXPECT_EQ(answered, "from the file");
    EXPECT_EQ(answered_at, 2s + 4ms);
}

TEST(network_keys, bytes_are_hexadecimal_where_they_say_so)
{
    EXPECT_EQ(
        run("peer: {shop.example:80: [expect hello\\n, reply hex 68 69 0a]}\nfaults: {}\n").failure, "");
    EXPECT_EQ(answered, "hi");
}

TEST(network_keys, scripts_and_bytes_come_from_files_beside_the_scenario)
{
    const std::filesystem::path folder = testing::TempDir() + "mishap_network_keys";
    std::filesystem::create_directories(folder);
    const auto write = [&](const char* name, const std::string& text) {
        std::ofstream(folder / name, std::ios::binary) << text;
    };
    write("shop.peer", "# recorded\nuntil \\n\nreply all of it\\n\n");
    write("answer.bin", "bytes of it\n");
    const std::string head = "mishap: 1\nmanager: asks_by_name\nfaults: {}\n";
    write("whole.yaml", head + "peer: {shop.example:80: shop.peer}\n");
    write("bytes.yaml", head + "peer: {shop.example:80: [until: \"\\n\", reply: {file: answer.bin}]}\n");
    write("lost.yaml", head + "peer: {shop.example:80: gone.peer}\n");
    const auto run_file = [&](const char* name) {
        return mishap::run_scenario(mishap::load_scenario((folder / name).string()), {.save_to = ""}).failure;
    };
    EXPECT_EQ(run_file("whole.yaml"), "");
    EXPECT_EQ(answered, "all of it");
    EXPECT_EQ(run_file("bytes.yaml"), "");
    EXPECT_EQ(answered, "bytes of it");
    try {
        run_file("lost.yaml");
        ADD_FAILURE() << "a file that is not there was read";
    } catch (const mishap::scenario_error& e) {
        EXPECT_THAT(e.what(), HasSubstr("lost.yaml:4:25: there is no file"));
    }
}

TEST(network_keys, a_peer_that_hears_something_else_breaks_expectation)
{
    const auto done =
        run("peer: {shop.example:80: [expect: GET]}\nfaults: {}\nexpect: {violates: [expectation]}\n");
    EXPECT_EQ(done.failure, "");
}

TEST(network_keys, a_partition_holds_bytes_back)
{
    EXPECT_EQ(run("network: [partition client | shop.example from 1ms to 10s]\nfaults: {}\n").failure, "");
    EXPECT_EQ(answered, "from the adapter");
    EXPECT_GE(answered_at, 10s);
}

TEST(network_keys, routes_have_latency_and_bandwidth)
{
    EXPECT_EQ(run("network: [route client | shop.example latency 1s]\nfaults: {}\n").failure, "");
    EXPECT_EQ(answered_at, 4s);
    EXPECT_EQ(run("network: [\"route * | * latency 1ms bandwidth 17\"]\nfaults: {}\n").failure, "");
    EXPECT_GE(answered_at, 1s);
}

TEST(network_keys, the_first_of_two_addresses_may_never_answer)
{
    const auto done = run("network: [resolve shop.example to 10.0.0.7 10.0.0.8, black_hole 10.0.0.7:80]\n"
                          "contract: {create_attempts: 2}\nfaults: {}\n");
    EXPECT_EQ(done.failure, "");
    EXPECT_EQ(answered, "from the adapter");
    // The kernel gives up after its sixth repetition.
    EXPECT_GT(answered_at, 2min);
}

TEST(network_keys, a_server_may_be_down_and_come_back)
{
    EXPECT_EQ(run("network: [\"restart shop.example:80 from 0s to 5s\"]\nfaults: {}\n"
                  "expect: {outcome: throws connection_refused}\n")
                  .failure,
        "");
    EXPECT_EQ(run("network: [restart shop.example:80 from 3ms to 5s]\nfaults: {}\n"
                  "expect: {outcome: throws connection_reset}\n")
                  .failure,
        "");
}

TEST(network_keys, names_and_places_may_be_gone)
{
    EXPECT_EQ(run("network: [resolve shop.example to nothing]\nfaults: {}\n"
                  "expect: {outcome: throws host_not_found}\n")
                  .failure,
        "");
    EXPECT_EQ(
        run("network: [refuse shop.example:80]\nfaults: {}\nexpect: {outcome: throws connection_refused}\n")
            .failure,
        "");
}

TEST(network_keys, bad_ones_are_refused_where_they_stand)
{
    const std::pair<const char*, const char*> cases[] = {
        {"network: [partitoin a | b from 1s to 2s]",
            "asks.yaml:3:11: unknown statement about a network 'partitoin'; did you mean 'partition'?"},
        {"network: [partition a b from 1s to 2s]", "asks.yaml:3:23: 'b' stands where '|' is expected"},
        {"network: [partition a | b from 2s to 1s]", "it ends at 1s, before it begins at 2s"},
        {"network: [partition a | b from 2s]", "'to' is missing at the end"},
        {"network: [partition a:80 | b from 1s to 2s]", "'a:80' is no host"},
        {"network: [route a | b]", "'latency', 'jitter' or 'bandwidth' is missing"},
        {"network: [route a | b latency soon]", "soon"},
        {"network: [route a | b bandwidth 0]", "'0' is no number of bytes each second"},
        {"network: [refuse shop.example]", "'shop.example' is no place in a network"},
        {"network: [refuse shop.example:80 now]", "nothing follows here: remove 'now'"},
        {"network: [resolve shop.example to here]", "'here' is no address"},
        {"network: []", "network is empty"},
        {"peer: {shop.example: [close]}", "'shop.example' is no place in a network"},
        {"peer: {shop.example:80: [expct: a]}",
            "asks.yaml:3:26: unknown step of a peer 'expct'; did you mean 'expect'?"},
        {"peer: {shop.example:80: [reply: 'a\\q']}", "a backslash is followed by"},
        {"peer: {shop.example:80: [wait: soon]}", "soon"},
        {"peer: {shop.example:80: [skip: few]}", "'few' is no number of bytes"},
        {"peer: {shop.example:80: [close: now]}", "nothing follows 'close'"},
        {"peer: {shop.example:80: [wait: {file: a}]}", "'wait' takes no bytes"},
        {"peer: {shop.example:80: [reply: {text: a}]}", "unknown key of a step 'text' (known: file)"},
        {"peer: {}", "peer is empty"},
    };
    for (const auto& [keys, why] : cases)
        EXPECT_THAT(refusal(std::string(keys) + '\n'), HasSubstr(why)) << keys;
}

TEST(network_keys, a_saved_counterexample_carries_them)
{
    const std::filesystem::path folder = testing::TempDir() + "mishap_network_saved";
    std::filesystem::remove_all(folder);
    const std::string keys = "mishap: 1\nmanager: asks_by_name\n"
                             "network: [route client | shop.example latency 2s]\n"
                             "peer: {shop.example:80: [expect: \"it's\\n\"]}\n"
                             "explore: {sweep: {perturbations: 0}}\n";
    const auto found =
        mishap::run_scenario(mishap::parse_scenario(keys, "asks.yaml"), {.save_to = folder.string()});
    ASSERT_NE(found.status, mishap::scenario_status::held);
    const std::vector<std::string> saved = mishap::find_scenarios(folder.string());
    ASSERT_FALSE(saved.empty());
    const mishap::scenario again = mishap::load_scenario(saved.front());
    ASSERT_TRUE(again.network);
    EXPECT_EQ(to_yaml(*again.network), "network:\n  - 'route client | shop.example latency 2s'\npeer:\n"
                                       "  'shop.example:80':\n    - 'expect it''s\\n'\n");
    EXPECT_NE(mishap::run_scenario(again, {.save_to = ""}).status, mishap::scenario_status::held);
}

} // namespace
