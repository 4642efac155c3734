# SPDX-License-Identifier: MIT
# Installs the libraries, the headers and the package, so that find_package(mishap CONFIG) gives mishap::mishap,
# mishap::gtest, mishap::main, mishap::context, mishap::catalogue and mishap_add_scenarios.

if(MISHAP_FETCHED)
    # The export would name targets that exist in this build only.
    list(JOIN MISHAP_FETCHED_NAMES ", " mishap_names)
    message(STATUS "mishap: there is no install target, because dependencies were fetched (${mishap_names}); "
        "install them and configure again, or use mishap through add_subdirectory or FetchContent")
    return()
endif()

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(mishap_package_folder "${CMAKE_INSTALL_LIBDIR}/cmake/mishap")

# What needs GoogleTest is exported apart, so that the rest can be found without it.
install(TARGETS mishap EXPORT mishapTargets FILE_SET HEADERS FILE_SET frameworks)
install(TARGETS mishap_catalogue mishap_context EXPORT mishapTargets FILE_SET HEADERS)
install(TARGETS mishap_gtest mishap_main EXPORT mishapGoogleTestTargets FILE_SET HEADERS)
install(EXPORT mishapTargets NAMESPACE mishap:: DESTINATION "${mishap_package_folder}")
install(EXPORT mishapGoogleTestTargets NAMESPACE mishap:: DESTINATION "${mishap_package_folder}")

configure_package_config_file(
    "${CMAKE_CURRENT_LIST_DIR}/mishapConfig.cmake.in" "${PROJECT_BINARY_DIR}/package/mishapConfig.cmake"
    INSTALL_DESTINATION "${mishap_package_folder}" NO_SET_AND_CHECK_MACRO)
# Before 1.0 a minor version may change the API.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/package/mishapConfigVersion.cmake"
    COMPATIBILITY SameMinorVersion)
install(FILES
    "${PROJECT_BINARY_DIR}/package/mishapConfig.cmake"
    "${PROJECT_BINARY_DIR}/package/mishapConfigVersion.cmake"
    "${CMAKE_CURRENT_LIST_DIR}/mishap_scenarios.cmake"
    "${CMAKE_CURRENT_LIST_DIR}/mishap_fuzzer.cmake"
    "${CMAKE_CURRENT_LIST_DIR}/mishap_scenario_names.cmake"
    "${CMAKE_CURRENT_LIST_DIR}/mishap_scenario_tests.cmake"
    "${CMAKE_CURRENT_LIST_DIR}/mishap_yaml_cpp.cmake"
    DESTINATION "${mishap_package_folder}")
# Where mishap::catalogue looks for it, wherever the prefix is.
install(DIRECTORY "${PROJECT_SOURCE_DIR}/scenarios/" DESTINATION share/mishap/scenarios
    FILES_MATCHING PATTERN "*.hpp" PATTERN "*.cpp" PATTERN "*.yaml" PATTERN "*.md" PATTERN "*.svg")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" "${PROJECT_SOURCE_DIR}/README.md" "${PROJECT_SOURCE_DIR}/harness/THIRD_PARTY.md"
    DESTINATION "${CMAKE_INSTALL_DOCDIR}")
include(mishap_packages)
