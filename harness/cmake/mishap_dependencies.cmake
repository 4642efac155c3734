# What mishap is built on: found first, fetched second, pinned here and nowhere else.
#
# MISHAP_FETCHED becomes true when anything was fetched: such a build cannot be installed, since an export would
# name targets that exist in this build only.

include(FetchContent)
set(MISHAP_FETCHED FALSE)
option(MISHAP_FETCH "Fetch dependencies that are not found" ON)

# mishap_dependency(<name> <target> <url> <sha256> [find_package arguments ...])
# A macro, so that what find_package sets stays visible. A target that the parent project made is accepted.
macro(mishap_dependency name target repository tag)
    if(NOT TARGET ${target})
        find_package(${name} ${ARGN} QUIET)
    endif()
    if(NOT TARGET ${target})
        if(NOT MISHAP_FETCH)
            message(FATAL_ERROR "mishap needs ${name} and did not find it. Install it (harness/dev deps does so "
                "on Debian and Ubuntu), or allow fetching with -DMISHAP_FETCH=ON.")
        endif()
        message(STATUS "mishap: ${name} was not found and is fetched")
        FetchContent_Declare(${name} GIT_REPOSITORY ${repository} GIT_TAG ${tag} GIT_SHALLOW TRUE)
        FetchContent_MakeAvailable(${name})
        set(MISHAP_FETCHED TRUE)
    endif()
endmacro()

# Headers only, and not fetched: Boost comes with every system mishap supports, and fetching it whole for its
# headers takes longer than everything else together.
find_package(Boost 1.81 QUIET CONFIG)
if(NOT TARGET Boost::headers)
    message(FATAL_ERROR "mishap needs the headers of Boost 1.81 or newer (older Asio has no cancellation slots). "
        "On Debian 12 install libboost1.81-dev; 'harness/dev deps' does so.")
endif()

find_package(Threads REQUIRED)
set(BUILD_GMOCK ON)
mishap_dependency(fmt fmt::fmt https://github.com/fmtlib/fmt.git 9.1.0)
mishap_dependency(yaml-cpp yaml-cpp https://github.com/jbeder/yaml-cpp.git 0.8.0)
mishap_dependency(rapidcheck rapidcheck https://github.com/emil-e/rapidcheck.git 08b505829fcd77e0de3eb3a9cb5cd61e9dc1d8a6)
mishap_dependency(GTest GTest::gmock https://github.com/google/googletest.git release-1.12.1)
