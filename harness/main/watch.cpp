// SPDX-License-Identifier: MIT
#include "watch.hpp"

#include "output.hpp"

#include <poll.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <map>
#include <string_view>

namespace mishap::detail {

namespace {

namespace fs = std::filesystem;

struct seen
{
    fs::file_time_type changed;
    std::uintmax_t size;
    friend bool operator==(const seen&, const seen&) = default;
};

/// Whatever can be looked at; a file that an editor is just replacing is there again next time.
std::map<std::string, seen> look_at(const std::vector<std::string>& paths)
{
    std::map<std::string, seen> all;
    const auto add = [&](const fs::path& file) {
        std::error_code none;
        const auto changed = fs::last_write_time(file, none);
        const auto size = none ? 0 : fs::file_size(file, none);
        if (!none)
            all.emplace(file.string(), seen{changed, size});
    };
    for (const std::string& path : paths) {
        std::error_code none;
        if (!fs::is_directory(path, none)) {
            add(path);
            continue;
        }
        for (fs::recursive_directory_iterator at(path, none), end; !none && at != end; at.increment(none))
            if (at->path().extension() == ".yaml")
                add(at->path());
    }
    return all;
}

enum class wish
{
    nothing,
    again,
    end
};

/// What the user enters meanwhile.
wish wait_for_input()
{
    constexpr int milliseconds = 200;
    pollfd input{STDIN_FILENO, POLLIN, 0};
    if (::poll(&input, 1, milliseconds) <= 0)
        return wish::nothing;
    char entered[256];
    const ssize_t count = ::read(STDIN_FILENO, entered, sizeof entered);
    if (count <= 0)
        return wish::end;
    return std::string_view(entered, static_cast<std::size_t>(count)).find('q') != std::string_view::npos
               ? wish::end
               : wish::again;
}

} // namespace

int watch(const std::vector<std::string>& paths, const std::function<int()>& run)
{
    for (;;) {
        const auto before = look_at(paths);
        const int code = run();
        say("\nwatching: it runs again when a file changes, or on Enter; q and Enter end it\n\n");
        std::fflush(stdout);
        for (wish now = wish::nothing; now != wish::again;) {
            now = wait_for_input();
            if (now == wish::end)
                return code;
            if (look_at(paths) != before)
                now = wish::again;
        }
    }
}

} // namespace mishap::detail
