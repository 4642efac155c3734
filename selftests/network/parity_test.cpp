// SPDX-License-Identifier: MIT
// Each program gives the same over the kernel's loopback and over the network in memory, call by call.

#include "parity.hpp"

#include "network/kernel.hpp"
#include "simulation/seam.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace {

std::string over_the_kernel(const parity::program& which)
{
    parity::notes note;
    which.run(note);
    return note.text();
}

std::string in_memory(const parity::program& which)
{
    mishap::detail::seam here;
    mishap::network::kernel network(here.now);
    here.network = &network;
    mishap::detail::active_seam() = &here;
    parity::notes note;
    which.run(note);
    mishap::detail::active_seam() = nullptr;
    return note.text();
}

std::vector<parity::program> all_programs()
{
    std::vector<parity::program> all = parity::connections();
    all.insert(all.end(), parity::others().begin(), parity::others().end());
    return all;
}

bool has_loopback()
{
    const parity::descriptor listener = parity::listening();
    const parity::place where = parity::place_of(listener);
    return where.length != 0 && where.storage.ss_family == AF_INET;
}

class network_parity : public testing::TestWithParam<parity::program>
{};

TEST_P(network_parity, gives_the_same_in_memory)
{
    if (!has_loopback())
        GTEST_SKIP() << "this machine has no loopback";
    EXPECT_EQ(in_memory(GetParam()), over_the_kernel(GetParam()));
}

std::string name_of(const testing::TestParamInfo<parity::program>& which)
{
    std::string name = which.param.name;
    for (char& c : name)
        if (std::isalnum(static_cast<unsigned char>(c)) == 0)
            c = '_';
    return name;
}

INSTANTIATE_TEST_SUITE_P(programs, network_parity, testing::ValuesIn(all_programs()), name_of);

/// What the programs give is on file, to be read; `MISHAP_ACCEPT=1` writes it anew.
TEST(network_parity_table, is_up_to_date)
{
    std::string table;
    for (const parity::program& one : all_programs())
        table += std::string("## ") + one.name + "\n" + in_memory(one) + "\n";
    if (std::getenv("MISHAP_ACCEPT"))
        std::ofstream(MISHAP_PARITY_TABLE) << table;
    std::ifstream file(MISHAP_PARITY_TABLE);
    std::stringstream text;
    text << file.rdbuf();
    EXPECT_EQ(table, text.str()) << "MISHAP_ACCEPT=1 approves what came out";
}

} // namespace
