// SPDX-License-Identifier: MIT
#pragma once
/// Everything that tests need but the GoogleTest and RapidCheck parts; `mishap/context.hpp` is for production
/// code. Costs about as much to compile as `boost/asio/awaitable.hpp`; include single headers where that
/// matters.

#include <mishap/account.hpp>
#include <mishap/chooser.hpp>
#include <mishap/contract.hpp>
#include <mishap/duration.hpp>
#include <mishap/environment.hpp>
#include <mishap/equivalent.hpp>
#include <mishap/error.hpp>
#include <mishap/explore.hpp>
#include <mishap/fault.hpp>
#include <mishap/input_error.hpp>
#include <mishap/invariant.hpp>
#include <mishap/manager.hpp>
#include <mishap/operation.hpp>
#include <mishap/plan.hpp>
#include <mishap/reached.hpp>
#include <mishap/replay.hpp>
#include <mishap/report.hpp>
#include <mishap/require.hpp>
#include <mishap/resource.hpp>
#include <mishap/result.hpp>
#include <mishap/run.hpp>
#include <mishap/scenario.hpp>
#include <mishap/symbol.hpp>
#include <mishap/trace.hpp>
