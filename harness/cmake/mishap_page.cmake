# SPDX-License-Identifier: MIT
# mishap_embed_page(<file>): writes the C++ source that holds the page which `--html` fills: its HTML, with its style
# and its script in it. They stay three files here, so that each is edited as what it is.

function(mishap_embed_page source)
    set(folder "${PROJECT_SOURCE_DIR}/harness/report/page")
    foreach(file page.html page.css timeline.js page.js)
        set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${folder}/${file}")
        string(MAKE_C_IDENTIFIER "${file}" part)
        file(READ "${folder}/${file}" mishap_${part})
        # What is made of it belongs to whoever makes it.
        string(REGEX REPLACE "^(<!--|/\\*|//) SPDX[^\n]*\n" "" mishap_${part} "${mishap_${part}}")
    endforeach()
    file(CONFIGURE OUTPUT "${source}" @ONLY CONTENT "// Made by mishap_embed_page.
#include \"report/page.hpp\"

namespace mishap::detail {

const std::string_view page_html = R\"mishap(@mishap_page_html@)mishap\";
const std::string_view page_css = R\"mishap(@mishap_page_css@)mishap\";
const std::string_view page_js = R\"mishap(@mishap_timeline_js@@mishap_page_js@)mishap\";

} // namespace mishap::detail
")
endfunction()
