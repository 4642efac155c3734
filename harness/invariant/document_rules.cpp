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
        {"a time-out on everything that can hang", {"honours_timeout", "completes"}},
        {"lock what only one may use", {"exclusive", "one_at_a_time", "releases_what_it_acquires"}},
        {"count what is active; watch for leaks",
            {"balanced_statistics", "closes_everything", "no_stray_work"}},
        {"nested managers; one resource for each", {"closes_in_reverse", "commits_or_rolls_back"}},
        {"pools: reuse, capacity, warming", {"within_capacity", "recovers", "discards_broken"}},
    };
    return rules;
}

} // namespace mishap::detail
