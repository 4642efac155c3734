// SPDX-License-Identifier: MIT
// The network in memory on its own: time, links, names, services and scripts, which loopback cannot make.

#include "network/kernel.hpp"
#include "network/names.hpp"

#include <mishap/input_error.hpp>

#include <gtest/gtest.h>

#include <errno.h>
#include <netdb.h>

#include <string>

namespace network = mishap::network;
using mishap::duration;
using namespace std::chrono_literals;

namespace {

class network_kernel : public testing::Test
{
protected:
    duration clock_{0};
    network::kernel kernel_{clock_};

    /// Lets time pass, as far as anything is due.
    void pass(duration until)
    {
        while (kernel_.next_due() <= until) {
            clock_ = std::max(clock_, kernel_.next_due());
            kernel_.advance();
        }
        clock_ = until;
        kernel_.advance();
    }

    network::socket& open()
    {
        const auto made = kernel_.open_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        return *kernel_.find(static_cast<int>(made.value));
    }

    int connect(network::socket& s, const network::address& where)
    {
        sockaddr_storage storage{};
        socklen_t length = sizeof storage;
        network::write_address(where, reinterpret_cast<sockaddr*>(&storage), &length);
        return kernel_.connect(s, reinterpret_cast<sockaddr*>(&storage), length).error;
    }

    network::address serve(const char* name, std::uint16_t port, const char* script)
    {
        network::service what{.how = network::service::manner::plays, .name = name};
        what.text = std::make_shared<network::script>(network::parse_script(script));
        const network::address where = kernel_.host(name).front().with_port(port);
        kernel_.serve(where, std::move(what));
        return where;
    }

    int send(network::socket& s, std::string_view text)
    {
        const iovec one{const_cast<char*>(text.data()), text.size()};
        return kernel_.send(s, {&one, 1}, 0, nullptr, 0).error;
    }

    std::string receive(network::socket& s)
    {
        char buffer[256];
        const iovec one{buffer, sizeof buffer};
        const auto got = kernel_.receive(s, {&one, 1}, 0, nullptr, nullptr);
        if (got.error != 0)
            return strerrorname_np(got.error);
        return got.value == 0 ? "end" : std::string(buffer, static_cast<std::size_t>(got.value));
    }

    static int error_of(network::socket& s) { return std::exchange(s.error, 0); }
};

TEST_F(network_kernel, a_script_expects_and_replies)
{
    const auto where = serve("shop.example", 80, "expect GET /\\r\\n\nreply 200 OK\nclose\n");
    network::socket& s = open();
    EXPECT_EQ(connect(s, where), EINPROGRESS);
    EXPECT_EQ(s.at, network::stage::established);
    EXPECT_EQ(send(s, "GET "), 0);
    EXPECT_EQ(receive(s), "EAGAIN");
    EXPECT_EQ(send(s, "/\r\n"), 0);
    EXPECT_EQ(receive(s), "200 OK");
    EXPECT_EQ(receive(s), "end");
}

TEST_F(network_kernel, a_script_that_is_told_something_else_resets)
{
    const auto where = serve("shop.example", 80, "expect GET\n");
    network::socket& s = open();
    connect(s, where);
    send(s, "PUT");
    EXPECT_EQ(receive(s), "ECONNRESET");
}

TEST_F(network_kernel, a_script_waits_and_resets)
{
    const auto where = serve("shop.example", 80, "wait 2s\nreply one\nwait 500ms\nreset\n");
    network::socket& s = open();
    connect(s, where);
    pass(1999ms);
    EXPECT_EQ(receive(s), "EAGAIN");
    pass(2s);
    EXPECT_EQ(receive(s), "one");
    pass(3s);
    EXPECT_EQ(receive(s), "ECONNRESET");
    EXPECT_EQ(s.ended, 2500ms);
}

TEST_F(network_kernel, a_script_skips_and_looks_for_bytes)
{
    const auto where = serve("db", 5432, "skip 4\nuntil \\n\nreply done\nsilence\n");
    network::socket& s = open();
    connect(s, where);
    send(s, "abcdanything");
    EXPECT_EQ(receive(s), "EAGAIN");
    send(s, " goes\n");
    EXPECT_EQ(receive(s), "done");
}

TEST_F(network_kernel, bytes_of_scripts_read_back)
{
    for (const std::string& raw :
        {std::string("plain"), std::string("a\r\n\tb\\c"), std::string("\0\x01\xff\x80", 4),
            std::string(" blanks "), std::string("hex 00"), std::string("\"quoted\"")})
        EXPECT_EQ(network::parse_bytes(network::print_bytes(raw)), raw);
    EXPECT_EQ(network::parse_bytes("hex 00 fF10"), std::string("\0\xff\x10", 3));
    EXPECT_THROW(network::parse_bytes("hex 0"), mishap::input_error);
    EXPECT_THROW(network::parse_bytes("hex 0g"), mishap::input_error);
    EXPECT_THROW(network::parse_bytes("\\q"), mishap::input_error);
    EXPECT_THROW(network::parse_bytes("\\x1"), mishap::input_error);
}

TEST_F(network_kernel, scripts_read_back_and_refuse_nonsense)
{
    const char* const text = "expect GET /\nskip 7\nuntil \\r\\n\nreply hex 00 ff\nwait 2s\nclose\n";
    EXPECT_EQ(network::to_string(network::parse_script(text)), text);
    EXPECT_THROW(network::parse_script("expects GET"), mishap::input_error);
    EXPECT_THROW(network::parse_script("close now"), mishap::input_error);
    EXPECT_THROW(network::parse_script("wait"), mishap::input_error);
    EXPECT_THROW(network::parse_script("skip few"), mishap::input_error);
    try {
        network::parse_script("# a comment\n\nreply x\nwiat 2s\n");
        FAIL();
    } catch (const mishap::input_error& e) {
        EXPECT_NE(std::string(e.what()).find("line 4"), std::string::npos) << e.what();
        EXPECT_NE(std::string(e.what()).find("wait"), std::string::npos) << e.what();
    }
}

TEST_F(network_kernel, nobody_at_a_known_host_refuses_and_an_unknown_host_is_unreachable)
{
    const auto where = kernel_.host("shop.example").front().with_port(81);
    network::socket& known = open();
    connect(known, where);
    EXPECT_EQ(error_of(known), ECONNREFUSED);
    network::socket& unknown = open();
    connect(unknown, network::ipv4(192, 0, 2, 1, 80));
    EXPECT_EQ(error_of(unknown), EHOSTUNREACH);
}

TEST_F(network_kernel, a_black_hole_times_out_as_the_kernel_does)
{
    const auto where = kernel_.host("hole").front().with_port(80);
    kernel_.serve(where, {.how = network::service::manner::black_hole});
    network::socket& s = open();
    connect(s, where);
    pass(126s);
    EXPECT_EQ(s.at, network::stage::connecting);
    pass(128s);
    EXPECT_EQ(error_of(s), ETIMEDOUT);
}

TEST_F(network_kernel, latency_and_bandwidth_take_their_time)
{
    const auto where = serve("far", 80, "expect hi\nreply 0123456789\n");
    network::link& way = kernel_.between("", "far");
    way.latency = 10ms;
    way.bandwidth = 1000;
    network::socket& s = open();
    EXPECT_EQ(connect(s, where), EINPROGRESS);
    pass(19ms);
    EXPECT_EQ(s.at, network::stage::connecting);
    pass(20ms);
    EXPECT_EQ(s.at, network::stage::established);
    EXPECT_EQ(send(s, "hi"), 0);
    // Two bytes there and ten back, at a byte each millisecond.
    pass(20ms + 2ms + 10ms + 10ms + 10ms - 1us);
    EXPECT_EQ(receive(s), "EAGAIN");
    pass(52ms);
    EXPECT_EQ(receive(s), "0123456789");
}

TEST_F(network_kernel, jitter_is_the_same_each_time_and_keeps_the_order)
{
    std::string first;
    for (int round = 0; round < 2; ++round) {
        kernel_.reset();
        clock_ = duration(0);
        const auto where = serve("far", 80, "reply a\nreply b\nreply c\n");
        kernel_.between("", "far").jitter = 50ms;
        network::socket& s = open();
        connect(s, where);
        std::string seen;
        for (int i = 0; i < 60; ++i) {
            pass(duration(std::chrono::milliseconds(i)));
            const std::string got = receive(s);
            if (got != "EAGAIN")
                seen += std::to_string(i) + got;
        }
        if (round == 0)
            first = seen;
        EXPECT_EQ(seen, first);
        EXPECT_LT(seen.find('a'), seen.find('b'));
        EXPECT_LT(seen.find('b'), seen.find('c'));
    }
}

TEST_F(network_kernel, a_partition_holds_bytes_back_and_keeps_connects_waiting)
{
    const auto where = serve("a", 80, "expect hi\nreply ho\n");
    kernel_.between("client", "a").partitions.push_back({2s, 10s});
    network::socket& s = open();
    connect(s, where);
    EXPECT_EQ(s.at, network::stage::established);
    pass(3s);
    send(s, "hi");
    network::socket& late = open();
    connect(late, where);
    pass(9s);
    EXPECT_EQ(receive(s), "EAGAIN");
    EXPECT_EQ(late.at, network::stage::connecting);
    pass(11s);
    EXPECT_EQ(receive(s), "ho");
    pass(20s);
    EXPECT_EQ(late.at, network::stage::established);
}

TEST_F(network_kernel, a_server_that_restarts_resets_and_refuses_meanwhile)
{
    const auto where = serve("a", 80, "expect hi\nreply ho\nsilence\n");
    network::socket& before = open();
    connect(before, where);
    kernel_.restart(where, 1s, 2s);
    pass(1500ms);
    EXPECT_EQ(receive(before), "ECONNRESET");
    network::socket& meanwhile = open();
    connect(meanwhile, where);
    EXPECT_EQ(error_of(meanwhile), ECONNREFUSED);
    pass(2s);
    network::socket& after = open();
    connect(after, where);
    EXPECT_EQ(after.at, network::stage::established);
}

TEST_F(network_kernel, names_resolve_from_the_table)
{
    kernel_.set_host("two", {network::ipv4(10, 9, 0, 1), network::ipv4(10, 9, 0, 2)});
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    ASSERT_EQ(network::resolve(kernel_, "two", "https", &hints, &found), 0);
    ASSERT_NE(found->ai_next, nullptr);
    EXPECT_EQ(network::to_string(*network::read_address(found->ai_addr, found->ai_addrlen)), "10.9.0.1:443");
    EXPECT_EQ(network::to_string(*network::read_address(found->ai_next->ai_addr, found->ai_next->ai_addrlen)),
        "10.9.0.2:443");
    EXPECT_EQ(kernel_.name_of(network::ipv4(10, 9, 0, 2)), "two");
    ::freeaddrinfo(found);
    EXPECT_EQ(network::resolve(kernel_, "nowhere", "80", &hints, &found), EAI_NONAME);
    EXPECT_EQ(network::resolve(kernel_, "two", "no_such_service", &hints, &found), EAI_SERVICE);
    hints.ai_family = AF_INET6;
    EXPECT_EQ(network::resolve(kernel_, "two", "80", &hints, &found), EAI_NODATA);
}

TEST_F(network_kernel, numbers_are_used_again_from_the_lowest)
{
    const int first = open().number;
    const int second = open().number;
    kernel_.close(first);
    kernel_.close(second);
    EXPECT_EQ(open().number, std::min(first, second));
    kernel_.reset();
    EXPECT_EQ(open().number, std::min(first, second));
}

} // namespace
