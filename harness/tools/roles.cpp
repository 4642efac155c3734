// SPDX-License-Identifier: MIT
#include "roles.hpp"

#include <algorithm>
#include <cctype>
#include <initializer_list>

namespace mishap::tools {

namespace {

struct entry
{
    std::string_view name;
    role means;
};

constexpr entry table[] = {
    {"open", {family::lifetime, part::acquires}},
    {"create", {family::lifetime, part::acquires}},
    {"connect", {family::lifetime, part::acquires}},
    {"establish", {family::lifetime, part::acquires}},
    {"start", {family::lifetime, part::acquires}},
    {"dial", {family::lifetime, part::acquires}},
    {"close", {family::lifetime, part::cleans_up}},
    {"shutdown", {family::lifetime, part::cleans_up}},
    {"shut_down", {family::lifetime, part::cleans_up}},
    {"disconnect", {family::lifetime, part::cleans_up}},
    {"dispose", {family::lifetime, part::cleans_up}},
    {"destroy", {family::lifetime, part::cleans_up}},
    {"stop", {family::lifetime, part::cleans_up}},
    {"quit", {family::lifetime, part::cleans_up}},
    {"cleanup", {family::lifetime, part::cleans_up}},
    {"clean_up", {family::lifetime, part::cleans_up}},
    {"lock", {family::lock, part::acquires}},
    {"unlock", {family::lock, part::cleans_up}},
    {"acquire", {family::permit, part::acquires}},
    {"borrow", {family::permit, part::acquires}},
    {"checkout", {family::permit, part::acquires}},
    {"check_out", {family::permit, part::acquires}},
    {"reserve_slot", {family::permit, part::acquires}},
    {"release", {family::permit, part::cleans_up}},
    {"give_back", {family::permit, part::cleans_up}},
    {"put_back", {family::permit, part::cleans_up}},
    {"return_connection", {family::permit, part::cleans_up}},
    {"checkin", {family::permit, part::cleans_up}},
    {"check_in", {family::permit, part::cleans_up}},
    {"release_slot", {family::permit, part::cleans_up}},
    {"begin", {family::transaction, part::acquires}},
    {"begin_transaction", {family::transaction, part::acquires}},
    {"start_transaction", {family::transaction, part::acquires}},
    {"rollback", {family::transaction, part::cleans_up}},
    {"roll_back", {family::transaction, part::cleans_up}},
    {"commit", {family::transaction, part::cleans_up, true}},
    {"login", {family::session, part::acquires}},
    {"log_in", {family::session, part::acquires}},
    {"logout", {family::session, part::cleans_up}},
    {"log_out", {family::session, part::cleans_up}},
    {"subscribe", {family::subscription, part::acquires}},
    {"unsubscribe", {family::subscription, part::cleans_up}},
    {"force_close", {family::none, part::forces}},
    {"close_now", {family::none, part::forces}},
    {"abort", {family::none, part::forces}},
    {"kill", {family::none, part::forces}},
    {"drop", {family::none, part::forces}},
    {"discard", {family::none, part::forces}},
    {"terminate", {family::none, part::forces}},
};

} // namespace

std::string plain_name(std::string_view name)
{
    std::string plain;
    for (std::size_t i = 0; i < name.size(); ++i) {
        const auto c = static_cast<unsigned char>(name[i]);
        if (std::isupper(c) && i > 0 && std::islower(static_cast<unsigned char>(name[i - 1])))
            plain += '_';
        plain += static_cast<char>(std::tolower(c));
    }
    for (const std::string_view word : {"async_", "co_", "do_"})
        if (plain.starts_with(word))
            plain.erase(0, word.size());
    for (const std::string_view word : {"_async", "_"})
        if (plain.ends_with(word))
            plain.erase(plain.size() - word.size());
    return plain;
}

role role_of(std::string_view name)
{
    const std::string plain = plain_name(name);
    for (const entry& known : table)
        if (known.name == plain)
            return known.means;
    return {};
}

bool cleans_up(std::string_view name)
{
    const role means = role_of(name);
    return means.does == part::cleans_up || means.does == part::forces;
}

bool speaks_of_time(std::string_view name)
{
    const std::string plain = plain_name(name);
    for (const std::string_view word : {"timeout", "time_out", "deadline", "expire", "expiry"})
        if (plain.find(word) != std::string::npos)
            return true;
    return false;
}

bool is_io_object(std::string_view type)
{
    for (const std::string_view word : {"asio::basic_", "asio::ssl::", "asio::ip::", "asio::local::",
             "boost::beast::", "asio::serial_port", "asio::steady_timer", "asio::experimental::"})
        if (type.find(word) != std::string_view::npos && type.find("awaitable") == std::string_view::npos)
            return true;
    return false;
}

} // namespace mishap::tools
