# SPDX-License-Identifier: MIT
# Goal: a pattern's folder, copied into a project of one's own, builds there and its scenarios hold, and so does what
# `mishap new` writes; the way that scenarios/README.md shows is the way it goes.
# Method: all of it in a fresh folder, against an installed mishap.

include("${settings}")
set(prefix "${work}/prefix")
set(project "${work}/project")
file(REMOVE_RECURSE "${work}")
file(COPY "${CMAKE_CURRENT_LIST_DIR}/patterns/" DESTINATION "${project}")

# step(<what> [EXPECT <result>] COMMAND ...): sets `output`.
function(step what)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "EXPECT" "COMMAND")
    if(NOT DEFINED arg_EXPECT)
        set(arg_EXPECT 0)
    endif()
    execute_process(COMMAND ${arg_COMMAND} WORKING_DIRECTORY "${project}"
        RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
    if(NOT result EQUAL arg_EXPECT)
        message(FATAL_ERROR "${what} ended with ${result} instead of ${arg_EXPECT}:\n${output}")
    endif()
    set(output "${output}" PARENT_SCOPE)
endfunction()

step(install COMMAND "${CMAKE_COMMAND}" --install "${mishap_build}" --prefix "${prefix}")
list(APPEND arguments "-Dmishap_ROOT=${prefix}")

# The installed catalogue, folder by folder. A pattern may need what is shared, and no other pattern.
file(GLOB sources "${prefix}/share/mishap/scenarios/*/*.?pp")
foreach(file IN LISTS sources)
    file(STRINGS "${file}" includes REGEX "^#include \"[a-z_]+/")
    foreach(line IN LISTS includes)
        if(NOT line MATCHES "\"shared/")
            message(FATAL_ERROR "${file} needs another pattern's folder: ${line}")
        endif()
    endforeach()
endforeach()
file(GLOB folders "${prefix}/share/mishap/scenarios/*")
foreach(folder IN LISTS folders)
    cmake_path(GET folder FILENAME name)
    if(IS_DIRECTORY "${folder}" AND NOT name STREQUAL "shared")
        file(COPY "${folder}" DESTINATION "${project}/scenarios")
    endif()
endforeach()

step("list patterns" COMMAND "${mishap_program}" list patterns)
string(REGEX MATCHALL "(^|\n)[a-z]+" patterns "${output}")
list(TRANSFORM patterns STRIP)
list(LENGTH patterns count)
if(NOT count EQUAL 6)
    message(FATAL_ERROR "there should be six patterns:\n${output}")
endif()
foreach(pattern IN LISTS patterns)
    step("new ${pattern}" COMMAND "${mishap_program}" new made_${pattern} --pattern ${pattern})
endforeach()

# The listing that the README begins with.
file(COPY "${mishap_source}/selftests/golden/first_test.cpp" "${mishap_source}/selftests/golden/session.hpp"
    DESTINATION "${project}/first_test")

step(configure COMMAND "${CMAKE_COMMAND}" -S . -B build -G "${generator}" ${arguments})
step(build COMMAND "${CMAKE_COMMAND}" --build build --parallel 2)
step("run of the copied patterns" COMMAND build/patterns_test run scenarios)
foreach(pattern IN LISTS patterns)
    set(made made_${pattern})
    step("run of ${made}" COMMAND build/${made}/${made}_mishaps run)
    if(NOT output MATCHES "2 scenarios in [0-9]+ runs: 2 as expected, 0 not")
        message(FATAL_ERROR "${made} should have two scenarios:\n${output}")
    endif()
endforeach()
step("tests of what was made" COMMAND "${CMAKE_CTEST_COMMAND}" --test-dir build -R "^made_" --no-tests=error)

step("the README's first test" EXPECT 1 COMMAND build/first_test)
if(NOT output MATCHES "session.survives_any_two_mishaps breaks preserves_error")
    message(FATAL_ERROR "the README's first test should fail as shown there:\n${output}")
endif()

# What scenarios/README.md shows, step by step. MISHAP_ACCEPT=1 approves what came out.
set(shown "${CMAKE_CURRENT_LIST_DIR}/../golden/own_manager")
function(compare name)
    string(REPLACE "${project}/" "" text "${output}")
    if(DEFINED ENV{MISHAP_ACCEPT})
        file(WRITE "${shown}/${name}" "${text}")
        return()
    endif()
    file(READ "${shown}/${name}" approved)
    if(NOT text STREQUAL approved)
        message(FATAL_ERROR "this is not what ${shown}/${name} shows:\n${text}")
    endif()
endfunction()

step("new invoice_store" COMMAND "${mishap_program}" new invoice_store --pattern session)
compare(new.txt)
step("second new invoice_store" EXPECT 2 COMMAND "${mishap_program}" new invoice_store --pattern session)
compare(new_again.txt)
step("configuring invoice_store"
    COMMAND "${CMAKE_COMMAND}" -S invoice_store -B invoice_store/build -G "${generator}" ${arguments})
step("building invoice_store" COMMAND "${CMAKE_COMMAND}" --build invoice_store/build)
step("run of invoice_store" COMMAND invoice_store/build/invoice_store_mishaps run invoice_store/scenarios)
compare(made.txt)
file(RENAME "${project}/invoice_store/invoice_store.hpp" "${project}/mended.hpp")
file(COPY_FILE "${shown}/invoice_store.hpp" "${project}/invoice_store/invoice_store.hpp")
step("building the first try" COMMAND "${CMAKE_COMMAND}" --build invoice_store/build)
step("run of the first try" EXPECT 1
    COMMAND invoice_store/build/invoice_store_mishaps run invoice_store/scenarios)
compare(first_try.txt)
file(COPY_FILE "${project}/mended.hpp" "${project}/invoice_store/invoice_store.hpp")
file(TOUCH "${project}/invoice_store/invoice_store.hpp")
step("building the mended manager" COMMAND "${CMAKE_COMMAND}" --build invoice_store/build)
step("run of the mended manager" COMMAND invoice_store/build/invoice_store_mishaps run invoice_store/scenarios)
compare(made.txt)
