// SPDX-License-Identifier: MIT
#include <mishap/invariant.hpp>

#include <vector>

MISHAP_INVARIANT(asks_once, "a client asks each resource once", const mishap::evidence& e,
    std::vector<mishap::violation>& found)
{
    std::vector<int> asked(e.trace.resources.size());
    for (const mishap::operation_record& op : e.trace.operations)
        if (op.role == mishap::role::use && op.resource != mishap::none && ++asked[op.resource] > 1)
            found.push_back(e.broken_by(op, e.name_of(op) + " asks once more"));
}
