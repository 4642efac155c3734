// SPDX-License-Identifier: MIT
/// Interruptions and deviations: where they strike, and how what was held back goes on.

#include "world.hpp"

#include <memory>
#include <vector>

namespace mishap::detail {

void world::strike_due()
{
    for (std::size_t from = 0; const auto due = interruptions_.take_due(from);) {
        if (due->point.what == interruption::action::cancel) {
            clients_.cancel(
                static_cast<std::size_t>(due->point.client), due->point.type, due->plan_index, due->what);
        } else if (due->point.client == whole_world) {
            abandon_world(*due);
            return;
        } else {
            abandon_client(*due);
        }
    }
    strike_owed();
}

void world::strike_owed()
{
    while (const auto operation = interruptions_.take_owed()) {
        const operation_record& op = record_->operations[*operation];
        // What it outlives is noted first: being cancelled takes it out again.
        if (op.result == result::pending)
            operations_.wait_for(*operation, waits_for::rest);
        if (op.id.lane >= 0)
            clients_.cancel(static_cast<std::size_t>(op.id.lane), op.fault.type, none, {});
    }
}

/// Destroys what this client has suspended or queued. Its coroutines' frames are then destroyed through its
/// executor, in steps of their own, as Asio does it; whatever their destructors start runs.
void world::abandon_client(const interruptions::strike& due)
{
    const lane in = due.point.client;
    const auto client = static_cast<std::size_t>(in);
    if (!clients_.mark_abandoned(client, due.plan_index, due.what))
        return;
    // What Asio itself holds, such as a timer, is dropped where it arrives at this executor.
    handlers_.abandon_work_of(in);
    std::vector<index> suspended_here;
    operations_.for_each_suspended([&](index operation) {
        if (record_->operations[operation].id.lane == in)
            suspended_here.push_back(operation);
    });
    std::vector<std::unique_ptr<suspended>> dropped;
    for (const index operation : suspended_here) {
        forget(operation);
        dropped.push_back(operations_.abandon(operation));
    }
    std::vector<handlers::ready> unwanted;
    handlers_.take_all_of(in, unwanted);
    {
        const speaking_as client_itself(handlers_, in, {origin::strike, record_->outcomes[client].abandoned});
        dropped.clear();
        unwanted.clear();
        // This makes Asio give up what it holds for the client, so that it arrives and is dropped now.
        clients_.give_up(client);
    }
    clients_.start_next();
}

void world::abandon_world(const interruptions::strike& due)
{
    record_->world_abandoned = record_.add(event_kind::client_abandoned, background_lane, none);
    record_.add_strike(due.plan_index, due.what, record_->world_abandoned);
    clients_.mark_world_abandoned();
}

bool world::strike_before(const resource& on, role what, symbol name, lane in)
{
    if (!interruptions_.may_come_before())
        return false;
    const auto due = interruptions_.take_before(operations_.next_id(handle_of(on), what, name, in));
    if (!due)
        return false;
    struck_before_ = clients_.cancel(
        static_cast<std::size_t>(due->point.client), due->point.type, due->plan_index, due->what);
    return true;
}

void world::release(index operation)
{
    if (chooser_)
        operations_.wait_for(operation, waits_for::chooser);
    else
        complete(operation);
}

void world::release_stepped(lane in)
{
    interruptions_.note_step(in);
    while (const auto operation = interruptions_.take_released())
        release(*operation);
}

} // namespace mishap::detail
