# SPDX-License-Identifier: MIT
# What mishap is built on: found first, fetched second, pinned here and nowhere else.
#
# MISHAP_FETCHED becomes true when anything was fetched: such a build cannot be installed, since an export would
# name targets that exist in this build only.

include(FetchContent)
option(MISHAP_FETCH "Fetch dependencies that are not found" ON)
set(MISHAP_BOOST_VERSION 1.81)
set(MISHAP_FETCHED FALSE)
set(MISHAP_FETCHED_NAMES)

# A parent project links mishap's targets, and through them these: it must see them too.
set(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL TRUE)

# mishap_dependency(<name> <targets> <repository> <commit or tag>)
#
# <targets> are the names it may have; that one of them exists, perhaps because the parent project made it, is
# enough. A macro, so that what find_package sets stays visible.
macro(mishap_dependency name targets repository tag)
    mishap_any_target(mishap_has ${targets})
    if(NOT mishap_has)
        find_package(${name} CONFIG QUIET)
        mishap_any_target(mishap_has ${targets})
    endif()
    if(NOT mishap_has)
        if(NOT MISHAP_FETCH)
            message(FATAL_ERROR "mishap needs ${name} and did not find it. Install it ('harness/dev deps' does so "
                "on Debian and Ubuntu), or allow fetching with -DMISHAP_FETCH=ON.")
        endif()
        message(STATUS "mishap: ${name} was not found and is fetched")
        FetchContent_Declare(${name} GIT_REPOSITORY ${repository} GIT_TAG ${tag} SYSTEM)
        FetchContent_MakeAvailable(${name})
        set(MISHAP_FETCHED TRUE)
        list(APPEND MISHAP_FETCHED_NAMES ${name})
    endif()
endmacro()

function(mishap_any_target into)
    set(${into} FALSE PARENT_SCOPE)
    foreach(target IN LISTS ARGN)
        if(TARGET ${target})
            set(${into} TRUE PARENT_SCOPE)
        endif()
    endforeach()
endfunction()

# Headers only, and not fetched: Boost comes with every system mishap supports, and fetching it whole for its
# headers takes longer than everything else together.
if(NOT TARGET Boost::headers)
    find_package(Boost ${MISHAP_BOOST_VERSION} QUIET CONFIG)
endif()
if(NOT TARGET Boost::headers)
    message(FATAL_ERROR "mishap needs the headers of Boost ${MISHAP_BOOST_VERSION} or newer, because Asio in older "
        "ones has no cancellation slots. 'harness/dev deps' installs them on Debian and Ubuntu; on Debian 12 the "
        "package is libboost1.81-dev.")
endif()

if(NOT TARGET Threads::Threads)
    find_package(Threads REQUIRED)
endif()

# Of what is fetched only the libraries are wanted. These options are read by the fetched projects; where nothing
# is fetched they do nothing.
set(FMT_INSTALL OFF)
set(YAML_CPP_INSTALL OFF)
set(YAML_CPP_BUILD_TOOLS OFF)
set(INSTALL_GTEST OFF)
set(BUILD_GMOCK ON)
set(RC_ENABLE_GTEST ON)
# The pinned yaml-cpp and RapidCheck ask for policies that CMake 4 no longer has.
set(CMAKE_POLICY_VERSION_MINIMUM 3.5)
# Lets the plain variables above count as the options of projects that are older than CMake 3.13.
set(CMAKE_POLICY_DEFAULT_CMP0077 NEW)

mishap_dependency(fmt fmt::fmt https://github.com/fmtlib/fmt.git 9.1.0)
mishap_dependency(yaml-cpp "yaml-cpp;yaml-cpp::yaml-cpp" https://github.com/jbeder/yaml-cpp.git 0.8.0)
mishap_dependency(rapidcheck rapidcheck
    https://github.com/emil-e/rapidcheck.git 08b505829fcd77e0de3eb3a9cb5cd61e9dc1d8a6)
mishap_dependency(GTest GTest::gmock https://github.com/google/googletest.git release-1.12.1)
include(mishap_yaml_cpp)

unset(CMAKE_POLICY_VERSION_MINIMUM)
unset(CMAKE_POLICY_DEFAULT_CMP0077)
