#include "document_rules.hpp"

namespace mishap::detail {

std::span<const document_rule> document_rules()
{
    static const std::vector<document_rule> rules{
        {"clean-up runs whatever happens", {"closes_everything"}},
        {"track what was created; check it before cleaning up", {"closes_once", "closes_only_what_exists"}},
        {"never raise from clean-up; log its failures instead", {"preserves_error", "swallows_no_error"}},
        {"lend exactly once", {"body_runs_once"}},
        {"a time-out on everything that can hang", {"honours_timeout", "completes"}},
        {"lock what only one may use", {"exclusive", "one_at_a_time"}},
        {"watch for leaks", {"closes_everything", "no_stray_work"}},
        {"pools: reuse, capacity, warming", {"within_capacity", "recovers", "discards_broken"}},
    };
    return rules;
}

} // namespace mishap::detail
