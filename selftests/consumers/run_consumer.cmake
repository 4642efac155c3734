# SPDX-License-Identifier: MIT
# Configures, builds and tests one consumer, as its user would, and looks at what CTest said.
#
# Goal: what a user writes in CMakeLists.txt works, a right manager passes, a wrong one fails with a report, and a
# scenario that is added later runs without configuring again.
# Method: everything happens in a copy below the build folder, made anew each time.

include("${settings}")
set(project "${work}/project")
set(build "${work}/build")
file(REMOVE_RECURSE "${project}" "${build}")
file(COPY "${CMAKE_CURRENT_LIST_DIR}/${consumer}/" DESTINATION "${project}")

function(step what)
    execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
    if(NOT result EQUAL 0)
        message(FATAL_ERROR "${consumer}: ${what} failed (${result}):\n${output}")
    endif()
endfunction()

# Runs CTest and sets `output`. Failing tests are expected, so the result is not looked at here.
function(run_tests)
    execute_process(COMMAND "${CMAKE_CTEST_COMMAND}" -C Debug --output-on-failure --no-tests=error ${ARGN}
        WORKING_DIRECTORY "${build}" RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
    set(result "${result}" PARENT_SCOPE)
    set(output "${output}" PARENT_SCOPE)
endfunction()

function(expect_text)
    foreach(text IN LISTS ARGN)
        string(FIND "${output}" "${text}" at)
        if(at EQUAL -1)
            message(FATAL_ERROR "${consumer}: CTest's output lacks '${text}':\n${output}")
        endif()
    endforeach()
endfunction()

# CTest ends the line of a test with `Passed` or `***Failed`.
function(expect_test name verdict)
    string(REPLACE "." "\\." pattern "${name}")
    if(NOT output MATCHES "Test +#[0-9]+: ${pattern} \\.+ *(\\*\\*\\*)?${verdict}")
        message(FATAL_ERROR "${consumer}: the test ${name} should have ${verdict}:\n${output}")
    endif()
endfunction()

if(consumer STREQUAL "installed")
    file(REMOVE_RECURSE "${work}/prefix")
    step(install "${CMAKE_COMMAND}" --install "${mishap_build}" --prefix "${work}/prefix")
    list(APPEND arguments "-Dmishap_ROOT=${work}/prefix")
else()
    list(APPEND arguments "-DMISHAP_SOURCE=${mishap_source}" "-DCMAKE_UNITY_BUILD=ON")
endif()
step(configure "${CMAKE_COMMAND}" -S "${project}" -B "${build}" -G "${generator}" ${arguments})
step(build "${CMAKE_COMMAND}" --build "${build}" --config Debug --parallel 2)

# The file that says what CTest must find is the consumer's own.
include("${project}/expected.cmake")
run_tests()
if(NOT result EQUAL 8)
    message(FATAL_ERROR "${consumer}: CTest should have ended with 8, since a test fails, not with ${result}:\n${output}")
endif()
foreach(test IN LISTS passing)
    expect_test(${test} Passed)
endforeach()
expect_test(${failing} Failed)
list(LENGTH passing tests)
math(EXPR tests "${tests} + 1")
expect_text("1 tests failed out of ${tests}" ${breaks})
foreach(part plan timeline replay)
    if(NOT output MATCHES "\n *${part}  ")
        message(FATAL_ERROR "${consumer}: the report of ${failing} lacks its ${part}:\n${output}")
    endif()
endforeach()

# A file that comes after the configuring: CTest alone must find it.
file(RENAME "${project}/added.yaml" "${project}/scenarios/later/added.yaml")
run_tests(-R "\\.later\\.added$")
expect_text("100% tests passed, 0 tests failed out of 1")

# Files that vanish must not look like success.
file(REMOVE_RECURSE "${project}/scenarios")
file(MAKE_DIRECTORY "${project}/scenarios")
run_tests(-R "no_scenarios$")
expect_text("0% tests passed, 1 tests failed out of 1" "no scenario ran")
