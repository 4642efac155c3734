#!/bin/sh
# SPDX-License-Identifier: MIT
# Shows that a clean run on a reused world makes no system call: the benchmark is run twice, with a tenfold number of
# iterations the second time, under strace; both must make the same calls but for those of the allocator and the clock.
# usage: count_system_calls.sh PATH/TO/mishap_bench
set -eu
program=${1:?usage: count_system_calls.sh PATH/TO/mishap_bench}
command -v strace >/dev/null || { echo "strace is not installed: apt-get install strace" >&2; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
count() {
    strace -f -c -o "$folder/$1" "$program" --benchmark_filter='^run_session' --benchmark_min_time="$2" >/dev/null 2>&1
    awk '$NF ~ /^(epoll_wait|epoll_ctl|timerfd_settime|timerfd_create|clock_gettime|futex|eventfd2|read|write|poll)$/ {
        sum += ($(NF-1) ~ /^[0-9]+$/ && NF > 5) ? $(NF-2) : $(NF-1) } END { print sum + 0 }' "$folder/$1"
}
short=$(count short 0.05)
long=$(count long 0.5)
echo "system calls with n iterations: $short, with about 10 n iterations: $long"
[ "$((long - short))" -le 20 ]
