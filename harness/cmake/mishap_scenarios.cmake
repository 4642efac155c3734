# SPDX-License-Identifier: MIT
# mishap_add_scenarios(<target> <folder> ...)
#
# Gives the program <target>, which links mishap::main, the scenario files (*.yaml) in and below each folder:
# its GoogleTest face runs them, and each file is one CTest test, named <target>.<suite>.<file without .yaml>.
# The suite is the path of the file's own folder below <folder>, with _ for /; for a file directly in <folder>
# it is the name of <folder>.
#
# A file that is added or removed later needs no new configuring: CTest looks when it starts. The tests run in
# the build folder (CMAKE_BINARY_DIR), with the label "scenarios".
#
# Restrictions: call it where enable_testing() is in force, and write relative folders relative to the calling
# CMakeLists.txt. A folder that is not there or holds no scenario, a file name that is not [a-z0-9_]+.yaml, and
# two files that would give one test name are errors when configuring.

include("${CMAKE_CURRENT_LIST_DIR}/mishap_scenario_names.cmake")

function(mishap_add_scenarios target)
    if(NOT TARGET ${target})
        message(FATAL_ERROR "mishap_add_scenarios: there is no target '${target}'; call add_executable first.")
    endif()
    get_target_property(type ${target} TYPE)
    if(NOT type STREQUAL "EXECUTABLE")
        message(FATAL_ERROR "mishap_add_scenarios: '${target}' must be an executable, since it is the program "
            "that runs the scenarios, but it is of type ${type}.")
    endif()
    if(NOT ARGN)
        message(FATAL_ERROR "mishap_add_scenarios: '${target}' is given no folder.")
    endif()

    set(folders)
    set(definitions)
    foreach(folder IN LISTS ARGN)
        cmake_path(ABSOLUTE_PATH folder BASE_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}" NORMALIZE)
        # Without this, 'scenarios/' would have an empty name.
        string(REGEX REPLACE "(.)/+$" "\\1" folder "${folder}")
        mishap_check_scenario_folder(${target} "${folder}")
        list(APPEND folders "${folder}")
        list(LENGTH folders number)
        string(APPEND definitions
            "static const mishap::detail::scenario_folder folder_${number}(R\"mishap(${folder})mishap\");\n")
    endforeach()

    # Each call makes files of its own, so that one target may be given folders in several calls.
    get_target_property(calls ${target} MISHAP_SCENARIO_CALLS)
    if(NOT calls)
        set(calls 0)
    endif()
    math(EXPR calls "${calls} + 1")
    set_target_properties(${target} PROPERTIES MISHAP_SCENARIO_CALLS ${calls})
    set(stem "${CMAKE_CURRENT_BINARY_DIR}/${target}_scenarios_${calls}")

    set(source "// Made by mishap_add_scenarios.\n#include <mishap/scenario.hpp>\n\n${definitions}")
    file(CONFIGURE OUTPUT "${stem}.cpp" CONTENT "@source@" @ONLY)
    target_sources(${target} PRIVATE "${stem}.cpp")

    # What CTest reads when it starts. Where the program lies is known only when CMake generates, and differs
    # between configurations where one build folder holds several.
    get_property(several GLOBAL PROPERTY GENERATOR_IS_MULTI_CONFIG)
    if(several)
        set(program_file "${stem}-$<CONFIG>.cmake")
        set(included_program_file "${stem}-\${CTEST_CONFIGURATION_TYPE}.cmake")
    else()
        set(program_file "${stem}-program.cmake")
        set(included_program_file "${program_file}")
    endif()
    file(GENERATE OUTPUT "${program_file}"
        CONTENT "set(mishap_program [==[$<TARGET_FILE:${target}>]==])\n" TARGET ${target})
    set(script "include(\"${included_program_file}\" OPTIONAL RESULT_VARIABLE mishap_program_known)
set(mishap_target [==[${target}]==])
set(mishap_folders [==[${folders}]==])
set(mishap_working_directory [==[${CMAKE_BINARY_DIR}]==])
include([==[${CMAKE_CURRENT_FUNCTION_LIST_DIR}/mishap_scenario_tests.cmake]==])
")
    file(CONFIGURE OUTPUT "${stem}-tests.cmake" CONTENT "@script@" @ONLY)
    set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES "${stem}-tests.cmake")

    # Only at the end of the folder is it known what the target links.
    if(calls EQUAL 1)
        cmake_language(EVAL CODE "cmake_language(DEFER CALL mishap_warn_of_archives [==[${target}]==])")
    endif()
endfunction()

# Ends the configuring when a folder cannot be used.
function(mishap_check_scenario_folder target folder)
    if(NOT IS_DIRECTORY "${folder}")
        message(FATAL_ERROR "mishap_add_scenarios(${target}): there is no folder ${folder}")
    endif()
    file(GLOB_RECURSE files LIST_DIRECTORIES FALSE "${folder}/*.yaml" "${folder}/*.yml")
    if(NOT files)
        message(FATAL_ERROR "mishap_add_scenarios(${target}): no scenario file (*.yaml) is in ${folder}")
    endif()
    get_target_property(known ${target} MISHAP_SCENARIO_TESTS)
    if(NOT known)
        set(known)
    endif()
    foreach(file IN LISTS files)
        cmake_path(GET file FILENAME name)
        if(NOT name MATCHES "^[a-z0-9_]+\\.yaml$")
            message(FATAL_ERROR "mishap_add_scenarios(${target}): ${file} cannot be a test's name. Name the file "
                "with a-z, 0-9 and _, ending in .yaml")
        endif()
        mishap_scenario_test_name(test ${target} "${folder}" "${file}")
        if(test IN_LIST known)
            message(FATAL_ERROR "mishap_add_scenarios(${target}): ${file} would be the test ${test}, and so "
                "would another file. Rename one of them.")
        endif()
        list(APPEND known "${test}")
    endforeach()
    set_target_properties(${target} PROPERTIES MISHAP_SCENARIO_TESTS "${known}")
endfunction()

# Says so where a static library that the target links registers something: nothing refers to a registration, so the
# linker takes the file that has it only if something else in it is needed.
function(mishap_warn_of_archives target)
    get_target_property(libraries ${target} LINK_LIBRARIES)
    foreach(library IN LISTS libraries)
        # What mishap's own libraries hold are templates of registrations.
        if(NOT TARGET ${library} OR library MATCHES "^mishap::")
            continue()
        endif()
        get_target_property(type ${library} TYPE)
        get_target_property(is_imported ${library} IMPORTED)
        if(NOT type STREQUAL "STATIC_LIBRARY" OR is_imported)
            continue()
        endif()
        get_target_property(sources ${library} SOURCES)
        get_target_property(folder ${library} SOURCE_DIR)
        foreach(source IN LISTS sources)
            cmake_path(ABSOLUTE_PATH source BASE_DIRECTORY "${folder}")
            if(NOT source MATCHES "\\.(cpp|cc|cxx|C)$" OR NOT EXISTS "${source}")
                continue()
            endif()
            file(STRINGS "${source}" registrations REGEX "^MISHAP_(MANAGER|CONTRACT|ERROR|INVARIANT)\\(" LIMIT_COUNT 1)
            if(registrations)
                message(WARNING "mishap_add_scenarios(${target}): ${source} registers something, and sits in the "
                    "static library ${library}, from which a linker leaves it out. Compile it into ${target}, or make "
                    "${library} an OBJECT library.")
            endif()
        endforeach()
    endforeach()
endfunction()
