#!/bin/sh
# SPDX-License-Identifier: MIT
# harness/dev matrix: compiles mishap's headers, and a consumer of them, with each compiler, standard library and
# standard that is found, and prints the table. Whatever is not as it should be ends it with 1; the first lines of what
# the compiler said are above the table.
set -eu

work=build/matrix
mkdir -p "$work"
failed=0

say() { printf '%s\n' "$*"; }

# Only ours are looked at strictly: what is under -isystem says nothing.
strict='-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror'

# boost_flags: where Boost is, if it is not among the system's headers.
boost_flags() { [ -z "${Boost_ROOT:-}" ] || printf -- '-isystem %s/include' "$Boost_ROOT"; }

# tried FILE COMMAND ...: prints "yes" or "NO", and keeps what was said in FILE.
tried()
{
    log=$1
    shift
    if "$@" >"$log" 2>&1; then
        say yes
    else
        say NO
        { say "$*"; head -n 12 "$log"; } >&2
    fi
}

every_header()
{
    for header in $(cd include && ls mishap/*.hpp); do
        case $header in
            # They want a framework that need not be there, and are tried by the consumers.
            mishap/catch2.hpp | mishap/doctest.hpp) ;;
            # GoogleTest's own headers are of another standard library where ours is libc++, which is no matter here.
            *) say "#include <$header>" ;;
        esac
    done
}

every_header >"$work/headers.cpp"
say 'int main() {}' >>"$work/headers.cpp"
cp selftests/golden/first_test.cpp "$work/consumer.cpp"
cp selftests/compile_fail/includes_mishap.cpp "$work/rtti.cpp"

# With libmishap of the build `dev`, which is GCC's and libstdc++'s, a consumer is linked and run as well.
library=build/dev/harness/libmishap.a

row() { printf '%-14s %-10s %-6s %-14s %-9s %-6s %s\n' "$@"; }

cell_of() # COMPILER STDLIB STANDARD
{
    compiler=$1 stdlib=$2 standard=$3
    name=$(say "$compiler-$stdlib-$standard" | tr -c 'a-z0-9\n' _)
    # Clang 16 knows C++23 by its working title.
    say | "$compiler" "-std=$standard" -x c++ -fsyntax-only - 2>/dev/null || standard=c++2b
    flags="-std=$standard -Iinclude $(boost_flags)"
    case $stdlib in libc++) flags="$flags -stdlib=libc++" ;; esac
    # shellcheck disable=SC2086
    headers=$(tried "$work/$name.headers" "$compiler" $flags $strict -fsyntax-only "$work/headers.cpp")
    runs=-
    # shellcheck disable=SC2086
    builds=$(tried "$work/$name.consumer" "$compiler" $flags -c -o "$work/$name.o" "$work/consumer.cpp")
    if [ "$builds" = yes ] && [ "$stdlib" = libstdc++ ] && [ -f "$library" ]; then
        runs=NO
        # It is the README's first test, whose bug is found; that it says so is what counts.
        if "$compiler" -o "$work/$name" "$work/$name.o" build/dev/harness/libmishap_gtest.a "$library" \
            -lrapidcheck -lfmt -lyaml-cpp -lgmock -lgtest_main -lgtest -ldl -pthread >"$work/$name.link" 2>&1; then
            "$work/$name" >"$work/$name.run" 2>&1 || true
            if grep -q 'breaks preserves_error' "$work/$name.run"; then runs=yes; fi
        else
            head -n 12 "$work/$name.link" >&2
        fi
    fi
    refused=NO
    # shellcheck disable=SC2086
    if ! "$compiler" $flags -fno-rtti -fsyntax-only "$work/rtti.cpp" >"$work/$name.rtti" 2>&1 &&
        grep -q 'build tests without -fno-rtti' "$work/$name.rtti"; then
        refused=yes
    fi
    row "$compiler" "$stdlib" "$standard" "$headers" "$builds" "$runs" "$refused" >>"$work/table"
    case "$headers $builds $runs $refused" in *NO*) failed=1 ;; esac
}

row compiler library std 'headers clean' consumer runs '-fno-rtti is refused' >"$work/table"
found=0
for compiler in g++-12 g++-13 g++-14 g++-15 clang++-16 clang++-17 clang++-18 clang++-19 clang++-20 clang++-21; do
    command -v "$compiler" >/dev/null 2>&1 || continue
    for stdlib in libstdc++ libc++; do
        case $compiler-$stdlib in
            g++*-libc++) continue ;;
            clang*-libc++)
                # A libc++ that is too new for a compiler warns of it.
                say '#include <version>' | "$compiler" -stdlib=libc++ -Werror -x c++ -fsyntax-only - 2>/dev/null ||
                    continue ;;
        esac
        for standard in c++20 c++23; do
            found=1
            cell_of "$compiler" "$stdlib" "$standard"
        done
    done
done
[ "$found" = 1 ] || { say "harness/dev: there is no g++-12 or newer, and no clang++-16 or newer" >&2; exit 2; }
cat "$work/table"
exit "$failed"
