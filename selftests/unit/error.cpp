// SPDX-License-Identifier: MIT
// Goal: errors are known by name, recognised by type or value and never by text, and described in a line.
// Method: the built-in ones, and some registered here by each way of registering.

#include "refusal.hpp"

#include <mishap/error.hpp>

#include <boost/asio/error.hpp>

#include <algorithm>
#include <stdexcept>
#include <system_error>

namespace {

using selftest::expect_refused;

class service_error : public std::runtime_error
{
public:
    using std::runtime_error::runtime_error;
};

} // namespace

MISHAP_ERROR(by_macro, service_error("made by the macro"), {.breaking = true, .about = "for this test"});
MISHAP_ERROR(by_code, boost::asio::error::make_error_code(boost::asio::error::already_open));

namespace {

const mishap::error& known(const char* name) { return mishap::get_error(name); }

template <class Exception>
std::exception_ptr thrown(Exception e)
{
    return std::make_exception_ptr(std::move(e));
}

TEST(error, the_built_in_ones_are_there)
{
    const auto names = mishap::error_names();
    EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
    for (const char* name : {"io_error", "connection_reset", "timed_out", "value_error", "foreign"})
        EXPECT_NE(std::find(names.begin(), names.end(), name), names.end()) << name;
    EXPECT_TRUE(known("connection_reset").breaking);
    EXPECT_FALSE(known("io_error").breaking);
    EXPECT_EQ(known("timed_out").code, boost::asio::error::timed_out);
}

TEST(error, each_makes_what_it_recognises_anew_every_time)
{
    for (const std::string& name : mishap::error_names()) {
        const mishap::error& e = known(name.c_str());
        ASSERT_TRUE(e.make && e.matches) << name;
        const std::exception_ptr first = e.make();
        const std::exception_ptr second = e.make();
        EXPECT_NE(first, second) << name;
        EXPECT_TRUE(e.matches(first)) << name;
        EXPECT_EQ(mishap::describe(first), name);
    }
}

TEST(error, a_code_is_recognised_by_value_in_either_kind_of_system_error)
{
    using boost::asio::error::connection_reset;
    const auto code = boost::asio::error::make_error_code(connection_reset);
    EXPECT_TRUE(known("connection_reset").matches(thrown(boost::system::system_error(code))));
    EXPECT_TRUE(known("connection_reset").matches(thrown(std::system_error(std::error_code(code)))));
    EXPECT_FALSE(known("io_error").matches(thrown(boost::system::system_error(code))));
    EXPECT_FALSE(known("connection_reset").matches(thrown(std::runtime_error("Connection reset by peer"))));
}

TEST(error, foreign_is_no_standard_exception)
{
    try {
        std::rethrow_exception(known("foreign").make());
    } catch (const std::exception& e) {
        ADD_FAILURE() << "a catch of std::exception gets it: " << e.what();
    } catch (...) {
    }
    EXPECT_FALSE(known("foreign").matches(thrown(std::runtime_error("foreign"))));
    EXPECT_FALSE(known("foreign").matches(thrown(42)));
}

TEST(error, the_macro_registers)
{
    EXPECT_TRUE(known("by_macro").breaking);
    EXPECT_EQ(known("by_macro").about, "for this test");
    EXPECT_TRUE(known("by_macro").matches(thrown(service_error("any text"))));
    EXPECT_FALSE(known("by_macro").matches(thrown(std::runtime_error("made by the macro"))));
    EXPECT_EQ(known("by_code").code, boost::asio::error::already_open);
}

TEST(error, registering_again_replaces)
{
    mishap::register_error("changing", service_error("first"));
    mishap::register_error("changing", std::out_of_range("second"));
    EXPECT_TRUE(known("changing").matches(thrown(std::out_of_range(""))));
    EXPECT_FALSE(known("changing").matches(thrown(service_error(""))));
    const auto names = mishap::error_names();
    EXPECT_EQ(std::count(names.begin(), names.end(), "changing"), 1);
}

TEST(error, an_unknown_one_is_refused_with_its_neighbour)
{
    EXPECT_EQ(mishap::find_error("io_eror"), nullptr);
    expect_refused([] { mishap::get_error("io_eror"); }, 0,
        {"unknown error 'io_eror'", "did you mean 'io_error'?", "connection_reset"});
}

TEST(error, anything_thrown_is_described)
{
    EXPECT_EQ(mishap::describe(nullptr), "nothing");
    EXPECT_EQ(mishap::describe(thrown(boost::system::system_error(boost::asio::error::operation_aborted))),
        "operation_aborted");
    EXPECT_EQ(mishap::describe(thrown(std::logic_error("mine"))), "std::logic_error (mine)");
    EXPECT_EQ(mishap::describe(thrown(42)), "int");
}

} // namespace
