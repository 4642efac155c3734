// SPDX-License-Identifier: MIT
#include "misuse.hpp"

namespace mishap::detail {

usage& usage_of_run() noexcept
{
    static thread_local usage mine;
    return mine;
}

} // namespace mishap::detail
