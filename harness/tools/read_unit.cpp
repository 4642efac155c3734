// SPDX-License-Identifier: MIT
// Goal: libclang's cursors as the small trees of syntax.hpp.
// Method: libclang's stable C interface shows no coroutine statements as such. A co_await, co_yield or
// co_return is an unexposed cursor whose text begins with that word; its first child is the operand, and the
// others are what the compiler adds.

#include "reader.hpp"

namespace mishap::tools {

std::string owned(CXString text)
{
    const char* const characters = clang_getCString(text);
    std::string copy = characters ? characters : "";
    clang_disposeString(text);
    return copy;
}

span extent_of(CXCursor cursor)
{
    const CXSourceRange range = clang_getCursorExtent(cursor);
    span found;
    CXFile end_file = nullptr;
    clang_getExpansionLocation(clang_getRangeStart(range), &found.file, nullptr, nullptr, &found.begin);
    clang_getExpansionLocation(clang_getRangeEnd(range), &end_file, nullptr, nullptr, &found.end);
    if (found.end < found.begin)
        found.end = found.begin;
    return found;
}

std::vector<CXCursor> children_of(CXCursor cursor)
{
    std::vector<CXCursor> found;
    clang_visitChildren(
        cursor,
        [](CXCursor child, CXCursor, CXClientData data) {
            static_cast<std::vector<CXCursor>*>(data)->push_back(child);
            return CXChildVisit_Continue;
        },
        &found);
    return found;
}

std::string qualified_name(CXCursor cursor)
{
    std::string name;
    for (CXCursor at = cursor; !clang_Cursor_isNull(at); at = clang_getCursorSemanticParent(at)) {
        const CXCursorKind kind = clang_getCursorKind(at);
        if (kind == CXCursor_TranslationUnit || clang_isInvalid(kind))
            break;
        const std::string part = owned(clang_getCursorSpelling(at));
        if (part.empty() || kind == CXCursor_LinkageSpec)
            continue;
        name = name.empty() ? part : part + "::" + name;
    }
    return name;
}

namespace {

diagnostic read_diagnostic(CXDiagnostic from)
{
    diagnostic made;
    made.text = owned(clang_getDiagnosticSpelling(from));
    made.fatal = clang_getDiagnosticSeverity(from) == CXDiagnostic_Fatal;
    CXFile file = nullptr;
    clang_getExpansionLocation(
        clang_getDiagnosticLocation(from), &file, &made.where.line, &made.where.column, &made.where.offset);
    if (file)
        made.where.file = owned(clang_getFileName(file));
    return made;
}

void add_include(CXFile file, CXSourceLocation*, unsigned, CXClientData data)
{
    static_cast<unit*>(data)->includes.push_back(owned(clang_getFileName(file)));
}

/// Lambdas that are coroutines are functions, too.
void add_lambdas(unit& into)
{
    std::vector<function> found;
    for (const function& of : into.functions)
        walk(of.body, [&](const node& below) {
            if (below.kind != shape::lambda || below.parts.empty() ||
                !contains(below.parts.back(), shape::await))
                return true;
            function made;
            made.owner = of.owner;
            made.scope = of.scope;
            made.result = below.type;
            made.where = of.where;
            made.coroutine = made.defined = true;
            made.generator = contains(below.parts.back(), shape::yield);
            made.body = below.parts.back();
            for (std::size_t begin = 0; begin < below.name.size();) {
                const std::size_t end = std::min(below.name.find(',', begin), below.name.size());
                made.parameters.push_back({below.name.substr(begin, end - begin), ""});
                begin = end + 1;
            }
            found.push_back(std::move(made));
            return true;
        });
    std::ranges::move(found, std::back_inserter(into.functions));
}

} // namespace

unit read_unit(const std::string& file, const std::vector<std::string>& arguments)
{
    unit made;
    made.main_file = file;
    std::vector<const char*> raw;
    for (const std::string& argument : arguments)
        raw.push_back(argument.c_str());
    // One mistake in a header must not hide the rest of the file.
    raw.push_back("-ferror-limit=0");
    raw.push_back("-w");
    const CXIndex index = clang_createIndex(0, 0);
    CXTranslationUnit tu = nullptr;
    const CXErrorCode code = clang_parseTranslationUnit2(index, file.c_str(), raw.data(),
        static_cast<int>(raw.size()), nullptr, 0, CXTranslationUnit_KeepGoing, &tu);
    if (code == CXError_Success && tu) {
        const unsigned count = clang_getNumDiagnostics(tu);
        for (unsigned i = 0; i < count; ++i) {
            const CXDiagnostic one = clang_getDiagnostic(tu, i);
            if (clang_getDiagnosticSeverity(one) >= CXDiagnostic_Error)
                made.diagnostics.push_back(read_diagnostic(one));
            clang_disposeDiagnostic(one);
        }
        clang_getInclusions(tu, add_include, &made);
        reader(made, tu).read();
        add_lambdas(made);
        made.read = true;
    } else {
        made.diagnostics.push_back({{file, 1, 1, 0},
            code == CXError_Crashed ? "the compiler's front end crashed on this file"
                                    : "the compiler's front end could not read this file or its arguments",
            true});
    }
    if (tu)
        clang_disposeTranslationUnit(tu);
    clang_disposeIndex(index);
    return made;
}

} // namespace mishap::tools
