// SPDX-License-Identifier: MIT
#pragma once
/// What people see of a campaign that is under way.

#include "explore/conductor.hpp"

#include <string>

namespace mishap::detail {

/// On a terminal one line of standard error, from the first second on; elsewhere a line now and then; nothing
/// where quiet was asked for.
class progress
{
public:
    /// Errors: throws `input_error` for a `MISHAP_PROGRESS` that is neither a duration nor `off`.
    explicit progress(bool quiet);
    ~progress() { clear(); }
    progress(const progress&) = delete;
    progress& operator=(const progress&) = delete;

    void show(const campaign_status&);

    /// Takes the line off the terminal, since something else is to be said.
    void clear();

    /// "12000 runs, 80000 runs/s, ...; tries session, all clients at once".
    static std::string line(const campaign_status&, duration now);

private:
    bool shows_;
    bool on_terminal_;
    bool is_shown_ = false;
    duration every_;
    duration began_;
    duration last_;
};

} // namespace mishap::detail
