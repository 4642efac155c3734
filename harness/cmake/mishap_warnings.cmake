# SPDX-License-Identifier: MIT
# mishap_warnings(<target> ...): the warnings that mishap's own sources are free of. PRIVATE, so that no user's
# build is touched by them.
function(mishap_warnings)
    foreach(target IN LISTS ARGN)
        # -Wmissing-field-initializers contradicts designated initialisers that leave the rest to its defaults.
        target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wnon-virtual-dtor -Woverloaded-virtual
            -Wno-missing-field-initializers $<$<CXX_COMPILER_ID:GNU>:-Wshadow=local>)
        # In folded sources GCC takes a frame with a member of an anonymous namespace for a header's.
        target_compile_options(${target} PRIVATE
            $<$<AND:$<CXX_COMPILER_ID:GNU>,$<BOOL:$<TARGET_PROPERTY:UNITY_BUILD>>>:-Wno-subobject-linkage>)
        if(MISHAP_WARNINGS_AS_ERRORS)
            target_compile_options(${target} PRIVATE -Werror)
        endif()
    endforeach()
endfunction()
