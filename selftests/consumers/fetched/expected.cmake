# SPDX-License-Identifier: MIT
# Read by run_consumer.cmake: the tests that CTest must find.
set(passing
    lease_test.scenarios.refused
    lease_test.later.everything)
set(failing lease_test.scenarios.given_back_twice)
