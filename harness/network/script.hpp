// SPDX-License-Identifier: MIT
#pragma once
/// Peers without code: what the far end of a connection expects, and what it answers.

#include <mishap/duration.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mishap::network {

class kernel;
struct socket;

/// What a peer does with one connection, step by step.
struct script
{
    enum class verb : std::uint8_t
    {
        expect, ///< these bytes, and no others
        skip,   ///< a number of bytes, whatever they are
        until,  ///< any bytes up to and with these
        reply,  ///< sends these bytes
        wait,   ///< lets time pass
        close,
        reset,
        silence, ///< says nothing any more, and keeps the connection
    };
    struct step
    {
        verb what = verb::silence;
        std::string data = {};
        std::size_t count = 0;
        duration time{0};
    };
    std::vector<step> steps = {};
};

std::string_view to_string(script::verb) noexcept;

/// Reads bytes as scripts write them: as text with `\n`, `\r`, `\t`, `\0`, `\\`, `\"` and `\xHH`, or after
/// `hex ` as pairs of hexadecimal digits with blanks wherever wanted.
///
/// Errors: throws `input_error` with the offset of what is no such byte.
std::string parse_bytes(std::string_view text);

/// Writes bytes as `parse_bytes` reads them: as text where most of them are printable, else as `hex`.
std::string print_bytes(std::string_view raw);

/// A step of which the word and what follows it are known; offsets of errors are those in `rest`.
///
/// Errors: throws `input_error` for an unknown word and for whatever follows it that does not fit.
script::step make_step(std::string_view word, std::string_view rest);

/// One step as a script file has it on one line: `expect GET / HTTP/1.1\r\n`, `reply hex 52 00`, `wait 2s`.
///
/// Errors: throws `input_error` for an unknown verb and for whatever follows it that does not fit.
script::step parse_step(std::string_view line);
std::string to_string(const script::step&);

/// Reads a whole script: a step on each line; blank lines, and those that begin with `#`, mean nothing.
///
/// Errors: throws `input_error` that names the line.
script parse_script(std::string_view text);
std::string to_string(const script&);

/// Plays a script at the far end of one connection.
class script_player
{
public:
    script_player(kernel& in, socket& end, std::shared_ptr<const script> text, std::string name)
        : kernel_(&in), end_(&end), text_(std::move(text)), name_(std::move(name))
    {}

    /// Goes on as far as it can: until it needs bytes that have not come, or time that has not passed.
    void play();

    /// It does nothing any more.
    void stop() noexcept { over_ = true; }

    /// What it waits for, for whoever is stuck: "bytes that `reply` is to answer".
    std::string describe() const;

private:
    bool expect(const script::step&);
    void complain(std::string_view why) const;

    kernel* kernel_;
    socket* end_;
    std::shared_ptr<const script> text_;
    std::string name_;
    std::size_t position_ = 0;
    duration waits_until_{-1};
    bool over_ = false;
};

} // namespace mishap::network
