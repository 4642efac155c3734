// SPDX-License-Identifier: MIT
// Goal: the schema that editors use allows what mishap reads, and refuses what it refuses. Method: the
// catalogue's scenario files, and broken ones, are checked against what `mishap schema` prints, by the part
// of JSON Schema that it uses; yaml-cpp reads both, since JSON is YAML.

#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <regex>
#include <set>
#include <string>

namespace {

namespace fs = std::filesystem;

std::string printed_schema()
{
    FILE* pipe = popen((std::string("'") + MISHAP_PROGRAM + "' schema").c_str(), "r");
    if (!pipe)
        return {};
    std::string text;
    std::array<char, 4096> buffer;
    for (std::size_t n; (n = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;)
        text.append(buffer.data(), n);
    EXPECT_EQ(pclose(pipe), 0);
    return text;
}

const YAML::Node& schema()
{
    static const YAML::Node root = YAML::Load(printed_schema());
    return root;
}

bool is_integer(const std::string& text) { return std::regex_match(text, std::regex("-?[0-9]+")); }

bool is_of_type(const YAML::Node& value, const std::string& type)
{
    if (type == "object")
        return value.IsMap();
    if (type == "array")
        return value.IsSequence();
    if (!value.IsScalar())
        return false;
    const bool is_quoted = value.Tag() == "!";
    const bool is_boolean = !is_quoted && (value.Scalar() == "true" || value.Scalar() == "false");
    const bool is_whole = !is_quoted && is_integer(value.Scalar());
    if (type == "boolean")
        return is_boolean;
    if (type == "integer" || type == "number")
        return is_whole;
    return type == "string" && !is_boolean && !is_whole;
}

/// Every keyword that the schema uses, so that none is overlooked here.
const std::set<std::string> keywords{"$schema", "$defs", "$ref", "title", "description", "type", "properties",
    "required", "additionalProperties", "propertyNames", "items", "anyOf", "enum", "const", "pattern",
    "minimum", "maximum"};

bool allows(const YAML::Node& by, const YAML::Node& value);

bool allows_keys(const YAML::Node& by, const YAML::Node& value)
{
    for (const auto& entry : value) {
        const std::string key = entry.first.Scalar();
        if (const YAML::Node names = by["propertyNames"]; names && !allows(names, entry.first))
            return false;
        const YAML::Node properties = by["properties"];
        if (const YAML::Node known = properties ? properties[key] : YAML::Node(YAML::NodeType::Undefined)) {
            if (!allows(known, entry.second))
                return false;
        } else if (const YAML::Node other = by["additionalProperties"]) {
            if (other.IsScalar() ? other.Scalar() == "false" : !allows(other, entry.second))
                return false;
        }
    }
    for (const auto& key : by["required"])
        if (!value[key.Scalar()])
            return false;
    return true;
}

bool allows(const YAML::Node& by, const YAML::Node& value)
{
    for (const auto& entry : by)
        EXPECT_TRUE(keywords.count(entry.first.Scalar()) == 1) << entry.first.Scalar();
    if (const YAML::Node ref = by["$ref"]) {
        const std::string name = ref.Scalar().substr(std::string("#/$defs/").size());
        const YAML::Node target = schema()["$defs"][name];
        EXPECT_TRUE(target) << name;
        if (!target || !allows(target, value))
            return false;
    }
    if (const YAML::Node type = by["type"]) {
        bool fits = type.IsScalar() && is_of_type(value, type.Scalar());
        if (type.IsSequence())
            for (const auto& one : type)
                fits = fits || is_of_type(value, one.Scalar());
        if (!fits)
            return false;
    }
    if (const YAML::Node choices = by["anyOf"]) {
        bool fits = false;
        for (const auto& choice : choices)
            fits = fits || allows(choice, value);
        if (!fits)
            return false;
    }
    if (const YAML::Node words = by["enum"]) {
        bool fits = false;
        for (const auto& word : words)
            fits = fits || (value.IsScalar() && word.Scalar() == value.Scalar());
        if (!fits)
            return false;
    }
    if (const YAML::Node constant = by["const"])
        if (!value.IsScalar() || value.Scalar() != constant.Scalar())
            return false;
    if (const YAML::Node pattern = by["pattern"])
        if (!std::regex_search(value.Scalar(), std::regex(pattern.Scalar())))
            return false;
    if (const YAML::Node least = by["minimum"])
        if (value.as<std::uint64_t>() < least.as<std::uint64_t>())
            return false;
    if (const YAML::Node most = by["maximum"])
        if (value.as<std::uint64_t>() > most.as<std::uint64_t>())
            return false;
    if (const YAML::Node items = by["items"])
        for (const auto& item : value)
            if (!allows(items, item))
                return false;
    return !value.IsMap() || allows_keys(by, value);
}

bool is_allowed(const std::string& rest)
{
    return allows(schema(), YAML::Load("mishap: 1\nmanager: good_cleanup\n" + rest));
}

TEST(schema, allows_every_scenario_of_the_catalogue)
{
    int files = 0;
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(SOURCE_FOLDER) / "scenarios"))
        if (entry.path().extension() == ".yaml") {
            ++files;
            EXPECT_TRUE(allows(schema(), YAML::LoadFile(entry.path().string()))) << entry.path();
        }
    EXPECT_GT(files, 20);
}

// Every form that the reference shows.
TEST(schema, allows_every_form)
{
    EXPECT_TRUE(is_allowed("faults: {}\n"));
    EXPECT_TRUE(is_allowed("faults: {resource.use#2: fail, c1/resource.close: late 5s, body: hang}\n"));
    EXPECT_TRUE(is_allowed("faults: {body: fail io_error after resource.use#2}\n"));
    EXPECT_TRUE(is_allowed("faults: {'*/resource.use#2..': fail_after_effect(io_error)}\n"));
    EXPECT_TRUE(is_allowed("cancel: resource.use\nabandon: {client: world, when: steps, steps: 4}\n"));
    EXPECT_TRUE(is_allowed("cancel: [resource.use, {at: resource.use#2, when: queued, type: partial}]\n"));
    EXPECT_TRUE(is_allowed("schedule: run c1 before c0/resource.close +2\narrivals: {c1: 2s}\n"));
    EXPECT_TRUE(is_allowed("arrivals: sequential\nwith: {size: 2, verbose: true, name: x}\n"));
    EXPECT_TRUE(is_allowed("contract: {grace: 1.5s, unbounded: create, capacity: 2, fair: true}\n"));
    EXPECT_TRUE(is_allowed("explore: {sweep: {kinds: [delay, fail]}, random: {seed: 7}}\n"));
    EXPECT_TRUE(is_allowed("expect: {outcome: throws io_error, reports: [timed_out]}\n"));
    EXPECT_TRUE(is_allowed("network: [refuse shop.example:80, route a | b latency 1s]\n"));
    EXPECT_TRUE(
        is_allowed("peer: {shop.example:80: [expect: GET, reply: {file: a.bin}, close], b:1: b.peer}\n"));
    EXPECT_TRUE(is_allowed("expect: {violates: closes_once}\ninvariants: [closes_once]\n"));
}

TEST(schema, refuses_unknown_keys_everywhere)
{
    for (const char* text : {"fault: {}\n", "contract: {close_timout: 5s}\n", "expect: {outcomes: returns}\n",
             "cancel: {whem: queued}\n", "cancel: [{whem: queued}]\n", "abandon: {type: partial}\n",
             "explore: {swep: {}}\n", "explore: {sweep: {cases: 2}}\n", "explore: {random: {runs_max: 2}}\n"})
        EXPECT_FALSE(is_allowed(text)) << text;
    EXPECT_FALSE(allows(schema(), YAML::Load("mishap: 1\nfaults: {}\n"))) << "a manager is required";
}

TEST(schema, refuses_unknown_words_and_numbers_out_of_bounds)
{
    for (const char* text : {"faults: {resource.use: hnag}\n", "faults: {resource.use: fail io_eror}\n",
             "faults: {resource: hang}\n", "expect: {violates: [closes_evrything]}\n",
             "expect: {outcome: throws io_eror}\n", "invariants: [closes_evrything]\n", "clients: 101\n",
             "clients: 0\n", "clients: many\n", "step_cost: 5\n", "contract: {closed_by: destructor}\n",
             "contract: {fair: sometimes}\n", "equivalent_to: nobody\n", "mishap: 2\n",
             "schedule: c1 before c0/resource.close\n", "network: [partitoin a | b from 1s to 2s]\n",
             "peer: {shop.example: [close]}\n", "peer: {shop.example:80: [expct: GET]}\n"})
        EXPECT_FALSE(is_allowed(text)) << text;
}

} // namespace
