# SPDX-License-Identifier: MIT
# mishap_add_fuzzer(<target> <MANAGER>)
#
# Makes the executable <target>, which has the adapter of the registered manager <MANAGER> among its sources, a fuzz
# target of it: bytes that libFuzzer mutates are plans (mishap/fuzz.hpp). Links mishap::mishap and what libFuzzer
# needs, and has the sources of the target instrumented. `build/<target> corpus -max_total_time=60` then looks for plans
# that lead to new branches, until a rule breaks or the program dies; either is told with the line that replays it.
#
# Restrictions: Clang, with its own libFuzzer (clang-16 and libclang-rt-16-dev, for example). Add sanitizers to the
# whole build by yourself: -DCMAKE_CXX_FLAGS=-fsanitize=fuzzer-no-link,address,undefined. The target must have no main().

function(mishap_add_fuzzer target manager)
    if(NOT TARGET ${target})
        message(FATAL_ERROR "mishap_add_fuzzer: there is no target '${target}'; call add_executable first.")
    endif()
    get_target_property(type ${target} TYPE)
    if(NOT type STREQUAL "EXECUTABLE")
        message(FATAL_ERROR "mishap_add_fuzzer: '${target}' must be an executable, but it is of type ${type}.")
    endif()
    if(ARGN)
        message(FATAL_ERROR "mishap_add_fuzzer(${target}): '${ARGN}' is too much: a fuzz target has one manager.")
    endif()
    if(NOT manager MATCHES "^[A-Za-z_][A-Za-z0-9_]*$")
        message(FATAL_ERROR "mishap_add_fuzzer(${target}): '${manager}' is no name of MISHAP_MANAGER.")
    endif()
    if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
        message(FATAL_ERROR "mishap_add_fuzzer(${target}): libFuzzer comes with Clang, but the compiler is "
            "${CMAKE_CXX_COMPILER_ID}. Configure with -DCMAKE_CXX_COMPILER=clang++, or call this only where "
            "CMAKE_CXX_COMPILER_ID is Clang.")
    endif()
    set(file "${CMAKE_CURRENT_BINARY_DIR}/${target}_fuzzer.cpp")
    set(source "// Made by mishap_add_fuzzer.\n#include <mishap/fuzz.hpp>\n\nMISHAP_FUZZ(${manager})\n")
    file(CONFIGURE OUTPUT "${file}" CONTENT "@source@" @ONLY)
    target_sources(${target} PRIVATE "${file}")
    target_compile_options(${target} PRIVATE -fsanitize=fuzzer-no-link)
    target_link_options(${target} PRIVATE -fsanitize=fuzzer)
    target_link_libraries(${target} PRIVATE mishap::mishap)
endfunction()
