// SPDX-License-Identifier: MIT
// The cache of validate: what was found, and the state of everything that was read for it.

#include "cache.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

namespace mishap::tools {

namespace fs = std::filesystem;

std::string escape(std::string_view text)
{
    std::string out;
    for (const char c : text)
        out += c == '\n' ? "\\n" : c == '\t' ? "\\t" : c == '\\' ? "\\\\" : std::string(1, c);
    return out;
}

std::vector<std::string> fields_of(const std::string& line)
{
    std::vector<std::string> fields;
    std::istringstream in(line);
    for (std::string field; std::getline(in, field, '\t');)
        fields.push_back(field);
    return fields;
}

std::optional<unsigned> number(const std::string& text)
{
    if (text.empty() || text.size() > 9 ||
        !std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c); }))
        return {};
    return static_cast<unsigned>(std::stoul(text));
}

namespace {

/// FNV-1a, 64 bits: it only has to notice changes.
/// Source: G. Fowler, L. C. Noll, K.-P. Vo, "The FNV Non-Cryptographic Hash Algorithm".
std::uint64_t hash(std::string_view text, std::uint64_t from = 14695981039346656037u)
{
    for (const char c : text)
        from = (from ^ static_cast<unsigned char>(c)) * 1099511628211u;
    return from;
}

std::string stamp_of(const std::string& file)
{
    std::error_code error;
    const auto time = fs::last_write_time(file, error);
    if (error)
        return "missing";
    return fmt::format("{}-{}", fs::file_size(file, error), time.time_since_epoch().count());
}

/// Changes whenever this program does.
const std::string& own_stamp()
{
    static const std::string stamp = stamp_of("/proc/self/exe");
    return stamp;
}

std::string unescape(std::string_view text)
{
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i)
        if (text[i] == '\\' && i + 1 < text.size()) {
            ++i;
            out += text[i] == 'n' ? '\n' : text[i] == 't' ? '\t' : text[i];
        } else {
            out += text[i];
        }
    return out;
}

std::string written(const place& at)
{
    return fmt::format("{}\t{}\t{}\t{}", escape(at.file), at.line, at.column, at.offset);
}

std::optional<place> place_of(const std::vector<std::string>& fields, std::size_t first)
{
    if (fields.size() < first + 4)
        return {};
    const auto line = number(fields[first + 1]);
    const auto column = number(fields[first + 2]);
    const auto offset = number(fields[first + 3]);
    if (!line || !column || !offset)
        return {};
    return place{unescape(fields[first]), *line, *column, *offset};
}

} // namespace

std::optional<result> cache::find(const std::string& file, const std::vector<std::string>& flags) const
{
    if (folder_.empty())
        return {};
    std::ifstream in(path(file, flags));
    std::string line;
    if (!in || !std::getline(in, line) || line != own_stamp())
        return {};
    result found;
    while (std::getline(in, line)) {
        const std::vector<std::string> fields = fields_of(line);
        if (fields.empty())
            return {};
        if (fields[0] == "reads" && fields.size() == 3) {
            if (stamp_of(unescape(fields[1])) != fields[2])
                return {};
            found.reads.push_back(unescape(fields[1]));
        } else if (fields[0] == "lines" && fields.size() == 2) {
            found.lines = number(fields[1]).value_or(0);
        } else if (fields[0] == "complaint") {
            const auto at = place_of(fields, 1);
            if (!at || fields.size() != 6)
                return {};
            found.complaints.push_back({*at, unescape(fields[5])});
        } else if (fields[0] == "finding") {
            const auto at = place_of(fields, 1);
            const auto length = fields.size() == 9 ? number(fields[6]) : std::nullopt;
            if (!at || !length)
                return {};
            judged one;
            one.what.where = *at;
            one.what.check = fields[5];
            one.what.length = *length;
            one.what.text = unescape(fields[7]);
            one.line = unescape(fields[8]).substr(1);
            found.findings.push_back(std::move(one));
        } else if (fields[0] == "note" && !found.findings.empty()) {
            const auto at = place_of(fields, 1);
            if (!at || fields.size() != 6)
                return {};
            found.findings.back().what.path.push_back({*at, unescape(fields[5])});
        } else if (fields[0] == "edit" && !found.findings.empty() && fields.size() == 5) {
            const auto begin = number(fields[2]);
            const auto end = number(fields[3]);
            if (!begin || !end)
                return {};
            found.findings.back().what.fix.push_back(
                {unescape(fields[1]), *begin, *end, unescape(fields[4])});
        } else if (fields[0] == "end") {
            return found;
        } else {
            return {};
        }
    }
    return {}; // cut short
}

void cache::keep(const std::string& file, const std::vector<std::string>& flags, const result& of) const
{
    if (folder_.empty())
        return;
    std::error_code error;
    fs::create_directories(folder_, error);
    const std::string to = path(file, flags);
    const std::string draft =
        fmt::format("{}.{}", to, std::hash<std::thread::id>()(std::this_thread::get_id()));
    {
        std::ofstream out(draft);
        out << own_stamp() << '\n';
        for (const std::string& one : of.reads)
            out << "reads\t" << escape(one) << '\t' << stamp_of(one) << '\n';
        out << "lines\t" << of.lines << '\n';
        for (const complaint& one : of.complaints)
            out << "complaint\t" << written(one.where) << '\t' << escape(one.text) << '\n';
        for (const judged& one : of.findings) {
            out << "finding\t" << written(one.what.where) << '\t' << one.what.check << '\t' << one.what.length
                << '\t' << escape(one.what.text) << "\t|" << escape(one.line) << '\n';
            for (const note& step : one.what.path)
                out << "note\t" << written(step.where) << '\t' << escape(step.text) << '\n';
            for (const edit& change : one.what.fix)
                out << "edit\t" << escape(change.file) << '\t' << change.begin << '\t' << change.end << '\t'
                    << escape(change.text) << '\n';
        }
        out << "end\n";
    }
    // A reader sees the old entry or the whole new one.
    fs::rename(draft, to, error);
    if (error)
        fs::remove(draft, error);
}

std::string cache::path(const std::string& file, const std::vector<std::string>& flags) const
{
    std::uint64_t key = hash(fs::absolute(file).string());
    for (const std::string& one : flags)
        key = hash(one, hash("\n", key));
    key = hash(fs::current_path().string(), key);
    return fmt::format("{}/{:016x}", folder_, key);
}

} // namespace mishap::tools
