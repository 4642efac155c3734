// SPDX-License-Identifier: MIT
#include "script.hpp"

#include "kernel.hpp"

#include <mishap/duration.hpp>
#include <mishap/input_error.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace mishap::network {

namespace {

struct row
{
    script::verb verb;
    std::string_view word;
    enum class parameter
    {
        none,
        bytes,
        count,
        time
    } takes;
};

constexpr row table[] = {
    {script::verb::expect, "expect", row::parameter::bytes},
    {script::verb::skip, "skip", row::parameter::count},
    {script::verb::until, "until", row::parameter::bytes},
    {script::verb::reply, "reply", row::parameter::bytes},
    {script::verb::wait, "wait", row::parameter::time},
    {script::verb::close, "close", row::parameter::none},
    {script::verb::reset, "reset", row::parameter::none},
    {script::verb::silence, "silence", row::parameter::none},
};

int hexadecimal(char digit) noexcept
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    const char lower = static_cast<char>(digit | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

std::string parse_hexadecimal(std::string_view text, std::size_t from)
{
    std::string raw;
    int high = -1;
    for (std::size_t i = from; i < text.size(); ++i) {
        if (text[i] == ' ' || text[i] == '\t')
            continue;
        const int digit = hexadecimal(text[i]);
        if (digit < 0)
            throw input_error(fmt::format("'{}' is no hexadecimal digit", text[i]), i);
        if (high < 0) {
            high = digit;
        } else {
            raw.push_back(static_cast<char>(high * 16 + digit));
            high = -1;
        }
    }
    if (high >= 0)
        throw input_error("a byte is two hexadecimal digits: the last one is alone", text.size());
    return raw;
}

std::string_view trim(std::string_view text)
{
    const auto first = text.find_first_not_of(" \t\r");
    if (first == std::string_view::npos)
        return {};
    return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

} // namespace

std::string_view to_string(script::verb verb) noexcept
{
    for (const row& r : table)
        if (r.verb == verb)
            return r.word;
    return "?";
}

std::string parse_bytes(std::string_view text)
{
    constexpr std::string_view hex = "hex ";
    if (text.substr(0, hex.size()) == hex)
        return parse_hexadecimal(text, hex.size());
    std::string raw;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\') {
            raw.push_back(text[i]);
            continue;
        }
        const std::size_t at = i;
        const char next = ++i < text.size() ? text[i] : '\0';
        switch (next) {
        case 'n':
            raw.push_back('\n');
            break;
        case 'r':
            raw.push_back('\r');
            break;
        case 't':
            raw.push_back('\t');
            break;
        case '0':
            raw.push_back('\0');
            break;
        case '\\':
        case '"':
            raw.push_back(next);
            break;
        case 'x': {
            const int high = i + 1 < text.size() ? hexadecimal(text[i + 1]) : -1;
            const int low = i + 2 < text.size() ? hexadecimal(text[i + 2]) : -1;
            if (high < 0 || low < 0)
                throw input_error("\\x is followed by two hexadecimal digits", at);
            raw.push_back(static_cast<char>(high * 16 + low));
            i += 2;
            break;
        }
        default:
            throw input_error(
                "a backslash is followed by n, r, t, 0, x and two digits, \\ or \"; write \\\\ for itself",
                at);
        }
    }
    return raw;
}

std::string print_bytes(std::string_view raw)
{
    const auto printable = [](char byte) {
        return (byte >= ' ' && byte <= '~') || byte == '\n' || byte == '\r' || byte == '\t';
    };
    const auto plain = static_cast<std::size_t>(std::count_if(raw.begin(), raw.end(), printable));
    std::string text;
    if (plain * 10 < raw.size() * 9) {
        text = "hex";
        for (const char byte : raw)
            text += fmt::format(" {:02x}", static_cast<unsigned char>(byte));
        return text;
    }
    for (std::size_t i = 0; i < raw.size(); ++i) {
        const char byte = raw[i];
        // A blank at either end would be lost, and `hex ` would be taken for the other form.
        const bool outermost = i == 0 || i + 1 == raw.size();
        const bool misread = i == 0 && raw.substr(0, 4) == "hex ";
        if (byte == '\n')
            text += "\\n";
        else if (byte == '\r')
            text += "\\r";
        else if (byte == '\t')
            text += "\\t";
        else if (byte == '\\')
            text += "\\\\";
        else if (!printable(byte) || (outermost && byte == ' ') || misread)
            text += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
        else
            text.push_back(byte);
    }
    return text;
}

script::step make_step(std::string_view word, std::string_view rest)
{
    for (const row& r : table) {
        if (r.word != word)
            continue;
        script::step step{.what = r.verb};
        if (rest.empty() != (r.takes == row::parameter::none))
            throw input_error(rest.empty() ? fmt::format("'{}' lacks what follows it", word)
                                           : fmt::format("nothing follows '{}'", word),
                0);
        if (r.takes == row::parameter::bytes) {
            step.data = parse_bytes(rest);
        } else if (r.takes == row::parameter::time) {
            step.time = parse_duration(rest);
        } else if (r.takes == row::parameter::count) {
            const auto [stop, error] = std::from_chars(rest.data(), rest.data() + rest.size(), step.count);
            if (error != std::errc() || stop != rest.data() + rest.size())
                throw input_error(fmt::format("'{}' is no number of bytes", rest), 0);
        }
        return step;
    }
    std::vector<std::string> known;
    for (const row& r : table)
        known.emplace_back(r.word);
    throw input_error(unknown_word("step of a peer", word, known), 0);
}

script::step parse_step(std::string_view whole)
{
    const std::string_view line = trim(whole);
    const auto end = line.find(' ');
    const std::string_view word = line.substr(0, end);
    const std::string_view rest = end == std::string_view::npos ? "" : trim(line.substr(end));
    const bool known =
        std::any_of(std::begin(table), std::end(table), [&](const row& r) { return r.word == word; });
    const auto start = static_cast<std::size_t>(line.data() - whole.data());
    try {
        return make_step(word, rest);
    } catch (const input_error& e) {
        throw input_error(e.what(), start + (known ? line.size() - rest.size() : 0) + e.offset());
    }
}

std::string to_string(const script::step& step)
{
    std::string text(to_string(step.what));
    for (const row& r : table) {
        if (r.verb != step.what)
            continue;
        if (r.takes == row::parameter::bytes)
            text += ' ' + print_bytes(step.data);
        else if (r.takes == row::parameter::count)
            text += ' ' + std::to_string(step.count);
        else if (r.takes == row::parameter::time)
            text += ' ' + mishap::to_string(step.time);
    }
    return text;
}

script parse_script(std::string_view text)
{
    script read;
    std::size_t number = 0;
    while (!text.empty()) {
        const auto end = text.find('\n');
        const std::string_view line = trim(text.substr(0, end));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        ++number;
        if (line.empty() || line.front() == '#')
            continue;
        try {
            read.steps.push_back(parse_step(line));
        } catch (const input_error& e) {
            throw input_error(fmt::format("line {}: {}", number, e.what()), e.offset());
        }
    }
    return read;
}

std::string to_string(const script& text)
{
    std::string lines;
    for (const script::step& step : text.steps)
        lines += to_string(step) + '\n';
    return lines;
}

bool script_player::expect(const script::step& step)
{
    bytes& got = end_->incoming;
    const auto take = [&](std::size_t count) {
        got.drop(count);
        kernel_->space_made(*end_);
        return true;
    };
    if (step.what == script::verb::skip)
        return got.size() >= step.count && take(step.count);
    if (step.what == script::verb::until) {
        const auto at = got.view().find(step.data);
        return at != std::string_view::npos && take(at + step.data.size());
    }
    const std::size_t common = std::min(got.size(), step.data.size());
    if (got.view().substr(0, common) != std::string_view(step.data).substr(0, common)) {
        const auto differs = std::mismatch(got.data(), got.data() + common, step.data.begin()).first;
        complain(fmt::format("it expected \"{}\", and got \"{}\" (they differ at byte {})",
            print_bytes(step.data), print_bytes(got.view().substr(0, 200)), differs - got.data()));
        return false;
    }
    return got.size() >= step.data.size() && take(step.data.size());
}

void script_player::complain(std::string_view why) const
{
    if (kernel_->watcher_)
        kernel_->watcher_->mismatch(fmt::format("the scripted peer {} stopped at step {} ({}): {}", name_,
            position_ + 1, to_string(text_->steps[position_]), why));
    // Whoever talks to it notices, too.
    kernel_->abort(*end_);
}

void script_player::play()
{
    while (!over_ && end_->at == stage::established) {
        if (position_ == text_->steps.size()) {
            // It has said all that it has to say, and waits for the other side to close.
            over_ = end_->got_end;
            if (over_)
                kernel_->end_sending(*end_);
            return;
        }
        const script::step& step = text_->steps[position_];
        switch (step.what) {
        case script::verb::expect:
        case script::verb::skip:
        case script::verb::until:
            if (!expect(step)) {
                if (end_->got_end && end_->at == stage::established) {
                    kernel_->end_sending(*end_);
                    over_ = true;
                }
                return;
            }
            break;
        case script::verb::reply: {
            const iovec all{const_cast<char*>(step.data.data()), step.data.size()};
            end_->receive_buffer = default_buffer;
            kernel_->send_all(*end_, all);
            break;
        }
        case script::verb::wait:
            if (waits_until_ < duration(0)) {
                waits_until_ = kernel_->now() + step.time;
                kernel_->schedule(waits_until_, kernel::due::script, *end_);
            }
            if (kernel_->now() < waits_until_)
                return;
            waits_until_ = duration(-1);
            break;
        case script::verb::close:
            over_ = true;
            kernel_->close_far_end(*end_);
            return;
        case script::verb::reset:
            over_ = true;
            kernel_->abort(*end_);
            return;
        case script::verb::silence:
            over_ = true;
            return;
        }
        ++position_;
    }
}

std::string script_player::describe() const
{
    if (over_ || position_ == text_->steps.size())
        return "its script is over";
    return fmt::format("its script is at step {} ({})", position_ + 1, to_string(text_->steps[position_]));
}

} // namespace mishap::network
