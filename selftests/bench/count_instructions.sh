#!/bin/sh
# SPDX-License-Identifier: MIT
# Counts the instructions of one iteration of each benchmark named, under callgrind: the difference between 300 and 100
# iterations, so that what happens once is left out. Exact, whatever else the machine does.
# usage: count_instructions.sh PATH/TO/mishap_bench [BENCHMARK...]
set -eu
program=${1:?usage: count_instructions.sh PATH/TO/mishap_bench [BENCHMARK...]}
shift
[ $# -gt 0 ] || set -- bare_session run_session bare_failing run_failing random_session
command -v valgrind >/dev/null || { echo "valgrind is not installed: apt-get install valgrind" >&2; exit 2; }
count() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$program" --iterations="$2" --benchmark_filter="^$1(\$|/)" 2>&1 |
        awk '/Collected/ { print $NF }'
}
for row in "$@"; do
    echo "$row: $((($(count "$row" 300) - $(count "$row" 100)) / 200)) instructions"
done
