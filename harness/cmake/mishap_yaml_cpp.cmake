# SPDX-License-Identifier: MIT
# yaml-cpp 0.7, which Debian 12 and Ubuntu 24.04 have, calls its target yaml-cpp; newer ones call it
# yaml-cpp::yaml-cpp. mishap says yaml-cpp: here the old name is given to the new target where only that one is.
if(TARGET yaml-cpp::yaml-cpp AND NOT TARGET yaml-cpp)
    add_library(yaml-cpp INTERFACE IMPORTED GLOBAL)
    set_target_properties(yaml-cpp PROPERTIES INTERFACE_LINK_LIBRARIES yaml-cpp::yaml-cpp)
endif()
