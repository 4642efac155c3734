// SPDX-License-Identifier: MIT
// Goal: what generate and convert say, refuse and leave alone. Method: child processes. What they write is
// built and run by tools_generated and tools_converted_test.

#include "support.hpp"

namespace {

using namespace selftest;

class generate : public in_fresh_folder
{
protected:
    generate()
    {
        write("session.hpp", std::string(bare_coroutines) + R"(
extern "C" int fsync(int file);
namespace app {
class connection
{
public:
    awaitable<void> connect(int port);
    awaitable<int> fetch(int row);
    awaitable<void> check_alive();
    awaitable<void> shutdown();
};
template <class Session, class Body>
awaitable<void> with_connection(Session& session, Body body, int timeout);
awaitable<void> with_real(connection& real);
template <class Mutex> class guard
{
    Mutex& m_;
public:
    explicit guard(Mutex& m) : m_(m) { m_.lock(); }
    ~guard() { m_.unlock(); }
    int wait(int* file) { ::fsync(*file); m_.relock(); return *file; }
};
template <class Session> class pair
{
    Session& a_; Session& b_;
public:
    pair(Session& a, Session& b) : a_(a), b_(b) { a_.open(); }
    ~pair() { b_.close(); a_.close(); }
    int query() { return a_.query() + b_.query(); }
};
}
)");
    }

    void expect_in(const std::string& text, std::string_view part) const
    {
        EXPECT_NE(text.find(part), std::string::npos) << "no '" << part << "' in\n" << text;
    }
};

TEST_F(generate, guesses_roles_and_says_so)
{
    const ended done = tools({"generate", "--resource", "app::connection", "session.hpp"});
    EXPECT_EQ(done.code, 0) << done.err;
    const std::string fake = read("with_connection/fake.hpp");
    expect_in(fake, "connect(const A1&) { return resource_.create(); } // guessed: create");
    expect_in(fake, "fetch(const A1&) { return resource_.use(\"fetch\", int{}); } // guessed: a use");
    expect_in(fake, "check_alive() { return resource_.maintain(\"check_alive\"); } // guessed: maintenance");
    expect_in(fake, "shutdown() { return resource_.close(); } // guessed: close");
    expect_in(read("with_connection/with_connection.hpp"), "disable_cancellation");
    expect_in(read("with_connection/CMakeLists.txt"), "mishap_add_scenarios(");
}

TEST_F(generate, never_overwrites)
{
    write("with_connection/adapter.cpp", "mine");
    const ended done = tools({"generate", "--resource", "app::connection", "session.hpp"});
    EXPECT_EQ(done.code, 2);
    expect_in(done.err, "with_connection/adapter.cpp is there already, and nothing is overwritten");
    EXPECT_EQ(read("with_connection/adapter.cpp"), "mine");
    EXPECT_FALSE(std::filesystem::exists(path("with_connection/fake.hpp")));
}

TEST_F(generate, only_shows_what_it_would_write)
{
    const ended done =
        tools({"generate", "--from", "awaitable<session> connect(config, duration)", "--dry-run"});
    EXPECT_EQ(done.code, 0);
    expect_in(done.out, "--- with_session/fake.hpp");
    expect_in(done.out, "mishap::awaitable<void> connect(const A1&, const A2&)");
    EXPECT_FALSE(std::filesystem::exists(path("with_session")));
}

TEST_F(generate, takes_a_manager_that_is_there)
{
    const ended done = tools({"generate", "--resource", "connection", "session.hpp", "--manager",
        "app::with_connection", "--output", "tests"});
    EXPECT_EQ(done.code, 0) << done.err;
    expect_in(read("tests/adapter.cpp"), "co_await app::with_connection(resource, work, 30s);");
    EXPECT_FALSE(std::filesystem::exists(path("tests/with_connection.hpp")));
    const ended real =
        tools({"generate", "--resource", "connection", "session.hpp", "--manager", "with_real"});
    EXPECT_EQ(real.code, 2);
    expect_in(real.err, "with_real is no template");
}

TEST_F(generate, refuses_what_it_cannot_use)
{
    EXPECT_EQ(tools({"generate"}).code, 2);
    expect_in(tools({"generate", "--resource", "app::nobody", "session.hpp"}).err,
        "there is no class 'app::nobody'");
    expect_in(tools({"generate", "--from", "nonsense"}).err, "'nonsense' is no signature");
    expect_in(tools({"generate", "--resource", "connection", "session.hpp", "--style", "fast"}).err,
        "there is no style 'fast'");
    expect_in(
        tools({"generate", "--resource", "connection", "nowhere.hpp"}).err, "nowhere.hpp: cannot be read");
}

TEST_F(generate, converts_and_marks_what_it_cannot)
{
    const ended done = tools({"convert", "--class", "app::guard", "session.hpp"});
    EXPECT_EQ(done.code, 1) << done.err;
    const std::string text = read("async_guard.hpp");
    expect_in(text, "co_await m_.lock()");
    expect_in(text, "boost::asio::awaitable<void> close()");
    expect_in(
        text, "int wait(int* file) { /* mishap: still blocks */ ::fsync(*file); m_.relock(); return *file;");
    expect_in(done.err, "fsync() blocks, and no row of the table says what to call in its place");
    const ended again = tools({"convert", "--class", "app::guard", "session.hpp"});
    EXPECT_EQ(again.code, 2);
    expect_in(again.err, "is there already and is not overwritten");
}

TEST_F(generate, converts_what_it_could_read_of_a_broken_header_and_says_that_it_was_broken)
{
    write("broken.hpp", file_text(path("session.hpp")) + "namespace app { void g() { undeclared(); } }\n");
    const ended done = tools({"convert", "--class", "app::guard", "broken.hpp"});
    EXPECT_EQ(done.code, 2) << done.err;
    expect_in(done.err, "use of undeclared identifier 'undeclared'");
    expect_in(done.err, "broken.hpp could not be read whole");
    expect_in(read("async_guard.hpp"), "co_await m_.lock()");
}

TEST_F(generate, says_where_the_order_of_what_waits_is_open)
{
    const ended done = tools({"convert", "--class", "app::pair", "session.hpp", "--dry-run"});
    EXPECT_EQ(done.code, 1);
    expect_in(done.err, "several calls wait in one expression");
    expect_in(done.out, "/* mishap: in which order? */");
    // Each of two clean-ups may fail, so that both errors need somebody to be told.
    expect_in(done.out, "boost::asio::awaitable<void> close(Log log)");
    expect_in(done.out, "co_await guard.close(log);");
}

TEST_F(generate, converts_by_rows_of_the_users_own)
{
    write("map.txt", "# mine\ncall relock = co_await $object.async_relock($args)\ncall fsync = co_await "
                     "sync_file($args)\n");
    const ended done =
        tools({"convert", "--class", "app::guard", "session.hpp", "--map", "map.txt", "--dry-run"});
    EXPECT_EQ(done.code, 0) << done.err;
    expect_in(done.out, "co_await m_.async_relock()");
    expect_in(done.out, "co_await sync_file(*file)");
    write("bad.txt", "relock -> x\n");
    const ended bad = tools({"convert", "--class", "app::guard", "session.hpp", "--map", "bad.txt"});
    EXPECT_EQ(bad.code, 2);
    expect_in(bad.err, "bad.txt:1: 'relock -> x' is no row");
}

} // namespace
