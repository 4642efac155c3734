// SPDX-License-Identifier: MIT
#pragma once
/// Results in files of JSON lines: written as they come, gone on with, and merged.

#include "explore/conductor.hpp"

#include <cstdint>
#include <cstdio>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mishap::detail {

/// What a file of results says of itself.
struct results_header
{
    std::vector<std::string> command; ///< the sub-command and its words, without what only says how it is run
    std::map<std::string, std::string> environment;
    std::uint64_t shard = 0;
    std::uint64_t shards = 1;

    std::string line() const;
};

/// A file that was written before.
struct read_results
{
    results_header header;
    std::map<std::string, std::string> parts;

    /// Errors: throws `input_error` where it cannot be read or is none. A last line without an end, as a
    /// program leaves that was killed, counts for nothing.
    static read_results of(const std::string& file);
};

class results : public part_journal
{
public:
    results() = default;
    ~results() override;

    results(const results&) = delete;
    results& operator=(const results&) = delete;

    /// Knows these parts from now on. Where they are `whole`, nothing else is run.
    void take(std::map<std::string, std::string> parts, bool whole = false)
    {
        parts_ = std::move(parts);
        whole_ = whole;
    }

    /// Errors: throws `input_error` where the file cannot be written.
    void write_to(const std::string& file, const results_header&, bool go_on);

    std::optional<std::string> find(const std::string& part) const override;
    void keep(const std::string& part, const std::string& answer) override;
    bool is_whole() const override { return whole_; }

    void line(std::string_view text);

private:
    std::map<std::string, std::string> parts_;
    bool whole_ = false;
    std::FILE* out_ = nullptr;
    std::string name_;
};

} // namespace mishap::detail
