// SPDX-License-Identifier: MIT
// Memory stays flat over many runs: prints the resident set after a tenth of them and after all.
// usage: mishap_soak [RUNS], ten million by default. Exit code 1 when it grew by more than a mebibyte.

#include "sessions.hpp"

#include "simulation/run.hpp"

#include <mishap/environment.hpp>
#include <mishap/explore.hpp>

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include <unistd.h>

namespace {

mishap::awaitable<void> session_adapter(mishap::environment& env)
{
    mishap::mock_resource session("session");
    co_await bench::with_session(session, env.body());
}

long resident_kib()
{
    std::ifstream in("/proc/self/statm");
    long total = 0;
    long resident = 0;
    in >> total >> resident;
    return resident * (::sysconf(_SC_PAGESIZE) / 1024);
}

} // namespace

int main(int argc, char** argv)
{
    const unsigned long long runs = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 10'000'000;
    const mishap::manager under_test("session", &session_adapter,
        {.time = {.create = std::chrono::seconds(5), .unbounded = {mishap::phase::close}}});
    mishap::detail::runner runner(under_test, under_test.promises, {});
    // Clean runs, failing ones, ones that hang, and ones that leave something for the world to destroy.
    const mishap::fault_plan plans[] = {{}, {}, {}, mishap::parse_plan("session.use=fail(io_error)"),
        mishap::parse_plan("session.create=hang"), mishap::parse_plan("session.use=hang")};
    long early = 0;
    for (unsigned long long i = 0; i < runs; ++i) {
        runner.run(plans[i % std::size(plans)]);
        if (i == runs / 10)
            early = resident_kib();
    }
    const long late = resident_kib();
    std::printf("%llu runs: %ld KiB resident after a tenth, %ld KiB at the end\n", runs, early, late);
    return late - early > 1024;
}
