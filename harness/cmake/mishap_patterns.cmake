# SPDX-License-Identifier: MIT
# mishap_embed_patterns(<file>): writes the C++ source that holds what `mishap new` writes. Managers and what they
# share are the catalogue's own files, so that each template is code which the catalogue's scenarios test.

# mishap_pattern(<name> <about> <word> <header> <fake> SHARED <header> ...): <word> is what the manager is called in
# the catalogue's <header>.
function(mishap_pattern name about word header fake)
    cmake_parse_arguments(PARSE_ARGV 5 arg "" "" "SHARED")
    set(folder "${PROJECT_SOURCE_DIR}/harness/main/patterns")
    set(files)
    mishap_embed_file(files "@name@.hpp" "${PROJECT_SOURCE_DIR}/scenarios/${header}" catalogue)
    mishap_embed_file(files "fake.hpp" "${folder}/${fake}/fake.hpp.in" template)
    mishap_embed_file(files "adapter.cpp" "${folder}/${name}/adapter.cpp.in" template)
    foreach(shared IN LISTS arg_SHARED)
        mishap_embed_file(files "shared/${shared}.hpp" "${PROJECT_SOURCE_DIR}/scenarios/shared/${shared}.hpp" shared)
    endforeach()
    mishap_embed_file(files "scenarios/any_two_mishaps.yaml" "${folder}/any_two_mishaps.yaml.in" template)
    mishap_embed_file(files "scenarios/one_example.yaml" "${folder}/${name}/example.yaml.in" template)
    mishap_embed_file(files "CMakeLists.txt" "${folder}/CMakeLists.txt.in" template)
    string(APPEND mishap_patterns "{\"${name}\", \"${about}\", \"${word}\", {\n${files}}},\n")
    set(mishap_patterns "${mishap_patterns}" PARENT_SCOPE)
endfunction()

function(mishap_embed_file into name file origin)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${file}")
    file(READ "${file}" text)
    # What `mishap new` writes is the user's own.
    string(REGEX REPLACE "^// SPDX[^\n]*\n" "" text "${text}")
    set(${into} "${${into}}    {\"${name}\", template_file::origin::${origin}_file, R\"mishap(${text})mishap\"},\n" PARENT_SCOPE)
endfunction()

function(mishap_embed_patterns source)
    set(mishap_patterns)
    mishap_pattern(session "open, lend, close" lend shared/lend.hpp session SHARED with_deadline)
    mishap_pattern(transaction "begin, commit or roll back, inside a session" transaction
        transaction/transaction.hpp transaction SHARED with_deadline)
    mishap_pattern(pool "connections with a capacity, and clients in line for them" connection_pool
        shared/connection_pool.hpp pool SHARED with_deadline)
    mishap_pattern(lock "one resource for everybody, one client at a time" singleton_resource
        singleton_resource/singleton_resource.hpp lock SHARED async_lock with_deadline)
    mishap_pattern(writer "a file that is replaced as a whole, or not at all" file_writer
        file_writer/file_writer.hpp writer SHARED with_deadline)
    mishap_pattern(retry "a session whose creation is tried again" configurable_manager
        configurable_manager/configurable_manager.hpp session SHARED lend retrying with_deadline)
    file(CONFIGURE OUTPUT "${source}" @ONLY CONTENT "// Made by mishap_embed_patterns.
#include \"main/patterns.hpp\"

namespace mishap::detail {

const std::vector<pattern_template>& pattern_templates()
{
    static const std::vector<pattern_template> all{
@mishap_patterns@};
    return all;
}

} // namespace mishap::detail
")
endfunction()
