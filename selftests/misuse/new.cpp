// SPDX-License-Identifier: MIT
// Goal: `new` writes what was asked for and nothing else, and says what it cannot write.
// Method: the program as a child. That what it writes builds and holds is a consumer's test.

#include "child.hpp"

namespace {

using namespace misuse;

class new_manager : public in_fresh_folder
{};

TEST_F(new_manager, writes_a_folder_that_builds_alone)
{
    const ended done = mishap({"new", "invoice_store"});
    EXPECT_EQ(done.code, 0) << done.err;
    EXPECT_EQ(files_in("invoice_store"), (std::vector<std::string>{"CMakeLists.txt", "adapter.cpp",
                                             "fake.hpp", "invoice_store.hpp", "scenarios", "shared"}));
    EXPECT_EQ(files_in("invoice_store/scenarios"),
        (std::vector<std::string>{"any_two_mishaps.yaml", "one_example.yaml"}));
    EXPECT_TRUE(says(done.out, "wrote invoice_store/adapter.cpp"));
    EXPECT_TRUE(says(read("invoice_store/invoice_store.hpp"), "asio::awaitable<void> invoice_store("));
    EXPECT_TRUE(says(read("invoice_store/adapter.cpp"), "MISHAP_MANAGER(invoice_store, "));
}

TEST_F(new_manager, is_written_where_it_is_asked_for)
{
    const ended done = mishap({"new", "orders", "--pattern", "pool", "--into", "deep/down"});
    EXPECT_EQ(done.code, 0) << done.err;
    EXPECT_TRUE(says(read("deep/down/orders/orders.hpp"), "class orders\n"));
    EXPECT_TRUE(says(read("deep/down/orders/shared/with_deadline.hpp"), "namespace app {"));
}

TEST_F(new_manager, overwrites_nothing)
{
    write("orders/fake.hpp", "mine");
    const ended done = mishap({"new", "orders"});
    EXPECT_EQ(done.code, 2);
    EXPECT_TRUE(says(done.err, "orders/fake.hpp is there already, and nothing is overwritten"));
    EXPECT_EQ(files_in("orders"), std::vector<std::string>{"fake.hpp"});
    EXPECT_EQ(read("orders/fake.hpp"), "mine");
}

TEST_F(new_manager, says_what_is_wrong_with_its_words)
{
    const auto refused = [&](std::vector<std::string> words) {
        words.insert(words.begin(), "new");
        const ended done = mishap(words);
        EXPECT_EQ(done.code, 2);
        EXPECT_TRUE(files_in(".").empty());
        return done.err;
    };
    EXPECT_TRUE(says(refused({}), "new takes the name of one manager"));
    EXPECT_TRUE(says(refused({"a", "b"}), "new takes the name of one manager"));
    EXPECT_TRUE(says(refused({"Orders"}), "'Orders' cannot be a manager's name: begin with a-z"));
    EXPECT_TRUE(says(refused({"../orders"}), "'../orders' cannot be a manager's name"));
    EXPECT_TRUE(says(refused({"class"}), "'class' cannot be a manager's name"));
    EXPECT_TRUE(says(refused({"orders", "--pattern", "pol"}), "pool"));
    EXPECT_TRUE(says(refused({"orders", "--patern", "pool"}), "pattern"));
}

TEST_F(new_manager, says_where_it_cannot_write)
{
    write("file", "no folder");
    const ended done = mishap({"new", "orders", "--into", "file"});
    EXPECT_EQ(done.code, 2);
    EXPECT_TRUE(says(done.err, "cannot write file/orders/orders.hpp"));
}

} // namespace
