# SPDX-License-Identifier: MIT
# Makes a Conan 2 package of the tree it is in: conan create <tree>/harness/packaging/conan --build=missing

import os

from conan import ConanFile
from conan.errors import ConanInvalidConfiguration
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import copy


class Mishap(ConanFile):
    name = "mishap"
    version = "0.1.0"
    license = "MIT"
    description = "Fault-injection test harness for C++ code that owns resources"
    topics = ("testing", "fault-injection", "asio", "coroutines")
    package_type = "static-library"
    settings = "os", "compiler", "build_type", "arch"

    def export_sources(self):
        tree = os.path.join(self.recipe_folder, "..", "..", "..")
        for pattern in ("CMakeLists.txt", "LICENSE", "README.md", "harness/*", "include/*", "scenarios/*"):
            copy(self, pattern, tree, self.export_sources_folder)

    def requirements(self):
        self.requires("boost/[>=1.81]", transitive_headers=True)
        self.requires("rapidcheck/[>=cci.20220514]", transitive_headers=True)
        self.requires("gtest/[>=1.12]", transitive_headers=True)
        self.requires("fmt/[>=9]")
        self.requires("yaml-cpp/[>=0.7]")

    def validate(self):
        check_min_cppstd(self, 20)
        if self.settings.os != "Linux":
            raise ConanInvalidConfiguration("mishap puts Linux's epoll and timers on virtual time")

    def layout(self):
        cmake_layout(self)

    def generate(self):
        toolchain = CMakeToolchain(self)
        for option in ("FETCH", "BUILD_TESTS", "BUILD_CATALOGUE", "BUILD_TOOLS", "WARNINGS_AS_ERRORS"):
            toolchain.cache_variables["MISHAP_" + option] = False
        toolchain.generate()
        CMakeDeps(self).generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        CMake(self).install()
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))

    def package_info(self):
        # mishap's own package file is the one that is used: it has mishap_add_scenarios, too.
        self.cpp_info.set_property("cmake_find_mode", "none")
        self.cpp_info.builddirs.append(os.path.join("lib", "cmake", "mishap"))
        self.cpp_info.libs = ["mishap_main", "mishap_gtest", "mishap"]
        self.cpp_info.system_libs = ["dl", "pthread"]
