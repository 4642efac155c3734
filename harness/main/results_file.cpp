// SPDX-License-Identifier: MIT
#include "results_file.hpp"

#include "report/json.hpp"

#include <mishap/input_error.hpp>

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

namespace mishap::detail {

std::string results_header::line() const
{
    json::object_writer variables;
    for (const auto& [name, value] : environment)
        variables.add(name, value);
    return json::object_writer()
        .add("type", "header")
        .add("format", 1)
        .add("version", MISHAP_VERSION)
        .add("command", command)
        .raw("environment", variables.text())
        .add("shard", shard + 1)
        .add("shards", shards)
        .text();
}

read_results read_results::of(const std::string& file)
{
    std::ifstream in(file, std::ios::binary);
    std::ostringstream all;
    all << in.rdbuf();
    if (!in)
        throw input_error(fmt::format("{} cannot be read: {}", file, std::strerror(errno)));
    const std::string text = all.str();
    read_results read;
    std::size_t number = 0;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = text.find('\n', at);
        if (end == std::string::npos)
            break;
        const std::string_view line = std::string_view(text).substr(at, end - at);
        at = end + 1;
        ++number;
        try {
            const json::value value = json::parse(line);
            const std::string& type = value["type"].text();
            if (number == 1) {
                if (type != "header" || value["format"].number() != 1)
                    throw input_error("it does not begin as results of mishap do, which `--json` writes");
                for (const json::value& word : value["command"].items())
                    read.header.command.push_back(word.text());
                for (const auto& [name, of] : value["environment"].members())
                    read.header.environment[name] = of.text();
                read.header.shard = value["shard"].number() - 1;
                read.header.shards = value["shards"].number();
            } else if (type == "part") {
                // As it stands, so that it is passed on unchanged.
                constexpr std::string_view before = R"("part":)";
                const std::size_t begin = line.find(before, line.find(R"("key":)"));
                if (begin == std::string_view::npos)
                    throw input_error("a part has nothing in it");
                const std::string_view part = line.substr(begin + before.size());
                read.parts[value["key"].text()] = std::string(part.substr(0, part.size() - 1));
            }
        } catch (const input_error& e) {
            throw input_error(fmt::format("{}:{}: {}", file, number, e.what()));
        }
    }
    if (number == 0)
        throw input_error(fmt::format("{} is empty: results of mishap begin with a line of their own", file));
    return read;
}

results::~results()
{
    if (out_)
        std::fclose(out_);
}

void results::write_to(const std::string& file, const results_header& header, bool go_on)
{
    name_ = file;
    if (go_on) {
        // What a killed program left of its last line.
        std::ifstream in(file, std::ios::binary);
        std::ostringstream all;
        all << in.rdbuf();
        const std::string text = all.str();
        if (const std::size_t last = text.rfind('\n'); last + 1 != text.size()) {
            std::ofstream whole(file, std::ios::binary | std::ios::trunc);
            whole << text.substr(0, last + 1);
        }
    }
    errno = 0;
    out_ = std::fopen(file.c_str(), go_on ? "ae" : "we");
    if (!out_)
        throw input_error(fmt::format("{} cannot be written: {}", file, std::strerror(errno)));
    if (!go_on)
        line(header.line());
}

std::optional<std::string> results::find(const std::string& part) const
{
    const auto found = parts_.find(part);
    return found == parts_.end() ? std::nullopt : std::optional(found->second);
}

void results::keep(const std::string& part, const std::string& answer)
{
    if (out_ && !parts_.contains(part))
        line(json::object_writer().add("type", "part").add("key", part).raw("part", answer).text());
}

void results::line(std::string_view text)
{
    if (!out_)
        return;
    errno = 0;
    const bool written = std::fwrite(text.data(), 1, text.size(), out_) == text.size() &&
                         std::fputc('\n', out_) != EOF && std::fflush(out_) == 0;
    if (!written)
        throw input_error(fmt::format("{} cannot be written: {}", name_, std::strerror(errno)));
}

} // namespace mishap::detail
