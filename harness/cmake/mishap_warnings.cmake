# mishap_warnings(<target> ...): the warnings that mishap's own sources are free of. PRIVATE, so that no user's
# build is touched by them.
function(mishap_warnings)
    foreach(target IN LISTS ARGN)
        target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow=local -Wnon-virtual-dtor
            -Woverloaded-virtual -Wno-missing-field-initializers)
        if(MISHAP_WARNINGS_AS_ERRORS)
            target_compile_options(${target} PRIVATE -Werror)
        endif()
    endforeach()
endfunction()
