// SPDX-License-Identifier: MIT
#include "child.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <regex>
#include <sstream>
#include <stdexcept>
#include <system_error>

extern char** environ;

namespace misuse {

namespace {

namespace fs = std::filesystem;

void check(int error, const char* what)
{
    if (error != 0)
        throw std::system_error(error, std::generic_category(), what);
}

/// A child that never ends, or takes all memory there is, would otherwise take the whole test run with it.
void bound_children()
{
    static const bool done = [] {
        const auto bound = [](auto resource, rlim_t most) {
            rlimit limit{};
            getrlimit(resource, &limit);
            limit.rlim_cur = std::min(limit.rlim_max, most);
            return setrlimit(resource, &limit) == 0;
        };
        bool all = bound(RLIMIT_CPU, 120); // seconds; sanitised children are slow
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
        all = bound(RLIMIT_AS, rlim_t(4) << 30) && all; // sanitisers reserve far more than they use
#endif
        return all;
    }();
    (void)done;
}

bool is_read_by_tests(std::string_view variable)
{
    return variable.starts_with("MISHAP_") || variable.starts_with("RC_PARAMS") ||
           variable.starts_with("GTEST_") || variable.starts_with("TEST_") ||
           variable.starts_with("XML_OUTPUT_FILE") || variable.starts_with("COLUMNS=") ||
           variable.starts_with("NO_COLOR=");
}

std::vector<char*> pointers_to(std::vector<std::string>& words)
{
    std::vector<char*> pointers;
    for (std::string& word : words)
        pointers.push_back(word.data());
    pointers.push_back(nullptr);
    return pointers;
}

int wait_for(pid_t child)
{
    int status = 0;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            check(errno, "waitpid");
    return status;
}

/// Passes on every signal.
int debug(pid_t child)
{
    if (ptrace(PTRACE_SEIZE, child, nullptr, nullptr) != 0)
        check(errno, "ptrace");
    int status = 0;
    while (status = wait_for(child), WIFSTOPPED(status)) {
        const int number = status >> 16 == 0 ? WSTOPSIG(status) : 0;
        ptrace(PTRACE_CONT, child, nullptr, static_cast<long>(number));
    }
    return status;
}

std::string contents(const fs::path& file)
{
    std::ifstream in(file, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

} // namespace

in_fresh_folder::in_fresh_folder()
{
    std::string pattern = (fs::temp_directory_path() / "mishap_misuse_XXXXXX").string();
    if (!mkdtemp(pattern.data()))
        check(errno, "mkdtemp");
    folder_ = pattern;
    fs::create_directory(folder_ / "here");
}

in_fresh_folder::~in_fresh_folder()
{
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
}

void in_fresh_folder::write(const std::string& name, std::string_view text) const
{
    const fs::path file = folder_ / "here" / name;
    fs::create_directories(file.parent_path());
    std::ofstream out(file, std::ios::binary);
    out << text;
    if (!out.flush())
        throw std::runtime_error("cannot write " + file.string());
}

std::string in_fresh_folder::read(const std::string& name) const { return contents(folder_ / "here" / name); }

std::vector<std::string> in_fresh_folder::files_in(const std::string& name) const
{
    std::vector<std::string> names;
    if (const fs::path folder = folder_ / "here" / name; fs::is_directory(folder))
        for (const auto& entry : fs::directory_iterator(folder))
            names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
}

ended in_fresh_folder::mishap(std::vector<std::string> arguments, const variables& set) const
{
    return run(MISHAP_PROGRAM, std::move(arguments), set);
}

ended in_fresh_folder::run(
    const std::string& program, std::vector<std::string> arguments, const variables& set) const
{
    return start(program, std::move(arguments), set, &wait_for);
}

ended in_fresh_folder::run_debugged(
    const std::string& program, std::vector<std::string> arguments, const variables& set) const
{
    return start(program, std::move(arguments), set, &debug);
}

ended in_fresh_folder::start(const std::string& program, std::vector<std::string> arguments,
    const variables& set, int (*wait)(pid_t child)) const
{
    bound_children();
    arguments.insert(arguments.begin(), program);
    std::vector<std::string> environment;
    for (char** variable = environ; *variable; ++variable)
        if (!is_read_by_tests(*variable))
            environment.emplace_back(*variable);
    for (const auto& [name, value] : set)
        environment.push_back(name + '=' + value);

    // Files rather than pipes: neither side can ever wait for the other.
    const fs::path out = folder_ / "stdout";
    const fs::path err = folder_ / "stderr";
    posix_spawn_file_actions_t actions;
    check(posix_spawn_file_actions_init(&actions), "posix_spawn_file_actions_init");
    constexpr int fresh = O_WRONLY | O_CREAT | O_TRUNC;
    check(posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0), "stdin");
    check(posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, out.c_str(), fresh, 0600), "stdout");
    check(posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, err.c_str(), fresh, 0600), "stderr");
    check(posix_spawn_file_actions_addchdir_np(&actions, (folder_ / "here").c_str()), "chdir");
    // Whoever started the tests may have ignored a signal, as shells do for what runs in the background.
    posix_spawnattr_t attributes;
    check(posix_spawnattr_init(&attributes), "posix_spawnattr_init");
    sigset_t all;
    sigfillset(&all);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    pid_t child = 0;
    const int failed = posix_spawn(&child, program.c_str(), &actions, &attributes,
        pointers_to(arguments).data(), pointers_to(environment).data());
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    check(failed, program.c_str());

    const int status = wait(child);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), contents(out), contents(err)};
}

/// With one space wherever there is any.
static std::string unfolded(std::string_view text)
{
    std::string all;
    for (const char c : text)
        if (c != ' ' && c != '\n')
            all += c;
        else if (!all.ends_with(' '))
            all += ' ';
    return all;
}

testing::AssertionResult says(const std::string& text, std::string_view words)
{
    if (text.find(words) != std::string::npos || unfolded(text).find(unfolded(words)) != std::string::npos)
        return testing::AssertionSuccess();
    constexpr std::size_t shown = 4'000;
    return testing::AssertionFailure() << "'" << words << "' is not in:\n"
                                       << (text.empty() ? "(nothing)" : text.substr(0, shown));
}

std::string line_of(const std::string& text, std::string_view beginning)
{
    std::istringstream lines(text);
    std::string found;
    for (std::string line; std::getline(lines, line);)
        if (line.starts_with(beginning)) {
            if (!found.empty())
                return {};
            found = line;
        }
    return found;
}

std::string without_time(const std::string& text)
{
    return std::regex_replace(text, std::regex("  took  [^\n]*\n"), "");
}

} // namespace misuse
