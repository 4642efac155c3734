// SPDX-License-Identifier: MIT
#include "operations.hpp"

#include "fault/behaviour.hpp"

#include <mishap/error.hpp>

#include <boost/system/system_error.hpp>

#include <optional>
#include <string>
#include <system_error>
#include <utility>

namespace mishap::detail {

namespace {

/// The name of the error that the exception is, or what it says where it is none that is registered.
symbol name_of(const std::exception_ptr& thrown) { return symbol(describe(thrown)); }

/// The code of a `system_error`, or nothing.
std::optional<boost::system::error_code> code_in(const std::exception_ptr& thrown)
{
    try {
        std::rethrow_exception(thrown);
    } catch (const std::system_error& e) {
        return boost::system::error_code(e.code());
    } catch (...) {
        return std::nullopt;
    }
}

} // namespace

/// Does what the operation does outside the simulation, if it takes effect, and says how it ends after all.
result operations::take_effect(index operation, const real_effect& effect, result how)
{
    operation_record& op = at(operation);
    // As in the ledger: of a create whose reply was lost nothing is left that anybody could close.
    const behaviour& does = behaviour_of(op.fault.kind);
    const bool takes_effect = op.role == role::create ? how == result::ok && !does.yields_nothing
                                                      : how == result::ok || does.loses_reply;
    if (!takes_effect)
        return how;
    // It may block, start threads and ask the real clock: virtual time stands still meanwhile.
    seam* const simulating = std::exchange(active_seam(), nullptr);
    std::exception_ptr error;
    try {
        effect();
    } catch (...) {
        error = std::current_exception();
    }
    active_seam() = simulating;
    // Whoever was cancelled is not told how it ended.
    if (!error || (how != result::ok && how != result::failed))
        return how;
    // Nothing that it started can have added an operation: the record is where it was.
    op.error = error;
    op.failed_by_itself = name_of(error);
    // A code from outside bears no mark, so that a copy of it is told by its value.
    if (const auto code = code_in(error))
        record_->values.push_back(
            {operation, [code](const std::exception_ptr& thrown) { return code_in(thrown) == code; }});
    return result::failed;
}

} // namespace mishap::detail
