// SPDX-License-Identifier: MIT
#include "worker_process.hpp"

#include "conductor.hpp"

#include "report/json.hpp"
#include "simulation/misuse.hpp"

#include <mishap/duration.hpp>

#include <fmt/format.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <new>
#include <set>
#include <system_error>

extern "C" {
__attribute__((weak)) int __lsan_do_recoverable_leak_check(void);
}

namespace mishap::detail {

namespace {

/// What a child must let go of: whoever keeps another's line open hides that it ended.
std::set<int>& open_lines()
{
    static std::set<int> all;
    return all;
}

const std::atomic<bool>* stop_of_worker = nullptr;
bool leaked = false;
constexpr int exit_of_leak = 23;

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

bool read_all(int from, char* into, std::size_t size)
{
    while (size > 0) {
        const ssize_t got = ::read(from, into, size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        into += got;
        size -= static_cast<std::size_t>(got);
    }
    return true;
}

void send_all(int to, const char* from, std::size_t size)
{
    while (size > 0) {
        const ssize_t sent = ::send(to, from, size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return;
        from += sent;
        size -= static_cast<std::size_t>(sent);
    }
}

duration processor_time_of(pid_t process)
{
    clockid_t clock = {};
    timespec used = {};
    if (clock_getcpuclockid(process, &clock) != 0 || clock_gettime(clock, &used) != 0)
        return duration(0);
    return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

} // namespace

shared_page::shared_page(std::size_t rows) : count_(rows), size_(64 + rows * sizeof(shared_row))
{
    memory_ = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory_ == MAP_FAILED)
        fail("memory that processes share");
    stop_ = new (memory_) std::atomic<bool>(false);
    rows_ = reinterpret_cast<shared_row*>(static_cast<char*>(memory_) + 64);
    for (std::size_t i = 0; i < rows; ++i)
        new (&rows_[i]) shared_row{};
}

shared_page::~shared_page() { ::munmap(memory_, size_); }

row_sums shared_page::row_sums() const noexcept
{
    detail::row_sums sums;
    for (std::size_t i = 0; i < count_; ++i) {
        sums.runs += rows_[i].runs.load(std::memory_order_relaxed);
        sums.fired += rows_[i].fired.load(std::memory_order_relaxed);
        sums.violating += rows_[i].violating.load(std::memory_order_relaxed);
    }
    return sums;
}

bool workers::told_to_stop() noexcept
{
    return stop_of_worker && stop_of_worker->load(std::memory_order_relaxed);
}

void worker_process::line::send(char kind, std::string_view text)
{
    std::string whole(1 + sizeof(std::uint64_t), kind);
    const std::uint64_t size = text.size();
    std::memcpy(whole.data() + 1, &size, sizeof size);
    whole += text;
    send_all(socket_, whole.data(), whole.size());
}

std::optional<worker_process::message> worker_process::line::receive()
{
    char head[1 + sizeof(std::uint64_t)];
    if (!read_all(socket_, head, sizeof head))
        return std::nullopt;
    std::uint64_t size = 0;
    std::memcpy(&size, head + 1, sizeof size);
    message one{head[0], std::string(size, '\0')};
    if (!read_all(socket_, one.text.data(), size))
        return std::nullopt;
    return one;
}

worker_process::worker_process(shared_page& page, std::size_t row, const std::function<void(line&)>& body)
    : row_(page.row(row))
{
    int both[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both) != 0)
        fail("a line to another process");
    words_ = ::memfd_create("mishap-words", MFD_CLOEXEC);
    // What is not written yet would be written twice.
    std::fflush(stdout);
    std::fflush(stderr);
    row_.dies.why = death_row::cause::none;
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ < 0) {
        ::close(both[0]);
        ::close(both[1]);
        ::close(words_);
        fail("a process to run code under test in");
    }
    if (pid_ == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != parent)
            ::_exit(1);
        // What a terminal tells this group is for the parent alone.
        ::setpgid(0, 0);
        for (const int number : {SIGINT, SIGTERM, SIGHUP})
            std::signal(number, SIG_DFL);
        ::close(both[0]);
        for (const int other : open_lines())
            ::close(other);
        if (words_ >= 0)
            ::dup2(words_, STDERR_FILENO);
        stop_of_worker = page.stop_flag();
        note_death_in(row_.dies);
        line to_parent(both[1]);
        body(to_parent);
        std::fflush(stdout);
        row_.run = 0;
        const bool leaks = __lsan_do_recoverable_leak_check && __lsan_do_recoverable_leak_check() != 0;
        ::_exit(leaks ? exit_of_leak : 0);
    }
    ::close(both[1]);
    line_ = line(both[0]);
    exits_ = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
    open_lines().insert(both[0]);
    run_began_ = real_now();
}

worker_process::~worker_process()
{
    open_lines().erase(line_.socket());
    ::close(line_.socket());
    // It ends where it waits for its next part; whatever is not done by then is not wanted any more.
    pollfd end{exits_, POLLIN, 0};
    constexpr int patience = 2'000;
    if (!status_ && (row_.run.load() != 0 || ::poll(&end, 1, patience) == 0))
        ::kill(pid_, SIGKILL);
    int status = 0;
    if (!status_)
        while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
        }
    if (!status_) {
        leaked = leaked || (WIFEXITED(status) && WEXITSTATUS(status) == exit_of_leak);
        const std::string said = words();
        std::fwrite(said.data(), 1, said.size(), stderr);
    }
    if (exits_ >= 0)
        ::close(exits_);
    if (words_ >= 0)
        ::close(words_);
}

std::optional<worker_process::message> worker_process::receive_if_there()
{
    pollfd there{line_.socket(), POLLIN, 0};
    if (::poll(&there, 1, 0) <= 0)
        return std::nullopt;
    return line_.receive();
}

std::optional<death> worker_process::ended()
{
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) != pid_) {
        end_if_it_never_returns();
        return std::nullopt;
    }
    status_ = status;
    const bool as_it_should = WIFEXITED(status) &&
                              (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == exit_of_leak) &&
                              row_.run.load() == 0;
    return as_it_should ? death{} : how_it_died(status);
}

/// The worker looks after its handlers itself. This is for what keeps it from that: signals that are blocked,
/// and calls that wait for ever.
void worker_process::end_if_it_never_returns()
{
    const std::uint64_t run = row_.runs.load();
    const duration now = real_now();
    constexpr duration between_looks = std::chrono::milliseconds(200);
    if (run != last_run_ || row_.run.load() == 0) {
        last_run_ = run;
        run_began_ = now;
        used_before_ = duration(-1);
        return;
    }
    static const auto limit = static_cast<std::int64_t>(read_handler_limits().nanoseconds);
    if (limit == 0 || !ended_for_.empty() || now - run_began_ < between_looks)
        return;
    const duration used = processor_time_of(pid_);
    if (used_before_ < duration(0))
        used_before_ = used;
    constexpr duration at_least = std::chrono::seconds(5);
    if (used - used_before_ > 2 * duration(limit) + at_least)
        ended_for_ = fmt::format("one run used {} of processor time (MISHAP_HANDLER_TIME)",
            to_string(std::chrono::duration_cast<std::chrono::seconds>(used - used_before_)));
    constexpr duration waits_at_most = std::chrono::minutes(1);
    if (now - run_began_ > std::max(waits_at_most, 6 * duration(limit)) && used - used_before_ < at_least)
        ended_for_ = fmt::format("one run waited for {} of real time, without using the processor",
            to_string(std::chrono::duration_cast<std::chrono::seconds>(now - run_began_)));
    if (!ended_for_.empty())
        ::kill(pid_, SIGKILL);
}

std::string worker_process::words() const
{
    constexpr std::size_t most = 1 << 16;
    std::string text(most, '\0');
    const ssize_t got = words_ < 0 ? 0 : ::pread(words_, text.data(), text.size(), 0);
    text.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    return text;
}

death worker_process::how_it_died(int status) const
{
    death one{.rule = crashes_name, .how = {}, .words = words()};
    const death_row::cause why = row_.dies.why;
    if (why != death_row::cause::none)
        one.how.assign(row_.dies.how, ::strnlen(row_.dies.how, sizeof row_.dies.how));
    if (!ended_for_.empty()) {
        one.rule = spins_name;
        one.how = ended_for_;
    } else if (why == death_row::cause::took_time) {
        one.rule = spins_name;
    } else if (why == death_row::cause::took_memory) {
        one.rule = exhausts_name;
    } else if (WIFSIGNALED(status)) {
        const char* const name = sigabbrev_np(WTERMSIG(status));
        const std::string signal = fmt::format("SIG{}", name ? name : "???");
        if (one.how.empty())
            one.how = WTERMSIG(status) == SIGKILL
                          ? "the process was killed (SIGKILL), as the system does when memory runs out"
                          : fmt::format("the process was ended by {}", signal);
        else if (one.how.find(signal) == std::string::npos)
            one.how += fmt::format(" ({})", signal);
    } else {
        if (one.how.empty())
            one.how = "the process ended";
        one.how += fmt::format(" (exit code {})", WEXITSTATUS(status));
    }
    return one;
}

std::string describe_error()
{
    json::object_writer out;
    try {
        throw;
    } catch (const misuse_error& e) {
        out.add("kind", "misuse").add("setting", e.setting()).add("what", e.what());
    } catch (const input_error& e) {
        out.add("kind", "input").add("what", e.what());
    } catch (const std::logic_error& e) {
        out.add("kind", "logic").add("what", e.what());
    } catch (const std::exception& e) {
        out.add("kind", "other").add("what", e.what());
    } catch (...) {
        out.add("kind", "other").add("what", "something was thrown that is no std::exception");
    }
    return out.text();
}

void rethrow_error(std::string_view described)
{
    const json::value read = json::parse(described);
    const std::string& what = read["what"].text();
    if (read["kind"].text() == "misuse")
        throw misuse_error(what, read["setting"].text());
    if (read["kind"].text() == "input")
        throw input_error(what);
    if (read["kind"].text() == "logic")
        throw std::logic_error(what);
    throw std::runtime_error(what);
}

bool workers_leaked() noexcept { return leaked; }

} // namespace mishap::detail
