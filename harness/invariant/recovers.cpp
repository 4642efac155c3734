#include "invariants.hpp"
#include "reading.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace mishap::detail {

void judge_recovers(const evidence& e, violations& found)
{
    const std::size_t probes = e.contract.fresh_clients();
    // They come again where some were refused, so that the last ones count; but an error of another kind
    // counts always.
    const auto fresh = static_cast<std::size_t>(std::count_if(e.trace.outcomes.begin(),
        e.trace.outcomes.end(), [](const outcome& client) { return client.probe; }));
    const std::size_t earlier = fresh - std::min(fresh, probes);
    std::size_t seen = 0;
    std::size_t served = 0;
    const outcome* failed = nullptr;
    lane in = 0;
    for (std::size_t i = 0; i < e.trace.outcomes.size(); ++i) {
        const outcome& client = e.trace.outcomes[i];
        if (!client.probe)
            continue;
        if (seen % probes == 0 && !failed)
            served = 0;
        else if (seen % probes == 0)
            break;
        const bool ok = client.ended != none && !client.error && client.stuck == none;
        served += ok;
        if (!ok && !failed && (seen >= earlier || !was_refused(e, static_cast<lane>(i)))) {
            failed = &client;
            in = static_cast<lane>(i);
        }
        ++seen;
    }
    if (!failed || e.excused(in) || !e.plan.invalid_settings.empty())
        return;
    for (std::size_t i = 0; i < e.consequence.size(); ++i)
        if (e.consequence[i])
            return; // somebody never came back, which is reported already
    found.push_back({
        .sentence =
            fmt::format("of {} fresh client{}, only {} were served afterwards; the first other one {}",
                probes, probes == 1 ? "" : "s", served,
                failed->stuck != none ? std::string("waits for ever")
                                      : fmt::format("saw {}", describe_error(e, failed->error))),
        .lane = in,
        .role = role::acquire,
        .proof = {{failed->stuck != none ? failed->stuck : failed->ended, "not served"}},
        .expected =
            e.contract.capacity
                ? fmt::format("as many clients as there is capacity ({}){} are served, with no fault about",
                      *e.contract.capacity,
                      e.contract.waiters == 0 ? std::string()
                                              : fmt::format(" and room to wait ({})", e.contract.waiters))
                : std::string("a client that comes afterwards is served, with no fault about"),
        .actual = fmt::format("{} of {}", served, probes),
    });
}

} // namespace mishap::detail
