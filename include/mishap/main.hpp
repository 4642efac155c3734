// SPDX-License-Identifier: MIT
#pragma once

namespace mishap {

/// What `mishap::main` does, for programs with a main() of their own: a sub-command (`run`, `sweep`,
/// `random`, `replay`, `list`, `check`), or GoogleTest over its own tests and the scenario folders of the
/// program.
///
/// Returns the exit code: 2 if any input was bad, else 1 if anything broke, else 3 if nothing ran, else 0.
int run_main(int argc, char** argv);

} // namespace mishap
