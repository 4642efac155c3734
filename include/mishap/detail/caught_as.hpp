// SPDX-License-Identifier: MIT
#pragma once
/// Looks into an exception without throwing it: a throw costs as much as hundreds of operations.

#include <exception>
#include <type_traits>
#include <typeinfo>

namespace mishap::detail {

/// Tells exception objects apart: equal for equal pointers.
inline const void* object_of(const std::exception_ptr& thrown) noexcept
{
    static_assert(sizeof(thrown) == sizeof(void*));
    return *reinterpret_cast<void* const*>(&thrown);
}

/// What `catch (const Exception&)` would bind to, or null. It lives as long as the pointer's exception.
template <class Exception>
const Exception* caught_as(const std::exception_ptr& thrown)
{
    if (!thrown)
        return nullptr;
#if defined(__GLIBCXX__) && defined(__GXX_RTTI)
    // An exception_ptr of libstdc++ is one pointer to the object. What is thrown by pointer is caught by
    // other rules, which only a handler knows.
    if constexpr (std::is_class_v<Exception> || std::is_arithmetic_v<Exception> ||
                  std::is_enum_v<Exception>) {
        void* object = const_cast<void*>(object_of(thrown));
        return typeid(Exception).__do_catch(thrown.__cxa_exception_type(), &object, 1)
                   ? static_cast<const Exception*>(object)
                   : nullptr;
    }
#endif
    try {
        std::rethrow_exception(thrown);
    } catch (const Exception& caught) {
        return &caught;
    } catch (...) {
        return nullptr;
    }
}

} // namespace mishap::detail
