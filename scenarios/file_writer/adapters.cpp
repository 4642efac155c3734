// SPDX-License-Identifier: MIT
#include "as_written.hpp"
#include "file_writer.hpp"

#include "shared/real_files.hpp"

#include <mishap/mishap.hpp>

#include <gtest/gtest.h>

using namespace std::chrono_literals;

namespace {

using catalogue::real_files;

const std::string old_content = "the old content\n";
const std::string new_content = "the new content, in two parts\n";

mishap::awaitable<void> write_new(real_files::file& file)
{
    co_await file.write(new_content.substr(0, 10));
    co_await file.write(new_content.substr(10));
}

/// Runs what replaces the content of a real file, then reads the file.
template <class Write>
mishap::awaitable<void> examined(Write write)
{
    real_files files;
    const std::string path = files.path_of("report.txt");
    files.put(path, old_content);
    std::exception_ptr error;
    try {
        co_await write(files, path);
    } catch (...) {
        error = std::current_exception();
    }
    const std::string content = files.get(path);
    if (error)
        EXPECT_TRUE(content == old_content || content == new_content) << "the file has only: " << content;
    else
        EXPECT_EQ(content, new_content) << "the caller was told of success";
    EXPECT_EQ(files.left_open(), 0) << "files are left open";
    EXPECT_TRUE(files.asked_to_remove() || !files.exists(path + ".new")) << "the other file is left behind";
    if (error)
        std::rethrow_exception(error);
}

} // namespace

MISHAP_ERROR(no_space, make_error_code(boost::system::errc::no_space_on_device));

// The document bounds nothing.

MISHAP_CONTRACT(file_writer_as_written){.time = {.unbounded = {mishap::phase::create, mishap::phase::close}}};

MISHAP_MANAGER(file_writer_as_written, mishap::environment& env)
{
    co_await examined([&](real_files& files, const std::string& path) {
        return catalogue::file_writer_as_written(files, path, env.body(&write_new));
    });
}

MISHAP_CONTRACT(file_writer){
    .time = {.create = 30s, .close = 30s, .other = 30s},
    .errors = {.reports_cleanup = true},
};

MISHAP_MANAGER(file_writer, mishap::environment& env)
{
    const auto log = [&env](std::exception_ptr error) { env.report(error); };
    co_await examined([&](real_files& files, const std::string& path) {
        return catalogue::file_writer(files, path, env.body(&write_new), 30s, log);
    });
}
