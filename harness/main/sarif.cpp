// SPDX-License-Identifier: MIT
#include "sarif.hpp"

#include "invariant/invariants.hpp"
#include "report/json.hpp"

#include <mishap/input_error.hpp>
#include <mishap/invariant.hpp>
#include <mishap/manager.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>

namespace mishap::detail {

namespace {

/// Where the scenario is, or else the manager.
std::pair<std::string, std::uint64_t> place_of(const json::value& read)
{
    const std::string& location = read["location"].text();
    const std::size_t colon = location.rfind(':');
    std::uint64_t line = 1;
    if (colon != std::string::npos) {
        std::from_chars(location.data() + colon + 1, location.data() + location.size(), line);
        return {location.substr(0, colon), line};
    }
    const auto names = manager_names();
    if (std::find(names.begin(), names.end(), read["manager"].text()) == names.end())
        return {read["manager"].text(), 1};
    const manager& one = get_manager(read["manager"].text());
    return {std::string(one.file), static_cast<std::uint64_t>(std::max(one.line, 1))};
}

std::string result_of(const std::string& line)
{
    const json::value read = json::parse(line);
    const auto [file, number] = place_of(read);
    const auto message = json::object_writer().add(
        "text", fmt::format("{} breaks {}: {}\nplan: {}\nreplay: {}", read["manager"].text(),
                    read["rule"].text(), read["sentence"].text(), read["plan"].text(), read["token"].text()));
    const auto physical = json::object_writer()
                              .raw("artifactLocation", json::object_writer().add("uri", file).text())
                              .raw("region", json::object_writer().add("startLine", number).text());
    return json::object_writer()
        .add("ruleId", read["rule"].text())
        .add("level", "error")
        .raw("message", message.text())
        .raw("locations",
            std::vector<std::string>{json::object_writer().raw("physicalLocation", physical.text()).text()})
        .raw("partialFingerprints", json::object_writer().add("plan/v1", read["token"].text()).text())
        .text();
}

} // namespace

void write_sarif(const std::string& file, const std::vector<std::string>& counterexamples)
{
    std::vector<std::string> rules, found;
    for (const auto& some : {invariants(), invariants_between_runs()})
        for (const invariant& one : some)
            rules.push_back(json::object_writer()
                                .add("id", one.name)
                                .raw("shortDescription", json::object_writer().add("text", one.rule).text())
                                .text());
    for (const std::string& line : counterexamples)
        found.push_back(result_of(line));
    const auto driver =
        json::object_writer().add("name", "mishap").add("version", MISHAP_VERSION).raw("rules", rules);
    const auto run = json::object_writer()
                         .raw("tool", json::object_writer().raw("driver", driver.text()).text())
                         .raw("results", found);
    errno = 0;
    std::ofstream out(file, std::ios::binary | std::ios::trunc);
    out << json::object_writer()
               .add("$schema", "https://json.schemastore.org/sarif-2.1.0.json")
               .add("version", "2.1.0")
               .raw("runs", std::vector<std::string>{run.text()})
               .text()
        << '\n';
    if (!out.flush())
        throw input_error(fmt::format("{} cannot be written: {}", file, std::strerror(errno)));
}

} // namespace mishap::detail
