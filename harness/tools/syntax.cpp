// SPDX-License-Identifier: MIT
#include "syntax.hpp"

#include <algorithm>
#include <cctype>
#include <utility>

namespace mishap::tools {

source::source(std::string path, std::string text) : path_(std::move(path)), text_(std::move(text))
{
    starts_.push_back(0);
    for (std::size_t i = 0; i < text_.size(); ++i)
        if (text_[i] == '\n')
            starts_.push_back(static_cast<unsigned>(i + 1));
}

place source::at(unsigned offset) const
{
    const auto after = std::upper_bound(starts_.begin(), starts_.end(), offset);
    const auto line = static_cast<unsigned>(after - starts_.begin());
    const unsigned start = line == 0 ? 0 : starts_[line - 1];
    return {path_, std::max(line, 1u), offset - start + 1, offset};
}

std::string_view source::line(unsigned number) const
{
    if (number == 0 || number > starts_.size())
        return {};
    const std::size_t begin = starts_[number - 1];
    std::size_t end = number < starts_.size() ? starts_[number] - 1 : text_.size();
    if (end > begin && text_[end - 1] == '\r')
        --end;
    return std::string_view(text_).substr(begin, end - begin);
}

std::string unit::text(const function& in, const node& of) const
{
    const std::string& all = file_of(in).text();
    const std::size_t begin = std::min<std::size_t>(of.begin, all.size());
    const std::size_t end = std::min<std::size_t>(std::max(of.end, of.begin), all.size());
    std::string found;
    for (std::size_t i = begin; i < end; ++i) {
        const bool blank = std::isspace(static_cast<unsigned char>(all[i])) != 0;
        if (!blank)
            found += all[i];
        else if (!found.empty() && found.back() != ' ')
            found += ' ';
    }
    return found;
}

std::string_view callee(const node& call)
{
    if (call.kind == shape::call || call.kind == shape::construct)
        return call.name;
    return {};
}

const node* object_of(const node& call)
{
    if (call.kind != shape::call || call.parts.empty())
        return nullptr;
    const node& called = call.parts.front();
    return called.kind == shape::member && !called.parts.empty() ? &called.parts.front() : nullptr;
}

std::string object_path(const node& of)
{
    switch (of.kind) {
    case shape::name:
        return of.name;
    case shape::member: {
        if (of.parts.empty())
            return "this." + of.name;
        const std::string base = object_path(of.parts.front());
        return base.empty() ? "" : base + "." + of.name;
    }
    case shape::unary:
        return (of.name == "*" || of.name == "&") && of.parts.size() == 1 ? object_path(of.parts.front())
                                                                          : "";
    case shape::construct:
        return of.parts.size() == 1 ? object_path(of.parts.front()) : "";
    case shape::call: {
        const std::string_view name = callee(of);
        if ((name == "get" || name == "value") && of.parts.size() == 1) {
            const node* const object = object_of(of);
            return object ? object_path(*object) : "";
        }
        if ((name == "move" || name == "forward" || name == "ref" || name == "as_const" ||
                name == "addressof") &&
            of.parts.size() == 2)
            return object_path(of.parts[1]);
        return "";
    }
    case shape::other:
        return of.parts.size() == 1 ? object_path(of.parts.front()) : "";
    default:
        return "";
    }
}

bool contains(const node& tree, shape kind)
{
    bool found = false;
    walk(tree, [&](const node& below) {
        found = found || below.kind == kind;
        return !found && below.kind != shape::lambda;
    });
    return found;
}

} // namespace mishap::tools
