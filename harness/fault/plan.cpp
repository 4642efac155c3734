// SPDX-License-Identifier: MIT
#include <mishap/plan.hpp>

namespace mishap {

std::string_view to_string(moment when) noexcept
{
    switch (when) {
    case moment::before:
        return "before";
    case moment::queued:
        return "queued";
    case moment::after:
        return "after";
    case moment::steps:
        return "steps";
    }
    return "?";
}

const perturbation* fault_plan::find(const operation_id& id) const noexcept
{
    for (const perturbation& p : perturbations)
        if (p.strikes(id))
            return &p;
    return nullptr;
}

const repetition* perturbation::repeats() const noexcept
{
    const auto* one = std::get_if<operation_fault>(&what);
    return one && one->repeats ? &*one->repeats : nullptr;
}

mishap::fault perturbation::fault() const noexcept
{
    if (const auto* one = std::get_if<operation_fault>(&what))
        return one->fault;
    if (const auto* of_body = fails_body())
        return mishap::fault::fail(of_body->error);
    return {};
}

bool perturbation::strikes(const operation_id& id) const noexcept
{
    if (!is_fault())
        return false;
    const repetition* many = repeats();
    if (!many)
        return at == id;
    return at.kind == id.kind && at.name == id.name && at.attempt == id.attempt &&
           (many->every_lane || at.lane == id.lane) && at.occurrence <= id.occurrence &&
           id.occurrence <= many->last;
}

fault_plan& fault_plan::at(std::string_view operation, fault what)
{
    perturbations.push_back({.at = parse_operation(operation), .what = operation_fault{what}});
    return *this;
}

} // namespace mishap
