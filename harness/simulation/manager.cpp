// SPDX-License-Identifier: MIT
#include <mishap/input_error.hpp>
#include <mishap/invariant.hpp>
#include <mishap/manager.hpp>

#include <fmt/format.h>

#include <map>
#include <optional>

namespace mishap {

namespace {

struct registry
{
    std::map<std::string, manager, std::less<>> managers;
    // Registrations run in no certain order, so a contract may come before its manager.
    std::map<std::string, contract, std::less<>> contracts;
    std::vector<std::string> errors;
};

registry& registered()
{
    static registry all;
    return all;
}

} // namespace

void register_manager(manager added)
{
    auto& [managers, contracts, errors] = registered();
    if (const auto found = managers.find(added.name); found != managers.end()) {
        errors.push_back(fmt::format("{}:{}: a manager named '{}' is registered already at {}:{}", added.file,
            added.line, added.name, found->second.file, found->second.line));
        return;
    }
    if (const auto found = contracts.find(added.name); found != contracts.end()) {
        added.promises = std::move(found->second);
        contracts.erase(found);
    }
    std::string name = added.name;
    managers.emplace(std::move(name), std::move(added));
}

const manager& get_manager(std::string_view name)
{
    const auto& managers = registered().managers;
    if (const auto found = managers.find(name); found != managers.end())
        return found->second;
    const std::vector<std::string> known = manager_names();
    std::string text = unknown_word("manager", name, known);
    if (nearest(name, known).empty())
        text +=
            "; if it is registered in a static library, the linker left it out: compile its file into the "
            "program, or take it from an OBJECT library";
    throw input_error(text);
}

std::vector<std::string> manager_names()
{
    std::vector<std::string> names;
    for (const auto& [name, manager] : registered().managers)
        names.push_back(name);
    return names;
}

const std::vector<std::string>& registration_errors()
{
    auto& all = registered();
    for (const auto& [name, promises] : all.contracts)
        all.errors.push_back(
            fmt::format("MISHAP_CONTRACT({}): {}", name, unknown_word("manager", name, manager_names())));
    all.contracts.clear();
    static std::size_t told = 0;
    for (; told < detail::invariant_errors().size(); ++told)
        all.errors.push_back(detail::invariant_errors()[told]);
    return all.errors;
}

namespace detail {

manager_registration::manager_registration(
    std::string_view name, awaitable<void> (*run)(environment&), std::string_view file, int line)
{
    manager added{std::string(name), adapter(run)};
    added.file = file;
    added.line = line;
    register_manager(std::move(added));
}

contract_registration& contract_registration::operator=(contract promises)
{
    auto& all = registered();
    if (const auto found = all.managers.find(name); found != all.managers.end())
        found->second.promises = std::move(promises);
    else
        all.contracts.insert_or_assign(std::string(name), std::move(promises));
    return *this;
}

} // namespace detail
} // namespace mishap
