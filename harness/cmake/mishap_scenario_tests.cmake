# SPDX-License-Identifier: MIT
# Read by CTest when it starts: one test for each scenario file that is there now. The file that includes this
# one, made by mishap_add_scenarios, sets mishap_program, mishap_target, mishap_folders and
# mishap_working_directory.

include("${CMAKE_CURRENT_LIST_DIR}/mishap_scenario_names.cmake")

if(mishap_program_known STREQUAL "NOTFOUND")
    # Several configurations, and ctest was given none or one that is not there. CTest shows a test whose
    # command is not found as failed; no test at all would pass.
    set(mishap_program "${mishap_target}_in_which_configuration")
endif()

foreach(mishap_folder IN LISTS mishap_folders)
    file(GLOB_RECURSE mishap_files LIST_DIRECTORIES FALSE "${mishap_folder}/*.yaml" "${mishap_folder}/*.yml")
    if(NOT mishap_files)
        # The program says that nothing ran and fails: files that vanished must not look like success.
        set(mishap_files "${mishap_folder}")
    endif()
    foreach(mishap_file IN LISTS mishap_files)
        if(mishap_file STREQUAL mishap_folder)
            set(mishap_test "${mishap_target}.no_scenarios")
        else()
            mishap_scenario_test_name(mishap_test "${mishap_target}" "${mishap_folder}" "${mishap_file}")
        endif()
        add_test("${mishap_test}" "${mishap_program}" run "${mishap_file}")
        set_tests_properties("${mishap_test}" PROPERTIES
            LABELS scenarios WORKING_DIRECTORY "${mishap_working_directory}")
    endforeach()
endforeach()
