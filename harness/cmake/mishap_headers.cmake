# SPDX-License-Identifier: MIT
# The installed API: every header in include/mishap, as a header set of the library whose bodies it needs.
#
# With MISHAP_BUILD_TESTS, the target all_verify_interface_header_sets compiles each header alone; it is not part
# of the default build, `harness/dev test` asks for it.

function(mishap_header_set target)
    set(base "${PROJECT_SOURCE_DIR}/include")
    get_target_property(type ${target} TYPE)
    set(scope PUBLIC)
    if(type STREQUAL INTERFACE_LIBRARY)
        set(scope INTERFACE)
    endif()
    target_sources(${target} ${scope} FILE_SET HEADERS BASE_DIRS "${base}" FILES ${ARGN})
    set_target_properties(${target} PROPERTIES VERIFY_INTERFACE_HEADER_SETS "${MISHAP_BUILD_TESTS}")
endfunction()

file(GLOB_RECURSE mishap_headers CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/include/mishap/*.hpp")
set(mishap_context_headers "${PROJECT_SOURCE_DIR}/include/mishap/context.hpp" "${PROJECT_SOURCE_DIR}/include/mishap/reached.hpp")
set(mishap_gtest_headers "${PROJECT_SOURCE_DIR}/include/mishap/gmock.hpp" "${PROJECT_SOURCE_DIR}/include/mishap/gtest.hpp")
set(mishap_main_headers "${PROJECT_SOURCE_DIR}/include/mishap/main.hpp")
# Each wants a test framework that need not be here; projects in selftests/consumers compile them.
set(mishap_framework_headers "${PROJECT_SOURCE_DIR}/include/mishap/catch2.hpp" "${PROJECT_SOURCE_DIR}/include/mishap/doctest.hpp")
list(REMOVE_ITEM mishap_headers ${mishap_framework_headers} ${mishap_context_headers} ${mishap_gtest_headers} ${mishap_main_headers})
mishap_header_set(mishap_context ${mishap_context_headers})
mishap_header_set(mishap ${mishap_headers})
target_sources(mishap PUBLIC FILE_SET frameworks TYPE HEADERS BASE_DIRS "${PROJECT_SOURCE_DIR}/include"
    FILES ${mishap_framework_headers})
set_target_properties(mishap PROPERTIES INTERFACE_HEADER_SETS_TO_VERIFY HEADERS)
mishap_header_set(mishap_gtest ${mishap_gtest_headers})
mishap_header_set(mishap_main ${mishap_main_headers})
