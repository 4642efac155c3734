# SPDX-License-Identifier: MIT
# What mishap decides only when it is the project that is built, not a part of somebody else's.

enable_testing()
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

# Where a build folds several sources into one, a few keep the memory that a compiler needs below 2 GiB.
if(NOT DEFINED CMAKE_UNITY_BUILD_BATCH_SIZE)
    set(CMAKE_UNITY_BUILD_BATCH_SIZE 6)
endif()

# Here rather than in the presets, so that a machine without ccache needs no preset of its own. ccache serves a
# source with a precompiled header only when it may overlook when that header was made; by its default it may not.
find_program(MISHAP_CCACHE ccache)
if(MISHAP_CCACHE AND NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER AND NOT DEFINED ENV{CMAKE_CXX_COMPILER_LAUNCHER})
    set(CMAKE_CXX_COMPILER_LAUNCHER env
        CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime "${MISHAP_CCACHE}")
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
        add_compile_options(-fpch-preprocess)
    endif()
endif()
