#include "invariants.hpp"
#include "reading.hpp"

#include <fmt/format.h>

namespace mishap::detail {

void judge_closes_only_what_exists(const evidence& e, violations& found)
{
    for (index i = 0; i < e.trace.operations.size(); ++i) {
        const operation_record& op = e.trace.operations[i];
        const bool gives_back = op.role == role::close || op.role == role::force_close ||
                                op.role == role::commit || op.role == role::rollback ||
                                op.role == role::release;
        if (!gives_back || op.resource == none || e.excused(op.id.lane))
            continue;
        const resource_record& resource = e.trace.resources[op.resource];
        const operation_record* create =
            resource.create == none ? nullptr : &e.trace.operations[resource.create];
        // A create whose reply was lost has taken effect all the same.
        const bool took_effect =
            create && !yielded_nothing(*create) &&
            (create->result == result::ok || create->fault.kind == fault_kind::fail_after_effect);
        const bool existed = took_effect && create->completed < op.started;
        if (existed)
            continue;
        violation v{
            .sentence = fmt::format(
                "{} was started on a {} that never was open", name_of(e, i), resource.kind.text()),
            .lane = op.id.lane,
            .resource = op.resource,
            .role = op.role,
            .expected = "nothing to close, so nothing closed",
            .actual = create ? fmt::format("{} {}", name_of(e, resource.create),
                                   yielded_nothing(*create)            ? "had yielded nothing"
                                   : create->result == result::failed  ? "had failed"
                                   : create->result == result::pending ? "had not ended"
                                   : create->completed > op.started    ? "had not ended"
                                                                       : "had been given up")
                             : "no create was ever started",
        };
        if (create)
            v.proof.push_back(
                {create->completed == none ? create->started : create->completed, "gives no resource"});
        v.proof.push_back({op.started, "closes it all the same"});
        found.push_back(std::move(v));
    }
}

} // namespace mishap::detail
