// SPDX-License-Identifier: MIT
#pragma once
/// What the documents call a ServiceResult: a value, or what went wrong. Plain C++.

#include <exception>
#include <optional>
#include <string>
#include <utility>

namespace catalogue {

template <class T>
class service_result
{
public:
    static service_result ok(T data)
    {
        service_result made;
        made.data_.emplace(std::move(data));
        return made;
    }

    /// Precondition: `error` is not null.
    static service_result fail(std::exception_ptr error)
    {
        service_result made;
        made.error_ = std::move(error);
        return made;
    }

    bool has_value() const noexcept { return data_.has_value(); }
    /// Precondition: there is a value.
    T& data() { return *data_; }
    /// Null where there is a value.
    const std::exception_ptr& error() const noexcept { return error_; }

    /// What the error says, for people.
    std::string message() const
    {
        if (!error_)
            return "ok";
        try {
            std::rethrow_exception(error_);
        } catch (const std::exception& e) {
            return e.what();
        } catch (...) {
            return "an unknown error";
        }
    }

private:
    service_result() = default;

    std::optional<T> data_;
    std::exception_ptr error_;
};

} // namespace catalogue
