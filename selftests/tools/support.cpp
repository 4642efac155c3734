// SPDX-License-Identifier: MIT
#include "support.hpp"

#include <fmt/format.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <utility>

#include <sys/wait.h>
#include <unistd.h>

namespace selftest {

namespace fs = std::filesystem;

const char* const bare_coroutines = R"(
namespace std {
template <class T = void>
struct coroutine_handle { static coroutine_handle from_address(void*); void* address(); };
template <> struct coroutine_handle<void> {
    template <class T> coroutine_handle(coroutine_handle<T>);
    coroutine_handle();
    static coroutine_handle from_address(void*);
    void* address();
};
struct suspend_never {
    bool await_ready() noexcept;
    void await_suspend(coroutine_handle<>) noexcept;
    void await_resume() noexcept;
};
template <class R, class...> struct coroutine_traits { using promise_type = typename R::promise_type; };
struct exception_ptr { explicit operator bool() const; };
exception_ptr current_exception();
[[noreturn]] void rethrow_exception(exception_ptr);
}
template <class T> struct awaitable {
    struct promise_type {
        awaitable get_return_object();
        std::suspend_never initial_suspend();
        std::suspend_never final_suspend() noexcept;
        void unhandled_exception();
        void return_void();
    };
    bool await_ready(); void await_suspend(std::coroutine_handle<>); T await_resume();
};
struct session { awaitable<void> open(); awaitable<void> query(); awaitable<void> close(); };
)";

in_fresh_folder::in_fresh_folder()
{
    static std::atomic<int> number = 0;
    folder_ = fs::temp_directory_path() / fmt::format("mishap tools {} {}", getpid(), number++);
    fs::remove_all(folder_);
    fs::create_directories(folder_);
}

in_fresh_folder::~in_fresh_folder()
{
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
}

void in_fresh_folder::write(std::string_view name, std::string_view text) const
{
    const fs::path to = folder_ / name;
    fs::create_directories(to.parent_path());
    std::ofstream(to, std::ios::binary) << text;
}

std::string in_fresh_folder::read(std::string_view name) const { return file_text(path(name)); }

ended in_fresh_folder::tools(const std::vector<std::string>& arguments) const
{
    std::vector<std::string> command{MISHAP_TOOLS};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return run(command);
}

ended in_fresh_folder::run(const std::vector<std::string>& command) const
{
    const std::string out = path("child.out");
    const std::string err = path("child.err");
    const pid_t child = fork();
    if (child == 0) {
        if (chdir(folder_.c_str()) != 0 || !freopen(out.c_str(), "w", stdout) ||
            !freopen(err.c_str(), "w", stderr))
            _exit(126);
        setenv("XDG_CACHE_HOME", path("cache").c_str(), 1);
        std::vector<char*> words;
        for (const std::string& word : command)
            words.push_back(const_cast<char*>(word.c_str()));
        words.push_back(nullptr);
        execvp(words[0], words.data());
        _exit(127);
    }
    int status = 0;
    waitpid(child, &status, 0);
    ended done;
    done.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    done.out = file_text(out);
    done.err = file_text(err);
    fs::remove(out);
    fs::remove(err);
    return done;
}

std::vector<std::string> flags()
{
    const std::string root = MISHAP_SOURCE;
    std::vector<std::string> all{"-x", "c++", "-std=c++20", "-I" + root + "/include",
        "-I" + root + "/scenarios", "-I" + root + "/selftests"};
    const std::string boost = MISHAP_BOOST;
    for (std::size_t begin = 0; begin < boost.size();) {
        const std::size_t end = std::min(boost.find(':', begin), boost.size());
        if (end > begin && boost.substr(begin, end - begin) != "/usr/include")
            all.push_back("-isystem" + boost.substr(begin, end - begin));
        begin = end + 1;
    }
    return all;
}

std::string file_text(const std::string& path)
{
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::string> shown(
    const mishap::tools::unit& in, const std::vector<mishap::tools::finding>& found)
{
    std::vector<std::string> lines;
    for (const mishap::tools::finding& one : found) {
        std::string line(in.files.at(one.where.file).line(one.where.line));
        line.erase(0, line.find_first_not_of(' '));
        lines.push_back(fmt::format("{}: {}: {}", one.check,
            fs::path(one.where.file).lexically_relative(MISHAP_SOURCE).string(), line));
    }
    return lines;
}

std::vector<std::vector<std::string>> judged(std::string_view heading)
{
    std::istringstream in(file_text(MISHAP_SOURCE "/harness/tools/JUDGED.md"));
    std::vector<std::vector<std::string>> rows;
    bool below = false;
    bool head = true;
    for (std::string line; std::getline(in, line);) {
        if (line.starts_with("## "))
            below = line == heading;
        if (!below || !line.starts_with("| ") || std::exchange(head, false))
            continue;
        std::vector<std::string> cells;
        for (std::size_t begin = 2; begin < line.size();) {
            const std::size_t end = std::min(line.find(" |", begin), line.size());
            std::string cell = line.substr(begin, end - begin);
            std::erase(cell, '`');
            replace_all(cell, "\\|", "|");
            cells.push_back(std::move(cell));
            begin = end + 3;
        }
        rows.push_back(std::move(cells));
    }
    return rows;
}

void replace_all(std::string& text, std::string_view from, std::string_view to)
{
    for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
        text.replace(at, from.size(), to);
}

} // namespace selftest
