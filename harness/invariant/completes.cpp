#include "invariants.hpp"
#include "reading.hpp"

#include <fmt/format.h>

namespace mishap::detail {

void judge_completes(const evidence& e, violations& found)
{
    for (std::size_t i = 0; i < e.trace.outcomes.size(); ++i) {
        const outcome& client = e.trace.outcomes[i];
        const auto in = static_cast<lane>(i);
        if (client.stuck != none) {
            bool blamed = false;
            for (const waiting& wait : waits_at(e.trace, in, client.stuck)) {
                // The body's own work may hang: nobody but the body promised anything about it.
                if (wait.in == phase::body || e.contract.is_unbounded(wait.in))
                    continue;
                const bool by_operation = wait.operation != none;
                const std::string what = by_operation ? name_of(e, wait.operation) : "something that is no operation";
                violation v{
                    .sentence = fmt::format("{} waits for {} for ever", name_of_client(e, in), what),
                    .lane = in,
                    .expected = "every client ends",
                    .actual = fmt::format("it was still waiting when nothing was left that could happen"),
                };
                if (by_operation) {
                    const operation_record& op = e.trace.operations[wait.operation];
                    v.resource = op.resource;
                    v.role = op.role;
                    v.proof.push_back({op.started, "never ends"});
                }
                v.proof.push_back({client.stuck, "stuck"});
                found.push_back(std::move(v));
                blamed = true;
                break;
            }
            if (blamed)
                continue;
        }
        const bool cut_short = client.ending == ending::running; // by a limit, which is a verdict of its own
        if (client.ended == none && !cut_short)
            found.push_back({
                .sentence = fmt::format(
                    "{} never ended, although it was cancelled and everything it waited for failed",
                    name_of_client(e, in)),
                .lane = in,
                .proof = {{client.stuck, "stuck"}},
                .expected = "a cancelled client ends",
                .actual = "it is still suspended",
            });
    }
}

} // namespace mishap::detail
