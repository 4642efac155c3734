// SPDX-License-Identifier: MIT
#pragma once
/// Turns the cursors of one translation unit into trees; see read_unit.cpp for what is special about them.

#include "syntax.hpp"

#include <clang-c/Index.h>

#include <algorithm>
#include <cctype>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mishap::tools {

std::string owned(CXString text);

struct span
{
    CXFile file = nullptr;
    unsigned begin = 0;
    unsigned end = 0;
};

/// Where a cursor's text stands, in terms of the file that a person sees.
span extent_of(CXCursor cursor);

std::vector<CXCursor> children_of(CXCursor cursor);

std::string qualified_name(CXCursor cursor);

inline bool is_reference(CXCursorKind kind) { return kind >= CXCursor_FirstRef && kind <= CXCursor_LastRef; }

inline bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

/// Deeper trees than this are cut: the compiler's own limit for brackets is smaller.
inline constexpr int depth_max = 400;

class reader
{
public:
    reader(unit& into, CXTranslationUnit tu) : unit_(into), tu_(tu) {}

    void read() { visit_declarations(clang_getTranslationUnitCursor(tu_), 0); }

private:
    /// The file's source, loaded when it is first asked for; null for what is in no file.
    const source* file(CXFile of)
    {
        if (!of)
            return nullptr;
        const std::string path = owned(clang_getFileName(of));
        const auto known = unit_.files.find(path);
        if (known != unit_.files.end())
            return &known->second;
        std::size_t size = 0;
        const char* const text = clang_getFileContents(tu_, of, &size);
        if (!text)
            return nullptr;
        return &unit_.files.emplace(path, source(path, std::string(text, size))).first->second;
    }

    void visit_declarations(CXCursor parent, int depth)
    {
        if (depth > depth_max)
            return;
        for (const CXCursor& cursor : children_of(parent)) {
            const CXSourceLocation where = clang_getCursorLocation(cursor);
            if (depth == 0 && clang_Location_isInSystemHeader(where))
                continue;
            switch (clang_getCursorKind(cursor)) {
            case CXCursor_Namespace:
            case CXCursor_LinkageSpec:
            case CXCursor_UnexposedDecl:
                visit_declarations(cursor, depth + 1);
                break;
            case CXCursor_ClassDecl:
            case CXCursor_StructDecl:
            case CXCursor_ClassTemplate:
            case CXCursor_ClassTemplatePartialSpecialization:
                if (clang_isCursorDefinition(cursor))
                    add_class(cursor);
                visit_declarations(cursor, depth + 1);
                break;
            case CXCursor_FunctionDecl:
            case CXCursor_CXXMethod:
            case CXCursor_Constructor:
            case CXCursor_Destructor:
            case CXCursor_ConversionFunction:
            case CXCursor_FunctionTemplate:
                add_function(cursor);
                break;
            case CXCursor_VarDecl:
            case CXCursor_FieldDecl:
                add_lambdas_of(cursor);
                break;
            default:
                break;
            }
        }
    }

    place place_of(CXCursor cursor)
    {
        const span range = extent_of(cursor);
        CXFile where = nullptr;
        unsigned offset = 0;
        clang_getExpansionLocation(clang_getCursorLocation(cursor), &where, nullptr, nullptr, &offset);
        const source* const in = file(where ? where : range.file);
        return in ? in->at(where ? offset : range.begin) : place{};
    }

    void add_class(CXCursor cursor)
    {
        class_type made;
        made.name = qualified_name(cursor);
        made.where = place_of(cursor);
        made.begin = extent_of(cursor).begin;
        made.end = extent_of(cursor).end;
        made.is_template = clang_getCursorKind(cursor) != CXCursor_ClassDecl &&
                           clang_getCursorKind(cursor) != CXCursor_StructDecl;
        for (const CXCursor& child : children_of(cursor)) {
            const CXCursorKind kind = clang_getCursorKind(child);
            if (kind == CXCursor_FieldDecl)
                made.fields.push_back(
                    {owned(clang_getCursorSpelling(child)), type_of(child), owned(clang_getCursorUSR(child)),
                        clang_getCXXAccessSpecifier(child) == CX_CXXPublic, place_of(child)});
            else if (kind == CXCursor_CXXBaseSpecifier)
                made.bases.push_back(owned(clang_getTypeSpelling(clang_getCursorType(child))));
            else if (kind == CXCursor_Destructor && !clang_CXXMethod_isDefaulted(child))
                made.has_destructor = true;
        }
        unit_.classes.push_back(std::move(made));
    }

    void add_function(CXCursor cursor)
    {
        const span range = extent_of(cursor);
        if (!file(range.file))
            return;
        function made;
        made.name = owned(clang_getCursorSpelling(cursor));
        made.target = owned(clang_getCursorUSR(cursor));
        made.where = place_of(cursor);
        const CXCursor parent = clang_getCursorSemanticParent(cursor);
        made.scope = qualified_name(parent);
        const CXCursorKind parent_kind = clang_getCursorKind(parent);
        if (parent_kind == CXCursor_ClassDecl || parent_kind == CXCursor_StructDecl ||
            parent_kind == CXCursor_ClassTemplate ||
            parent_kind == CXCursor_ClassTemplatePartialSpecialization)
            made.owner = made.scope;
        made.result = owned(clang_getTypeSpelling(clang_getCursorResultType(cursor)));
        const CXCursorKind kind = clang_getCursorKind(cursor);
        made.destructor = kind == CXCursor_Destructor;
        made.constructor =
            kind == CXCursor_Constructor || (kind == CXCursor_FunctionTemplate &&
                                                clang_getTemplateCursorKind(cursor) == CXCursor_Constructor);
        made.is_template = kind == CXCursor_FunctionTemplate;
        made.is_const = clang_CXXMethod_isConst(cursor) != 0;
        made.begin = range.begin;
        made.end = range.end;
        made.is_static = clang_CXXMethod_isStatic(cursor) != 0;
        made.is_public = made.owner.empty() || clang_getCXXAccessSpecifier(cursor) == CX_CXXPublic;
        const int promise = clang_getCursorExceptionSpecificationType(cursor);
        made.nothrow = promise == CXCursor_ExceptionSpecificationKind_BasicNoexcept ||
                       promise == CXCursor_ExceptionSpecificationKind_DynamicNone ||
                       promise == CXCursor_ExceptionSpecificationKind_NoThrow ||
                       (made.destructor && promise != CXCursor_ExceptionSpecificationKind_ComputedNoexcept);
        const std::vector<CXCursor> children = children_of(cursor);
        CXCursor body = clang_getNullCursor();
        for (const CXCursor& child : children) {
            const CXCursorKind child_kind = clang_getCursorKind(child);
            if (child_kind == CXCursor_ParmDecl)
                made.parameters.push_back({owned(clang_getCursorSpelling(child)), type_of(child)});
            else if (clang_isStatement(child_kind))
                body = child;
        }
        file_ = file(range.file);
        owner_ = &made;
        if (!clang_Cursor_isNull(body) && clang_isCursorDefinition(cursor)) {
            made.defined = true;
            made.body = convert(coroutine_body(body), 0);
        }
        finish(made);
        unit_.functions.push_back(std::move(made));
    }

    /// Lambdas that initialise something outside any function.
    void add_lambdas_of(CXCursor cursor)
    {
        const span range = extent_of(cursor);
        if (!file(range.file))
            return;
        function made;
        made.name = owned(clang_getCursorSpelling(cursor));
        made.where = place_of(cursor);
        made.scope = qualified_name(clang_getCursorSemanticParent(cursor));
        file_ = file(range.file);
        owner_ = &made;
        node initialiser = convert(cursor, 0);
        bool any = false;
        walk(initialiser, [&any](const node& below) {
            any = any || below.kind == shape::lambda;
            return !any;
        });
        if (!any)
            return;
        made.body.kind = shape::block;
        made.body.parts.push_back(std::move(initialiser));
        made.defined = true;
        unit_.functions.push_back(std::move(made));
    }

    static void finish(function& made)
    {
        made.generator = contains(made.body, shape::yield);
        bool returns = false;
        walk(made.body, [&returns](const node& below) {
            returns = returns || (below.kind == shape::leave && below.name == "co_return");
            return below.kind != shape::lambda;
        });
        made.coroutine = made.generator || returns || contains(made.body, shape::await);
    }

    /// What the author wrote of a coroutine's body.
    static CXCursor coroutine_body(CXCursor statement)
    {
        if (clang_getCursorKind(statement) != CXCursor_UnexposedStmt)
            return statement;
        const std::vector<CXCursor> children = children_of(statement);
        if (!children.empty() && (clang_getCursorKind(children.front()) == CXCursor_CompoundStmt ||
                                     clang_getCursorKind(children.front()) == CXCursor_CXXTryStmt))
            return children.front();
        return statement;
    }

    bool starts_with_word(unsigned offset, std::string_view word) const
    {
        const std::string& text = file_->text();
        return text.compare(offset, word.size(), word) == 0 &&
               (offset + word.size() >= text.size() || !is_word(text[offset + word.size()]));
    }

    std::string last_identifier(unsigned begin, unsigned end) const
    {
        const std::string& text = file_->text();
        end = std::min<unsigned>(end, static_cast<unsigned>(text.size()));
        while (end > begin && !is_word(text[end - 1])) {
            if (text[end - 1] == '>') { // template arguments
                int open = 0;
                do {
                    --end;
                    open += text[end] == '>' ? 1 : text[end] == '<' ? -1 : 0;
                } while (end > begin && open > 0);
            } else {
                --end;
            }
        }
        unsigned start = end;
        while (start > begin && is_word(text[start - 1]))
            --start;
        return text.substr(start, end - start);
    }

    static std::string type_of(CXCursor cursor)
    {
        return owned(clang_getTypeSpelling(clang_getCursorType(cursor)));
    }

    static std::string canonical_type_of(CXCursor cursor)
    {
        return owned(clang_getTypeSpelling(clang_getCanonicalType(clang_getCursorType(cursor))));
    }

    /// The parts that are code: references to names, types and attributes are left out.
    static std::vector<CXCursor> code_children(CXCursor cursor)
    {
        std::vector<CXCursor> found = children_of(cursor);
        std::erase_if(found, [](CXCursor child) {
            const CXCursorKind kind = clang_getCursorKind(child);
            return is_reference(kind) || clang_isAttribute(kind);
        });
        return found;
    }

    void convert_all(node& into, const std::vector<CXCursor>& cursors, int depth)
    {
        for (const CXCursor& cursor : cursors)
            into.parts.push_back(convert(cursor, depth + 1));
    }

    node convert(CXCursor cursor, int depth);
    void convert_unexposed(node& made, CXCursor cursor, int depth);
    void convert_call(node& made, CXCursor cursor, int depth);
    void convert_operator(node& made, CXCursor cursor, int depth);
    void convert_loop(node& made, CXCursor cursor, int depth);
    void convert_branch(node& made, CXCursor cursor, int depth);
    void convert_name(node& made, CXCursor cursor);
    std::string operator_between(unsigned begin, unsigned end) const;
    char first_character(CXCursor cursor) const;
    std::optional<long long> value_of_variable(CXCursor variable, int depth);
    std::optional<long long> value_of(CXCursor expression, int depth);

    unit& unit_;
    CXTranslationUnit tu_;
    const source* file_ = nullptr;
    function* owner_ = nullptr;
};

} // namespace mishap::tools
