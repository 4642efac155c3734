# SPDX-License-Identifier: MIT
# How a scenario file's test is called. Read when configuring and again by CTest, so that both say the same; the
# GoogleTest face of a program says the same but for the target (harness/main/scenario_tests.cpp).

function(mishap_scenario_test_name into target folder file)
    cmake_path(GET file STEM LAST_ONLY stem)
    cmake_path(GET file PARENT_PATH parent)
    cmake_path(RELATIVE_PATH parent BASE_DIRECTORY "${folder}")
    if(parent STREQUAL "" OR parent STREQUAL ".")
        cmake_path(GET folder FILENAME parent)
    endif()
    string(REPLACE "/" "_" suite "${parent}")
    set(${into} "${target}.${suite}.${stem}" PARENT_SCOPE)
endfunction()
