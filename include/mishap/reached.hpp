// SPDX-License-Identifier: MIT
#pragma once
/// Places that a test must reach at least once, for production code and adapters alike. Needs nothing else of
/// mishap: without a simulation under way a place costs a load and a branch that is not taken.
///
/// ```
/// if (lease.expired()) {
///     MISHAP_REACHED("evicted while leased");
///     evict(lease);
/// }
/// ```

#include <atomic>
#include <cstddef>

namespace mishap::detail {

/// A place of this program. All are known before `main`, whether anybody ever reaches them or not.
struct reached_site
{
    const char* what;
    const reached_site* next;
};

inline constinit std::atomic<const reached_site*> reached_sites{nullptr};

/// What is told of each place that is reached; null until mishap simulates something.
inline constinit std::atomic<void (*)(const reached_site&)> reached_hook{nullptr};

template <std::size_t Size>
struct reached_text
{
    char text[Size]{};

    // NOLINTNEXTLINE: a literal is what a template argument can be made of
    constexpr reached_text(const char (&literal)[Size])
    {
        for (std::size_t i = 0; i < Size; ++i)
            text[i] = literal[i];
    }
};

/// Equal texts are one place.
template <reached_text What>
class reached
{
    struct registered : reached_site
    {
        registered() noexcept : reached_site{What.text, reached_sites.load(std::memory_order_relaxed)}
        {
            while (!reached_sites.compare_exchange_weak(next, this, std::memory_order_release))
                continue;
        }
    };
    static inline registered site;

public:
    static void note()
    {
        if (auto* const tell = reached_hook.load(std::memory_order_relaxed))
            tell(site);
    }
};

} // namespace mishap::detail

/// Says that a test should come here at least once: campaigns count in how many runs it was, and a campaign
/// that is asked for it by this text (`require`) fails where it never was.
///
/// The argument is a literal, which names the place: places of one text are one. Restrictions: code that is
/// compiled into a static library counts only where the program links that part of it.
#define MISHAP_REACHED(what) ::mishap::detail::reached<::mishap::detail::reached_text(what)>::note()
