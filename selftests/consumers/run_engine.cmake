# SPDX-License-Identifier: MIT
# Goal: who has no GoogleTest can use the engine, by itself and with Catch2 and doctest, and reads whole reports there;
# who asks for what is not there is told what to do.
# Method: an installed mishap, and a project for which find_package(GTest) finds nothing.

include("${settings}")
file(REMOVE_RECURSE "${work}")
file(COPY "${CMAKE_CURRENT_LIST_DIR}/engine/" DESTINATION "${work}/project")
list(APPEND arguments "-Dmishap_ROOT=${work}/prefix" -DCMAKE_DISABLE_FIND_PACKAGE_GTest=ON)

# step(<what> <expected result> <command> ...): sets `output`.
function(step what expected)
    execute_process(COMMAND ${ARGN} WORKING_DIRECTORY "${work}"
        RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
    if(NOT result EQUAL expected)
        message(FATAL_ERROR "${what} ended with ${result} instead of ${expected}:\n${output}")
    endif()
    set(output "${output}" PARENT_SCOPE)
endfunction()

function(expect_words)
    string(REGEX REPLACE "[ \n]+" " " words "${output}")
    foreach(text IN LISTS ARGN)
        string(FIND "${words}" "${text}" at)
        if(at EQUAL -1)
            message(FATAL_ERROR "this lacks '${text}':\n${output}")
        endif()
    endforeach()
endfunction()

step(install 0 "${CMAKE_COMMAND}" --install "${mishap_build}" --prefix "${work}/prefix")
set(configure "${CMAKE_COMMAND}" -S project -G "${generator}" ${arguments})
step(configure 0 ${configure} -B build)
step(build 0 "${CMAKE_COMMAND}" --build build --parallel 2)
step(tests 0 "${CMAKE_CTEST_COMMAND}" --test-dir build --no-tests=error)
step(plain_test 0 build/plain_test)
expect_words("right holds in" "leaks breaks closes_everything" "timeline" "leaks does not hold in")
foreach(program catch2_test doctest_test)
    if(EXISTS "${work}/build/${program}")
        execute_process(COMMAND "${work}/build/${program}" OUTPUT_VARIABLE output ERROR_VARIABLE output)
        expect_words("leaks breaks closes_everything" "timeline")
    endif()
endforeach()

step("components of no name" 0 ${configure} -B build_any -Dcomponents=)
expect_words("GoogleTest was not found, so there are no mishap::gtest and mishap::main")
step("the component main" 1 ${configure} -B build_main -Dcomponents=main)
expect_words("mishap's components gtest and main need GoogleTest with GoogleMock, which was not found")
step("an unknown component" 1 ${configure} -B build_unknown -Dcomponents=gtset)
expect_words("mishap has no component 'gtset'; its components are engine, gtest and main")
