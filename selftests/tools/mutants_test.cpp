// SPDX-License-Identifier: MIT
// Goal: of the flawed managers in selftests/mutants, those whose flaw shows in the code are found, by a check
// that says what is wrong with them; the twins without a flaw, and flaws that are a matter of meaning, are
// left alone. Method: each flaw is written out as a source file of its own, with the template's flag as a
// constant, so that its dead branches are gone; all of them are read as one translation unit.

#include "support.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <regex>
#include <set>
#include <sstream>

namespace {

using namespace selftest;
using namespace mishap::tools;

/// What finds each flaw. A flaw that is not here must have no finding at all.
std::map<std::string, std::set<std::string>> found_by()
{
    std::map<std::string, std::set<std::string>> all;
    for (const std::vector<std::string>& row : judged("## The flawed managers")) {
        std::istringstream checks(row.at(1));
        for (std::string one; checks >> one;)
            all[row[0]].insert(one.substr(0, one.find(',')));
    }
    return all;
}

class mutants_test : public in_fresh_folder
{
protected:
    /// Writes out each flaw of a file; gives their names.
    std::vector<std::string> write_variants(
        const std::string& name, const std::string& flag, std::string& main) const
    {
        const std::string text = file_text(MISHAP_SOURCE "/selftests/mutants/" + name + ".hpp");
        std::smatch list;
        if (!std::regex_search(text, list, std::regex("enum class " + flag + "\\s*\\{([^}]*)\\};")))
            return {};
        const std::string names = std::regex_replace(list[1].str(), std::regex("///[^\n]*"), "");
        std::vector<std::string> flaws;
        const std::regex word("\\w+");
        for (std::sregex_iterator at(names.begin(), names.end(), word), end; at != end; ++at) {
            std::string variant = text;
            replace_all(variant, list[0].str(),
                fmt::format("{}\ninline constexpr {} Flaw = {}::{};", list[0].str(), flag, flag, at->str()));
            variant = std::regex_replace(variant, std::regex("template <" + flag + " Flaw = [^>]*>\n"), "");
            variant = std::regex_replace(variant, std::regex(", " + flag + " Flaw = [^>]*>"), ">");
            variant = std::regex_replace(variant, std::regex("(\\w+)<Flaw>"), "$1");
            replace_all(variant, "namespace mutants", fmt::format("namespace {}_{}", name, at->str()));
            const std::string file = fmt::format("{}__{}.hpp", name, at->str());
            write(file, variant);
            main += fmt::format("#include \"{}\"\n", file);
            flaws.push_back(name + "::" + at->str());
        }
        return flaws;
    }
};

TEST_F(mutants_test, are_found_where_their_flaw_shows)
{
    std::string main;
    std::vector<std::string> all;
    for (const auto& [name, flag] : {std::pair<std::string, std::string>{"mutex", "mutex_flaw"},
             {"pool", "flaw"}, {"semaphore", "semaphore_flaw"}, {"session", "session_flaw"}})
        std::ranges::move(write_variants(name, flag, main), std::back_inserter(all));
    ASSERT_GE(all.size(), 40u);
    write("all.cpp", main);
    const unit in = read_unit(path("all.cpp"), flags());
    for (const diagnostic& one : in.diagnostics)
        ADD_FAILURE() << one.where.file << ':' << one.where.line << ": " << one.text;
    std::map<std::string, std::set<std::string>> found;
    for (const finding& one : run_checks(in)) {
        std::string name = std::filesystem::path(one.where.file).stem().string();
        replace_all(name, "__", "::");
        found[name].insert(one.check);
    }
    const std::map<std::string, std::set<std::string>> judgements = found_by();
    for (const auto& [flaw, by] : judgements)
        EXPECT_EQ(std::ranges::count(all, flaw), 1) << flaw << " is judged, but there is no such flaw";
    std::size_t wrong = 0;
    std::size_t reached = 0;
    for (const std::string& flaw : all) {
        const auto expected = judgements.find(flaw);
        const std::set<std::string> none;
        EXPECT_EQ(found[flaw], expected == judgements.end() ? none : expected->second) << flaw;
        wrong += flaw.find("::none") == std::string::npos;
        reached += !found[flaw].empty();
    }
    fmt::print("{} of {} flaws are found without a run\n", reached, wrong);
}

} // namespace
