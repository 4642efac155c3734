# SPDX-License-Identifier: MIT
# Read by run_consumer.cmake: the tests that CTest must find.
set(passing
    production
    session_test.scenarios.everything
    session_test.session.close_error
    session_test.later.now
    session_gtest.session.holds
    session_gtest.session.wrong_one_does_not)
set(failing session_test.session.replaced_error)
