// SPDX-License-Identifier: MIT
#include <mishap/main.hpp>

int main(int argc, char** argv) { return mishap::run_main(argc, argv); }
