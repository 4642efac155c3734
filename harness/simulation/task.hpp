// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

namespace mishap::detail {

/// A move-only `void()` that keeps what an Asio handler usually weighs inside itself.
class task
{
public:
    task() noexcept = default;

    template <class F>
    requires(!std::is_same_v<std::decay_t<F>, task>) explicit task(F&& f)
    {
        using value = std::decay_t<F>;
        if constexpr (fits<value>) {
            ::new (static_cast<void*>(bytes_)) value(std::forward<F>(f));
            table_ = &inside<value>;
        } else {
            ::new (static_cast<void*>(bytes_)) value*(new value(std::forward<F>(f)));
            table_ = &outside<value>;
        }
    }

    task(task&& other) noexcept : table_(std::exchange(other.table_, nullptr))
    {
        if (table_)
            table_->move(other.bytes_, bytes_);
    }

    task& operator=(task&& other) noexcept
    {
        if (this != &other) {
            reset();
            table_ = std::exchange(other.table_, nullptr);
            if (table_)
                table_->move(other.bytes_, bytes_);
        }
        return *this;
    }

    ~task() { reset(); }

    explicit operator bool() const noexcept { return table_ != nullptr; }

    /// Runs it, once: the callable is moved out first, so that it may destroy whatever holds this task.
    void operator()() { std::exchange(table_, nullptr)->run(bytes_); }

private:
    static constexpr std::size_t size = 48;

    template <class F>
    static constexpr bool fits =
        sizeof(F) <= size &&
        alignof(F) <= alignof(std::max_align_t) && std::is_nothrow_move_constructible_v<F>;

    struct functions
    {
        void (*run)(void*);
        void (*move)(void* from, void* to) noexcept;
        void (*destroy)(void*) noexcept;
    };

    template <class F>
    static constexpr functions inside{
        [](void* bytes) {
            F f(std::move(*static_cast<F*>(bytes)));
            static_cast<F*>(bytes)->~F();
            std::move(f)();
        },
        [](void* from, void* to) noexcept {
            ::new (to) F(std::move(*static_cast<F*>(from)));
            static_cast<F*>(from)->~F();
        },
        [](void* bytes) noexcept { static_cast<F*>(bytes)->~F(); },
    };

    template <class F>
    static constexpr functions outside{
        [](void* bytes) {
            F* held = *static_cast<F**>(bytes);
            F f(std::move(*held));
            delete held;
            std::move(f)();
        },
        [](void* from, void* to) noexcept { ::new (to) F*(*static_cast<F**>(from)); },
        [](void* bytes) noexcept { delete *static_cast<F**>(bytes); },
    };

    void reset() noexcept
    {
        if (table_)
            std::exchange(table_, nullptr)->destroy(bytes_);
    }

    const functions* table_ = nullptr;
    alignas(std::max_align_t) std::byte bytes_[size];
};

} // namespace mishap::detail
