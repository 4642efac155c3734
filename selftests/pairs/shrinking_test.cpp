// SPDX-License-Identifier: MIT
// Goal: counterexamples get as small as they can. Method: each wrong manager of the pairs is run under many
// random plans; what is told against it must need no more perturbations than the smallest plan that a sweep
// finds.

#include "pair.hpp"

#include <fmt/format.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <string>

namespace pairs {

namespace {

mishap::manager wrong_one(const pair& row)
{
    return {
        std::string(row.wrong), [run = row.run](environment& env) { return run(env, true); }, row.promises};
}

const mishap::counterexample* find(const mishap::campaign_result& found, std::string_view invariant)
{
    for (const mishap::counterexample& c : found.counterexamples)
        if (c.invariant == invariant)
            return &c;
    return nullptr;
}

/// What comes late counts, too.
std::size_t size_of(const mishap::fault_plan& plan)
{
    return plan.perturbations.size() + plan.arrivals.size() + plan.sequential + plan.relay;
}

/// Of the smallest plan that breaks the row's rule; nothing where two perturbations do not.
std::optional<std::size_t> known_minimum(const pair& row)
{
    for (const unsigned perturbations : {0u, 1u, 2u}) {
        const auto found = mishap::sweep(
            wrong_one(row), {.perturbations = perturbations, .kinds = row.kinds, .limits = row.limits});
        if (const auto* c = find(found, row.invariant))
            return size_of(c->minimal.fired);
    }
    return std::nullopt;
}

} // namespace

TEST(shrinking, table)
{
    fmt::print("{:<28} {:<60} {:>6} {:>6} {:>6}\n", "invariant", "manager", "before", "after", "known");
    for (const pair& row : registered()) {
        if (row.explore)
            continue;
        std::vector<mishap::fault_kind> kinds;
        for (const mishap::fault& kind : row.kinds)
            kinds.push_back(kind.kind);
        const auto drawn = mishap::random_campaign(
            wrong_one(row), {.cases = 300, .seed = 7, .kinds = kinds, .limits = row.limits});
        const mishap::counterexample* c = find(drawn, row.invariant);
        const auto known = known_minimum(row);
        fmt::print("{:<28} {:<60} {:>6} {:>6} {:>6}\n", row.invariant, row.wrong,
            c ? std::to_string(size_of(c->found)) : "-", c ? std::to_string(size_of(c->minimal.fired)) : "-",
            known ? std::to_string(*known) : "-");
        if (c && known && !c->nondeterministic) {
            EXPECT_LE(size_of(c->minimal.fired), *known)
                << row.wrong << ": " << to_string(c->found) << " -> " << to_string(c->minimal.fired);
        }
    }
    std::fflush(stdout);
}

} // namespace pairs
