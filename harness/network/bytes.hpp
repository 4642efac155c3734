// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstring>
#include <string_view>
#include <vector>

namespace mishap::network {

/// Bytes in order: appended at the end, taken from the front. Keeps its memory when it is emptied.
class bytes
{
public:
    std::size_t size() const noexcept { return held_.size() - head_; }
    bool empty() const noexcept { return size() == 0; }
    const char* data() const noexcept { return held_.data() + head_; }
    std::string_view view() const noexcept { return {data(), size()}; }

    void append(const char* from, std::size_t count) { held_.insert(held_.end(), from, from + count); }

    /// Preconditions: there are so many.
    void drop(std::size_t count) noexcept
    {
        head_ += count;
        if (head_ == held_.size()) {
            clear();
        } else if (head_ > held_.size() / 2) {
            std::memmove(held_.data(), held_.data() + head_, size());
            held_.resize(size());
            head_ = 0;
        }
    }

    void clear() noexcept
    {
        held_.clear();
        head_ = 0;
    }

private:
    std::vector<char> held_;
    std::size_t head_ = 0;
};

} // namespace mishap::network
