# SPDX-License-Identifier: MIT
# Configures the project `refused` with one mistake, and checks that CMake ends with the message for it.

execute_process(
    COMMAND "${CMAKE_COMMAND}" -S "${CMAKE_CURRENT_LIST_DIR}/refused" -B "${work}"
        "-Dcase=${case}" "-DCMAKE_MODULE_PATH=${modules}"
    RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(result EQUAL 0)
    message(FATAL_ERROR "${case}: configuring should have failed:\n${output}")
endif()
# CMake breaks the lines of a message where they get long.
string(REGEX REPLACE "[ \n]+" " " words "${output}")
string(FIND "${words}" "${expected}" at)
if(at EQUAL -1)
    message(FATAL_ERROR "${case}: the message should contain '${expected}':\n${output}")
endif()
