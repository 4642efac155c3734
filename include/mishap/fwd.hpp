// SPDX-License-Identifier: MIT
#pragma once
/// Declarations only: what a header needs that names mishap's types without using them.

#include <chrono>
#include <cstdint>

namespace mishap {

/// Every duration in mishap is in virtual nanoseconds, unless its name says otherwise.
using duration = std::chrono::nanoseconds;

class chooser;
class client;
class environment;
class manager;
class mock_resource;
class resource;
class symbol;

struct campaign_result;
struct contract;
struct fault;
struct fault_plan;
struct operation_id;
struct perturbation;
struct run_result;
struct supply;
struct trace;
struct verdict;
struct violation;

} // namespace mishap
