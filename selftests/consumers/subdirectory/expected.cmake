# SPDX-License-Identifier: MIT
# Read by run_consumer.cmake: the tests that CTest must find.
set(passing
    writer_test.scenarios.disk_full
    writer_test.later.everything)
set(failing writer_test.scenarios.left_open)
