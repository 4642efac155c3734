# SPDX-License-Identifier: MIT
# pkg-config files, and what CPack needs to make a Debian package.

file(RELATIVE_PATH MISHAP_PC_UP "${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "${CMAKE_INSTALL_PREFIX}")
string(REGEX REPLACE "/$" "" MISHAP_PC_UP "${MISHAP_PC_UP}")

# mishap_pkg_config(<name> <about> <requires> <libraries>)
function(mishap_pkg_config name about requires libraries)
    set(MISHAP_PC_NAME ${name})
    set(MISHAP_PC_ABOUT "${about}")
    set(MISHAP_PC_REQUIRES "${requires}")
    set(MISHAP_PC_LIBS "${libraries}")
    configure_file("${PROJECT_SOURCE_DIR}/harness/packaging/mishap.pc.in" "${PROJECT_BINARY_DIR}/package/${name}.pc" @ONLY)
    install(FILES "${PROJECT_BINARY_DIR}/package/${name}.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
endfunction()

# RapidCheck comes without a pkg-config file, and Boost is headers only.
mishap_pkg_config(mishap "${PROJECT_DESCRIPTION}" "fmt yaml-cpp" "-lmishap -lrapidcheck -ldl -pthread")
mishap_pkg_config(mishap-gtest "mishap with GoogleTest" "mishap gmock gtest" "-lmishap_gtest")
# Its main() is found although nothing asks for it.
mishap_pkg_config(mishap-main "mishap with the command line" "mishap-gtest" "-lmishap_main -lmishap_gtest")

if(NOT PROJECT_IS_TOP_LEVEL)
    return()
endif()
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME mishap-dev)
set(CPACK_PACKAGE_CONTACT "the maintainers of mishap <mishap@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_RESOURCE_FILE_LICENSE "${PROJECT_SOURCE_DIR}/LICENSE")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON) # of the programs
set(CPACK_DEBIAN_PACKAGE_DEPENDS
    "libboost${MISHAP_BOOST_VERSION}-dev | libboost-dev (>= ${MISHAP_BOOST_VERSION}), libfmt-dev, libyaml-cpp-dev, librapidcheck-dev")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "libgtest-dev, libgmock-dev")
include(CPack)
