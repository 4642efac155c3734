// SPDX-License-Identifier: MIT
#include "document_rules.hpp"

namespace mishap::detail {

std::span<const document_rule> document_rules()
{
    static const std::vector<document_rule> rules{
        {"clean-up runs whatever happens", {"closes_everything"}},
        {"track what was created; check it before cleaning up", {"closes_once", "closes_only_what_exists"}},
        {"never raise from clean-up; log its failures instead",
            {"preserves_error", "reports_cleanup_errors", "swallows_no_error"}},
        {"validate inputs before set-up; fail fast", {"validates_first"}},
        {"lend exactly once", {"body_runs_once"}},
        {"a timeout on everything that can hang", {"honours_timeout", "completes"}},
        {"lock what only one may use", {"exclusive", "one_at_a_time", "releases_what_it_acquires"}},
        {"count what is active; watch for leaks",
            {"balanced_statistics", "closes_everything", "no_stray_work"}},
        {"nested managers; one resource for each", {"closes_in_reverse", "commits_or_rolls_back"}},
        {"pools: reuse, capacity, warming", {"within_capacity", "recovers", "discards_broken"}},
    };
    return rules;
}

std::span<const document_item> document_items()
{
    static const std::vector<document_item> items{
        {"skill, avoid", 1, "missing finally block", {"closes_everything"},
            "scenarios/cleanup_on_exception/missing_finally.yaml"},
        {"skill, avoid", 2, "raising errors in finally", {"preserves_error"},
            "scenarios/cleanup_error/close_error_replaces_body_error.yaml"},
        {"skill, avoid", 3, "not tracking resource state", {"closes_only_what_exists"},
            "scenarios/none_resource/closes_what_never_was.yaml"},
        {"skill, avoid", 4, "optional config parameters", {"validates_first"},
            "scenarios/strict_manager/late_validation.yaml"},
        {"skill, avoid", 5, "forgetting the AsyncIterator type", {}, "selftests/compile_fail/wrong_type.cpp"},
        {"skill, avoid", 6, "not validating inputs", {"validates_first"},
            "scenarios/strict_manager/late_validation.yaml"},
        {"skill, follow", 1, "always use try/finally for cleanup", {"closes_everything"},
            "scenarios/cleanup_on_exception/missing_finally.yaml"},
        {"skill, follow", 2, "check resource is not None before cleanup", {"closes_only_what_exists"},
            "scenarios/none_resource/closes_what_never_was.yaml"},
        {"skill, follow", 3, "log cleanup errors, don't raise them", {"reports_cleanup_errors"},
            "scenarios/broken_rules/silent_cleanup.yaml"},
        {"skill, follow", 4, "validate config at entry, not in setup", {"validates_first"},
            "scenarios/strict_manager/late_validation.yaml"},
        {"skill, follow", 5, "use the AsyncIterator[T] type hint", {},
            "selftests/compile_fail/wrong_type.cpp"},
        {"skill, follow", 6, "make config parameters required", {"validates_first"},
            "scenarios/strict_manager/late_validation.yaml"},
        {"reference, do", 1, "always use try/finally", {"closes_everything"},
            "scenarios/cleanup_on_exception/missing_finally.yaml"},
        {"reference, do", 2, "track resource state", {"closes_only_what_exists"},
            "scenarios/none_resource/closes_what_never_was.yaml"},
        {"reference, do", 3, "validate inputs early", {"validates_first"},
            "scenarios/strict_manager/late_validation.yaml"},
        {"reference, do", 4, "type hint the return as AsyncIterator[T]", {},
            "selftests/compile_fail/wrong_type.cpp"},
        {"reference, do", 5, "handle cleanup errors gracefully (log, don't raise)",
            {"reports_cleanup_errors"}, "scenarios/broken_rules/silent_cleanup.yaml"},
        {"reference, do", 6, "document the resource lifecycle (here: in a contract, which is judged)",
            {"completes"}, "scenarios/session/hung_close_as_written.yaml"},
        {"reference, do", 7, "make config required", {"validates_first"},
            "scenarios/strict_manager/late_validation.yaml"},
        {"reference, do", 8, "test cleanup behavior", {"closes_everything"},
            "scenarios/cleanup_on_exception/missing_finally.yaml"},
        {"reference, do", 9, "monitor resource metrics", {"balanced_statistics"},
            "scenarios/session_with_stats/counter_drops_before_the_close_as_written.yaml"},
        {"reference, do", 10, "use dependency injection for testability", {"expectation"},
            "scenarios/mocked_context/by_hand_any_two_mishaps.yaml"},
        {"reference, avoid", 1, "don't yield multiple times", {"body_runs_once"},
            "scenarios/yields_twice/body_runs_twice.yaml"},
        {"reference, avoid", 2, "don't raise in finally", {"preserves_error"},
            "scenarios/cleanup_error/close_error_replaces_body_error.yaml"},
        {"reference, avoid", 3, "don't skip state tracking", {"closes_only_what_exists"},
            "scenarios/none_resource/closes_what_never_was.yaml"},
        {"reference, avoid", 4, "don't use the AsyncContextManager type", {},
            "selftests/compile_fail/wrong_type.cpp"},
        {"reference, avoid", 5, "don't create config defaults", {"validates_first"},
            "scenarios/strict_manager/late_validation.yaml"},
        {"reference, avoid", 6, "don't ignore cleanup failures", {"reports_cleanup_errors"},
            "scenarios/broken_rules/silent_cleanup.yaml"},
        {"reference, avoid", 7, "don't forget timeout protection", {"completes"},
            "scenarios/session/hung_close_as_written.yaml"},
        {"reference, avoid", 8, "don't skip testing cleanup", {"closes_everything"},
            "scenarios/cleanup_on_exception/missing_finally.yaml"},
        {"reference, avoid", 9, "don't mix sync/async", {"blocks_the_thread"},
            "scenarios/broken_rules/blocking_cleanup.yaml"},
        {"reference, avoid", 10, "don't violate single responsibility (one resource per manager)",
            {"closes_in_reverse"}, "scenarios/broken_rules/two_in_one.yaml"},
    };
    return items;
}

} // namespace mishap::detail
