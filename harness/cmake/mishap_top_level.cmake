# What mishap decides only when it is the project that is built, not a part of somebody else's.

enable_testing()
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

# Here rather than in the presets, so that a machine without ccache needs no preset of its own.
find_program(MISHAP_CCACHE ccache)
if(MISHAP_CCACHE AND NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER AND NOT DEFINED ENV{CMAKE_CXX_COMPILER_LAUNCHER})
    set(CMAKE_CXX_COMPILER_LAUNCHER "${MISHAP_CCACHE}")
endif()
