// SPDX-License-Identifier: MIT
#pragma once
/// One forked process, its line to the parent, and how it ends.

#include "workers.hpp"

#include <sys/types.h>

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace mishap::detail {

/// Memory that a parent and its workers share.
class shared_page
{
public:
    explicit shared_page(std::size_t rows);
    ~shared_page();
    shared_page(const shared_page&) = delete;
    shared_page& operator=(const shared_page&) = delete;

    shared_row& row(std::size_t i) noexcept { return rows_[i]; }
    void stop() noexcept { stop_->store(true, std::memory_order_relaxed); }
    const std::atomic<bool>* stop_flag() const noexcept { return stop_; }
    detail::row_sums row_sums() const noexcept;

private:
    std::size_t count_;
    std::size_t size_;
    void* memory_;
    std::atomic<bool>* stop_;
    shared_row* rows_;
};

class worker_process
{
public:
    struct message
    {
        char kind;
        std::string text;
    };

    /// A socket on which whole messages go both ways.
    class line
    {
    public:
        explicit line(int socket) : socket_(socket) {}
        /// What cannot be sent since nobody listens any more is lost.
        void send(char kind, std::string_view text);
        /// Waits for a message; nothing where the other side has gone.
        std::optional<message> receive();

        int socket() const noexcept { return socket_; }

    private:
        int socket_;
    };

    /// Forks. The child runs `body` and ends.
    ///
    /// Errors: throws `std::system_error` where there can be no process.
    worker_process(shared_page&, std::size_t row, const std::function<void(line&)>& body);
    /// Ends the child where it waits, and waits for that.
    ~worker_process();
    worker_process(const worker_process&) = delete;
    worker_process& operator=(const worker_process&) = delete;

    void send(char kind, std::string_view text) { line_.send(kind, text); }
    std::optional<message> receive_if_there();
    int socket() const noexcept { return line_.socket(); }
    int exit_descriptor() const noexcept { return exits_; }

    /// How the child ended, if it has; with an empty `how` where it came to its end as it should. Ends one
    /// that uses the processor, or waits, longer than one run may.
    std::optional<death> ended();

private:
    void end_if_it_never_returns();
    std::string words() const;
    death how_it_died(int status) const;

    shared_row& row_;
    line line_{-1};
    pid_t pid_ = -1;
    int exits_ = -1;
    int words_ = -1;
    std::optional<int> status_;
    std::uint64_t last_run_ = 0;
    duration run_began_{0};   ///< real time
    duration used_before_{0}; ///< processor time
    std::string ended_for_;   ///< why it was ended from here
};

/// The exception under way, as text that `rethrow_error` throws again.
std::string describe_error();
[[noreturn]] void rethrow_error(std::string_view described);

/// Whether code that a worker ran was found to have leaked, which a sanitizer says.
bool workers_leaked() noexcept;

} // namespace mishap::detail
