// SPDX-License-Identifier: MIT
#pragma once

#include "plan_words.hpp"

#include <mishap/operation.hpp>

namespace mishap::detail {

/// The words inside the brackets of one part of a plan, read one after the other.
class argument_reader
{
public:
    argument_reader(const word& arguments, std::string_view what, std::string_view example,
        notation written = notation::plan)
        : arguments_(arguments), what_(what), example_(example), written_(written)
    {
        for (const word& w : split_at(arguments.text, ' ', arguments.offset))
            if (!w.text.empty())
                words_.push_back(w);
    }

    [[noreturn]] void refuse(std::string_view why, std::size_t back = 0) const
    {
        const std::size_t at = next_ >= back ? next_ - back : 0;
        const std::string whole = written_ == notation::plan ? fmt::format("{}({})", what_, arguments_.text)
                                                             : fmt::format("{} {}", what_, arguments_.text);
        throw input_error(fmt::format("'{}': {}; write {}", whole, why, example_),
            at < words_.size() ? words_[at].offset : arguments_.offset);
    }

    bool done() const { return next_ == words_.size(); }
    /// The word that comes, or nothing.
    std::string_view peek(std::size_t ahead = 0) const
    {
        return next_ + ahead < words_.size() ? words_[next_ + ahead].text : std::string_view();
    }
    word take(std::string_view wanted)
    {
        if (done())
            refuse(fmt::format("it needs {}", wanted));
        return words_[next_++];
    }
    bool take_if(std::string_view text)
    {
        if (peek() != text)
            return false;
        ++next_;
        return true;
    }
    operation_id take_operation()
    {
        const word w = take("an operation");
        return at_offset(w.offset, [&] { return parse_operation(w.text); });
    }
    std::uint32_t take_number(std::string_view wanted)
    {
        const word w = take(wanted);
        return parse_number<std::uint32_t>(w.text, w.offset);
    }
    /// `+2`, or `otherwise` where there is none.
    std::uint32_t take_steps(std::uint32_t otherwise)
    {
        if (!peek().starts_with("+"))
            return otherwise;
        const word w = take("a number of steps");
        return parse_number<std::uint32_t>(w.text.substr(1), w.offset + 1);
    }
    void expect_end() const
    {
        if (!done())
            refuse("this is one word too many");
    }

private:
    word arguments_;
    std::string_view what_;
    std::string_view example_;
    notation written_;
    std::vector<word> words_;
    std::size_t next_ = 0;
};

} // namespace mishap::detail
