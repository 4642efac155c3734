# SPDX-License-Identifier: MIT
# An overlay port that builds the tree it is in: vcpkg install mishap --overlay-ports=<tree>/harness/packaging/vcpkg

cmake_path(ABSOLUTE_PATH CURRENT_PORT_DIR NORMALIZE OUTPUT_VARIABLE SOURCE_PATH)
foreach(folder IN ITEMS mishap vcpkg packaging harness)
    cmake_path(GET SOURCE_PATH PARENT_PATH SOURCE_PATH)
endforeach()

vcpkg_cmake_configure(
    SOURCE_PATH "${SOURCE_PATH}"
    OPTIONS
        -DMISHAP_FETCH=OFF
        -DMISHAP_BUILD_TESTS=OFF
        -DMISHAP_BUILD_CATALOGUE=OFF
        -DMISHAP_BUILD_TOOLS=OFF
        -DMISHAP_WARNINGS_AS_ERRORS=OFF
)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(PACKAGE_NAME mishap CONFIG_PATH lib/cmake/mishap)
vcpkg_fixup_pkgconfig()
file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/debug/include" "${CURRENT_PACKAGES_DIR}/debug/share")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE" "${SOURCE_PATH}/harness/THIRD_PARTY.md")
