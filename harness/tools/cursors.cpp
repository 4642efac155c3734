// SPDX-License-Identifier: MIT
// Expressions and statements, cursor by cursor.

#include "reader.hpp"

namespace mishap::tools {

namespace {

/// The operator's characters of `operator=` and its like; empty for other names.
std::string_view operator_of(std::string_view name)
{
    constexpr std::string_view word = "operator";
    if (!name.starts_with(word) || name.size() == word.size() || is_word(name[word.size()]) ||
        name[word.size()] == ' ')
        return {};
    return name.substr(word.size());
}

/// The name that a name stands for, also where it depends on a template and may mean several functions.
std::string name_of(CXCursor cursor)
{
    std::string name = owned(clang_getCursorSpelling(cursor));
    if (name.empty() && clang_getCursorKind(cursor) == CXCursor_DeclRefExpr)
        for (const CXCursor& child : children_of(cursor))
            if (clang_getCursorKind(child) == CXCursor_OverloadedDeclRef)
                name = owned(clang_getCursorSpelling(child));
    return name;
}

/// The name of the operator that a call means, or an empty string.
std::string operator_called(CXCursor call)
{
    std::string name = owned(clang_getCursorSpelling(call));
    if (name.empty())
        for (const CXCursor& child : children_of(call))
            if (std::string found = name_of(child); !operator_of(found).empty())
                name = std::move(found);
    return operator_of(name).empty() ? "" : name;
}

bool is_assignment(std::string_view op)
{
    return op.ends_with('=') && op != "==" && op != "!=" && op != "<=" && op != ">=";
}

} // namespace

node reader::convert(CXCursor cursor, int depth)
{
    node made;
    const span range = extent_of(cursor);
    made.begin = range.begin;
    made.end = range.end;
    if (depth > depth_max)
        return made;
    const auto all = [&](shape kind) {
        made.kind = kind;
        convert_all(made, code_children(cursor), depth);
    };
    switch (clang_getCursorKind(cursor)) {
    case CXCursor_CompoundStmt:
        all(shape::block);
        break;
    case CXCursor_DeclStmt: {
        auto children = code_children(cursor);
        if (children.size() == 1)
            return convert(children.front(), depth + 1);
        all(shape::block);
        made.name = "declarations"; // no scope of its own
        break;
    }
    case CXCursor_VarDecl:
        all(shape::declare);
        made.name = owned(clang_getCursorSpelling(cursor));
        made.type = canonical_type_of(cursor);
        made.constant = value_of_variable(cursor, 0);
        break;
    case CXCursor_IfStmt:
        convert_branch(made, cursor, depth);
        break;
    case CXCursor_ForStmt:
    case CXCursor_WhileStmt:
    case CXCursor_DoStmt:
    case CXCursor_CXXForRangeStmt:
        convert_loop(made, cursor, depth);
        break;
    case CXCursor_SwitchStmt:
        all(shape::choice);
        break;
    case CXCursor_CaseStmt:
    case CXCursor_DefaultStmt:
        all(shape::label);
        made.name = clang_getCursorKind(cursor) == CXCursor_DefaultStmt ? "default" : "case";
        break;
    case CXCursor_CXXTryStmt:
        all(shape::attempt);
        break;
    case CXCursor_CXXCatchStmt: {
        made.kind = shape::handler;
        made.name = "...";
        for (const CXCursor& child : code_children(cursor))
            if (clang_getCursorKind(child) == CXCursor_VarDecl)
                made.name = canonical_type_of(child);
            else
                made.parts.push_back(convert(child, depth + 1));
        break;
    }
    case CXCursor_ReturnStmt:
        all(shape::leave);
        made.name = "return";
        break;
    case CXCursor_CXXThrowExpr:
        all(shape::raise);
        break;
    case CXCursor_BreakStmt:
        made.kind = shape::stop;
        break;
    case CXCursor_ContinueStmt:
        made.kind = shape::go_on;
        break;
    case CXCursor_CXXNewExpr:
        all(shape::allocate);
        break;
    case CXCursor_CXXDeleteExpr:
        all(shape::dispose);
        break;
    case CXCursor_LambdaExpr: {
        made.kind = shape::lambda;
        for (const CXCursor& child : code_children(cursor)) {
            const CXCursorKind kind = clang_getCursorKind(child);
            if (kind == CXCursor_ParmDecl)
                made.name += (made.name.empty() ? "" : ",") + owned(clang_getCursorSpelling(child));
            else if (clang_isStatement(kind))
                made.parts.push_back(convert(coroutine_body(child), depth + 1));
        }
        if (!made.parts.empty() && made.parts.back().begin > made.begin)
            made.type = file_->text().substr(made.begin, made.parts.back().begin - made.begin);
        break;
    }
    case CXCursor_CallExpr:
        convert_call(made, cursor, depth);
        break;
    case CXCursor_DeclRefExpr:
        convert_name(made, cursor);
        break;
    case CXCursor_MemberRefExpr: {
        made.kind = shape::member;
        made.name = owned(clang_getCursorSpelling(cursor));
        if (made.name.empty())
            made.name = last_identifier(made.begin, made.end);
        made.type = canonical_type_of(cursor);
        made.target = owned(clang_getCursorUSR(clang_getCursorReferenced(cursor)));
        convert_all(made, code_children(cursor), depth);
        break;
    }
    case CXCursor_CXXThisExpr:
        made.kind = shape::name;
        made.name = "this";
        break;
    case CXCursor_UnaryOperator: {
        all(shape::unary);
        const std::string& text = file_->text();
        if (made.parts.size() != 1 || made.end > text.size())
            break;
        const node& operand = made.parts.front();
        std::string op = text.substr(made.begin, operand.begin > made.begin ? operand.begin - made.begin : 0);
        if (op.empty() && operand.end < made.end)
            op = text.substr(operand.end, made.end - operand.end);
        std::erase_if(op,
            [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0 || c == '(' || c == ')'; });
        made.name = op == "not" ? "!" : op;
        if (made.name == "++" || made.name == "--")
            made.kind = shape::step;
        made.constant = value_of(cursor, 0);
        break;
    }
    case CXCursor_BinaryOperator:
    case CXCursor_CompoundAssignOperator: {
        all(shape::binary);
        if (made.parts.size() == 2) {
            made.name = operator_between(made.parts[0].end, made.parts[1].begin);
            if (is_assignment(made.name))
                made.kind = shape::assign;
        }
        made.constant = value_of(cursor, 0);
        break;
    }
    case CXCursor_ConditionalOperator:
        all(shape::conditional);
        if (made.parts.size() == 3 && made.parts[0].constant)
            made = node(std::move(made.parts[*made.parts[0].constant != 0 ? 1 : 2]));
        break;
    case CXCursor_IntegerLiteral:
    case CXCursor_FloatingLiteral:
    case CXCursor_StringLiteral:
    case CXCursor_CharacterLiteral:
    case CXCursor_CXXBoolLiteralExpr:
    case CXCursor_CXXNullPtrLiteralExpr:
        made.kind = shape::literal;
        made.name = file_->text().substr(made.begin, made.end - made.begin);
        made.constant = value_of(cursor, 0);
        break;
    case CXCursor_ParenExpr:
    case CXCursor_UnexposedExpr:
    case CXCursor_UnexposedStmt:
    case CXCursor_CXXStaticCastExpr:
        convert_unexposed(made, cursor, depth);
        break;
    default:
        all(shape::other);
        break;
    }
    return made;
}

std::string reader::operator_between(unsigned begin, unsigned end) const
{
    std::string op;
    const std::string& text = file_->text();
    for (unsigned i = begin; i < end && i < text.size(); ++i)
        if (std::string_view("=!<>|&+-*/%^,.").find(text[i]) != std::string_view::npos)
            op += text[i];
        else if (text.compare(i, 3, "and") == 0)
            op = "&&", i += 2;
        else if (text.compare(i, 2, "or") == 0)
            op = "||", ++i;
    return op;
}

void reader::convert_unexposed(node& made, CXCursor cursor, int depth)
{
    const std::vector<CXCursor> children = code_children(cursor);
    const auto first = [&](shape kind) {
        made.kind = kind;
        if (!children.empty())
            made.parts.push_back(convert(children.front(), depth + 1));
    };
    // Casts and the like begin where their operand does: the innermost of them is the coroutine's word
    // itself.
    const bool wraps = children.size() == 1 && extent_of(children.front()).begin == made.begin;
    if (!wraps && starts_with_word(made.begin, "co_await"))
        return first(shape::await);
    if (!wraps && starts_with_word(made.begin, "co_yield"))
        return first(shape::yield);
    if (starts_with_word(made.begin, "co_return")) {
        first(shape::leave);
        made.name = "co_return";
        // `co_return;` has only what the compiler adds.
        if (!made.parts.empty() && made.parts.front().begin <= made.begin)
            made.parts.clear();
        return;
    }
    if (children.size() == 1) {
        const unsigned begin = made.begin;
        const unsigned end = made.end;
        made = convert(children.front(), depth + 1);
        if (made.kind == shape::other || made.kind == shape::construct) {
            made.begin = begin;
            made.end = end;
        }
        return;
    }
    made.kind = shape::other;
    convert_all(made, children, depth);
}

void reader::convert_name(node& made, CXCursor cursor)
{
    made.kind = shape::name;
    made.name = owned(clang_getCursorSpelling(cursor));
    if (made.name.empty())
        made.name = last_identifier(made.begin, made.end);
    made.type = canonical_type_of(cursor);
    made.target = owned(clang_getCursorUSR(clang_getCursorReferenced(cursor)));
    made.constant = value_of(cursor, 0);
}

void reader::convert_call(node& made, CXCursor cursor, int depth)
{
    const std::string name = owned(clang_getCursorSpelling(cursor));
    const CXCursor referenced = clang_getCursorReferenced(cursor);
    if (!operator_called(cursor).empty())
        return convert_operator(made, cursor, depth);
    const std::vector<CXCursor> children = code_children(cursor);
    const CXCursorKind kind = clang_getCursorKind(referenced);
    made.type = canonical_type_of(cursor);
    if (kind == CXCursor_Constructor) {
        made.kind = shape::construct;
        made.name = name;
        convert_all(made, children, depth);
        // A copy, a move or a conversion of one value is that value.
        if (made.parts.size() == 1 && made.parts.front().begin == made.begin &&
            made.parts.front().end == made.end)
            made = node(std::move(made.parts.front()));
        return;
    }
    made.kind = shape::call;
    convert_all(made, children, depth);
    // `if (error)` calls error.operator bool(), which is nothing that anybody wrote.
    if (name.starts_with("operator ") && made.parts.size() == 1 && made.parts.front().kind == shape::member &&
        !made.parts.front().parts.empty()) {
        made = node(std::move(made.parts.front().parts.front()));
        return;
    }
    made.name = name;
    made.target = owned(clang_getCursorUSR(clang_getCursorReferenced(cursor)));
    if (made.name.empty() && !made.parts.empty())
        made.name = made.parts.front().name;
    if (made.name.empty() && !made.parts.empty())
        made.name = last_identifier(made.parts.front().begin, made.parts.front().end);
}

void reader::convert_operator(node& made, CXCursor cursor, int depth)
{
    const std::string name = operator_called(cursor);
    const std::string_view op = operator_of(name);
    made.type = canonical_type_of(cursor);
    std::vector<node> operands;
    for (const CXCursor& child : code_children(cursor)) {
        // One of the children is the name of the operator itself.
        if (!operator_of(name_of(child)).empty() && clang_getCursorKind(child) != CXCursor_CallExpr &&
            clang_getCursorKind(child) != CXCursor_MemberRefExpr)
            continue;
        operands.push_back(convert(child, depth + 1));
    }
    if ((op == "->" || op == "*") && operands.size() == 1) {
        made.kind = shape::unary;
        made.name = "*";
    } else if (op == "()") {
        made.kind = shape::call;
        made.name = operands.empty() ? "" : operands.front().name;
    } else if (op == "++" || op == "--") {
        made.kind = shape::step;
        made.name = op;
    } else if (is_assignment(op)) {
        made.kind = shape::assign;
        made.name = op;
    } else {
        made.kind = operands.size() == 1 ? shape::unary : shape::binary;
        made.name = op;
    }
    made.parts = std::move(operands);
}

void reader::convert_branch(node& made, CXCursor cursor, int depth)
{
    made.kind = shape::branch;
    std::vector<CXCursor> children = code_children(cursor);
    std::vector<node> before;
    while (children.size() > 2 && (clang_getCursorKind(children.front()) == CXCursor_VarDecl ||
                                      clang_getCursorKind(children.front()) == CXCursor_DeclStmt)) {
        before.push_back(convert(children.front(), depth + 1));
        children.erase(children.begin());
    }
    convert_all(made, children, depth);
    // What can never run is not there: `if constexpr (false)`, or a flag that is a constant.
    if (made.parts.size() >= 2 && made.parts[0].constant) {
        node taken;
        taken.kind = shape::block;
        taken.name = "declarations";
        taken.begin = made.begin;
        taken.end = made.end;
        const std::size_t which = *made.parts[0].constant != 0 ? 1 : 2;
        if (which < made.parts.size())
            taken.parts.push_back(std::move(made.parts[which]));
        made = std::move(taken);
    }
    if (before.empty())
        return;
    // `if (init; condition)` is a block of two.
    node block;
    block.kind = shape::block;
    block.begin = made.begin;
    block.end = made.end;
    block.parts = std::move(before);
    block.parts.push_back(std::move(made));
    made = std::move(block);
}

void reader::convert_loop(node& made, CXCursor cursor, int depth)
{
    made.kind = shape::loop;
    std::vector<CXCursor> children = code_children(cursor);
    switch (clang_getCursorKind(cursor)) {
    case CXCursor_WhileStmt:
        made.name = "while";
        break;
    case CXCursor_DoStmt:
        made.name = "do";
        break;
    case CXCursor_CXXForRangeStmt:
        made.name = "range";
        break;
    default: {
        made.name = "for";
        // Whether there is a condition shows in the text only: libclang leaves out what is missing.
        const std::string& text = file_->text();
        unsigned at = made.begin;
        int brackets = 0;
        int semicolons = 0;
        bool any = false;
        for (; at < made.end && at < text.size(); ++at) {
            const char c = text[at];
            brackets += c == '(' || c == '{' || c == '[' ? 1 : c == ')' || c == '}' || c == ']' ? -1 : 0;
            if (brackets == 0 && c == ')')
                break;
            if (brackets == 1 && c == ';')
                ++semicolons;
            else if (semicolons == 1 && !std::isspace(static_cast<unsigned char>(c)))
                any = true;
        }
        if (!any)
            made.name = "for ever";
        break;
    }
    }
    if (made.name == "do" && children.size() == 2)
        std::swap(children[0], children[1]);
    convert_all(made, children, depth);
}

std::optional<long long> reader::value_of_variable(CXCursor variable, int depth)
{
    if (depth > 16 || clang_getCursorKind(variable) != CXCursor_VarDecl ||
        !clang_isConstQualifiedType(clang_getCursorType(variable)))
        return {};
    const std::vector<CXCursor> children = code_children(variable);
    if (children.size() != 1)
        return {};
    return value_of(children.front(), depth + 1);
}

std::optional<long long> reader::value_of(CXCursor expression, int depth)
{
    if (depth > 16)
        return {};
    const CXCursorKind kind = clang_getCursorKind(expression);
    if (kind == CXCursor_DeclRefExpr) {
        const CXCursor declared = clang_getCursorReferenced(expression);
        if (clang_getCursorKind(declared) == CXCursor_EnumConstantDecl)
            return clang_getEnumConstantDeclValue(declared);
        return value_of_variable(declared, depth + 1);
    }
    if (kind == CXCursor_MemberRefExpr)
        return value_of_variable(clang_getCursorReferenced(expression), depth + 1);
    if (kind == CXCursor_CXXBoolLiteralExpr || kind == CXCursor_IntegerLiteral) {
        const CXEvalResult result = clang_Cursor_Evaluate(expression);
        if (!result)
            return {};
        std::optional<long long> value;
        if (clang_EvalResult_getKind(result) == CXEval_Int)
            value = clang_EvalResult_getAsLongLong(result);
        clang_EvalResult_dispose(result);
        return value;
    }
    if (kind == CXCursor_CXXNullPtrLiteralExpr)
        return {};
    const std::vector<CXCursor> children = code_children(expression);
    if ((kind == CXCursor_ParenExpr || kind == CXCursor_UnexposedExpr) && children.size() == 1)
        return value_of(children.front(), depth + 1);
    if (kind == CXCursor_UnaryOperator && children.size() == 1) {
        const auto operand = value_of(children.front(), depth + 1);
        const span whole = extent_of(expression);
        if (!operand || extent_of(children.front()).begin != whole.begin + 1)
            return {};
        return first_character(expression) == '!' ? std::optional<long long>(*operand == 0) : std::nullopt;
    }
    if (kind != CXCursor_BinaryOperator || children.size() != 2)
        return {};
    const auto left = value_of(children[0], depth + 1);
    const auto right = value_of(children[1], depth + 1);
    const std::string op = operator_between(extent_of(children[0]).end, extent_of(children[1]).begin);
    if (op == "&&")
        return left == 0 || right == 0 ? std::optional<long long>(0)
               : left && right         ? std::optional<long long>(1)
                                       : std::nullopt;
    if (op == "||")
        return (left && *left != 0) || (right && *right != 0) ? std::optional<long long>(1)
               : left && right                                ? std::optional<long long>(0)
                                                              : std::nullopt;
    if (!left || !right)
        return {};
    if (op == "==")
        return *left == *right;
    if (op == "!=")
        return *left != *right;
    if (op == "<")
        return *left < *right;
    if (op == ">")
        return *left > *right;
    return {};
}

char reader::first_character(CXCursor cursor) const
{
    const span range = extent_of(cursor);
    return range.begin < file_->text().size() ? file_->text()[range.begin] : '\0';
}

} // namespace mishap::tools
