// SPDX-License-Identifier: MIT
#include "executor.hpp"
#include "misuse.hpp"
#include "world.hpp"

#include <mishap/environment.hpp>
#include <mishap/input_error.hpp>

#include <fmt/format.h>

#include <stdexcept>

namespace mishap {

namespace detail {

world& asked_for_body(world& where) noexcept
{
    where.note_request_for_body();
    return where;
}

namespace {

[[noreturn]] void unreadable(std::string_view name, const std::string& text, std::string_view wanted)
{
    misused(fmt::format("the setting {} is '{}', which is no {}", name, text, wanted), name);
}

} // namespace

void read_setting(std::string_view name, const std::string& text, duration& into)
{
    try {
        into = parse_duration(text);
    } catch (const input_error& e) {
        misused(fmt::format("the setting {}: {}", name, e.what()), name);
    }
}

void read_setting(std::string_view name, const std::string& text, bool& into)
{
    if (text != "true" && text != "false")
        unreadable(name, text, "bool (true, false)");
    into = text == "true";
}

void read_setting(std::string_view name, const std::string& text, long long& into)
{
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), into);
    if (text.empty() || error != std::errc() || end != text.data() + text.size())
        unreadable(name, text, "whole number");
}

void read_setting(std::string_view name, const std::string& text, double& into)
{
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), into);
    if (text.empty() || error != std::errc() || end != text.data() + text.size())
        unreadable(name, text, "number");
}

void read_setting(std::string_view, const std::string& text, std::string& into) { into = text; }

namespace {

/// What the name of a counter speaks of: `open`, or `session.open`.
///
/// Errors: throws `input_error` for an unknown quantity.
statistic_record parse_statistic(std::string_view name)
{
    const auto point = name.rfind('.');
    const std::string_view what = point == std::string_view::npos ? name : name.substr(point + 1);
    std::vector<std::string> known;
    for (const quantity q : {quantity::open, quantity::created, quantity::closed, quantity::in_use,
             quantity::waiting, quantity::idle, quantity::reserved}) {
        if (what == to_string(q) && point != 0)
            return {std::string(name),
                point == std::string_view::npos ? symbol() : symbol(name.substr(0, point)), q};
        known.emplace_back(to_string(q));
    }
    misused(unknown_word("statistic", name, known) +
            "; in front of it may stand the kind of the resources, as in session.open");
}

} // namespace

void refuse_setting(std::string_view name, const std::string& text)
{
    unreadable(name, text, "number that fits what the adapter asks for");
}

unheard_wait::unheard_wait(const boost::asio::any_io_executor& of) : world_(world::current())
{
    if (!world_)
        return;
    const auto* own = of.target<executor>();
    run_ = world_->run_number();
    lane_ = own ? own->in() : world_->running_lane();
    world_->wait_unheard(lane_, 1);
}

unheard_wait::~unheard_wait()
{
    if (is_current())
        world_->wait_unheard(lane_, -1);
}

bool unheard_wait::is_current() const
{
    return world_ && world::current() == world_ && world_->run_number() == run_;
}

bool unheard_wait::is_first_call()
{
    if (!std::exchange(called_, true))
        return true;
    if (is_current()) {
        expectation_record twice{.lane = lane_,
            .message = "the handler that from_callback gave was called again: with a completion handler of "
                       "Asio's own, that is undefined behaviour"};
        world_->expectation_failed(std::move(twice));
    }
    return false;
}

} // namespace detail

environment& environment::current()
{
    if (auto* world = detail::world::current())
        return world->handed_out();
    throw std::logic_error("mishap::environment::current() was called outside a run");
}

boost::asio::any_io_executor environment::executor() const
{
    return detail::executor(world_->executors(), world_->running_lane());
}

boost::asio::io_context& environment::context() const { return world_->context(); }

awaitable<void> environment::clients(std::function<awaitable<void>(client&)> serve) const
{
    return world_->serve(std::move(serve));
}

void environment::report(std::exception_ptr error) noexcept { world_->report(std::move(error)); }

void client::key(std::string_view name) const
{
    world_->outcome_of(static_cast<lane>(index_)).key = symbol(name);
}

void client::mode(std::string_view name) const
{
    world_->outcome_of(static_cast<lane>(index_)).mode = symbol(name);
}

std::uint32_t client::weight(std::uint32_t units) const
{
    outcome& mine = world_->outcome_of(static_cast<lane>(index_));
    if (units == 0)
        detail::misused("a client's weight is 0: it takes one unit of the capacity at least", {});
    return mine.weight = mine.probe ? 1 : units;
}

statistic environment::statistics(std::string_view name, std::function<long()> value) const
{
    return {*world_, world_->watch_statistic(detail::parse_statistic(name), std::move(value))};
}

statistic environment::statistics(
    std::string_view name, std::function<long()> value, std::function<long(const supply&)> expected) const
{
    statistic_record named{
        .name = std::string(name), .what = quantity::expression, .expected = std::move(expected)};
    return {*world_, world_->watch_statistic(std::move(named), std::move(value))};
}

statistic::~statistic()
{
    if (world_)
        world_->end_statistic(id_);
}

void environment::note(std::string_view text) { world_->note(text); }

const std::string* environment::find_setting(std::string_view name) const
{
    if (detail::usage& seen = detail::usage_of_run(); seen.gives_settings)
        seen.settings_read.emplace(name);
    const auto& settings = world_->plan().settings;
    const auto found = settings.find(name);
    return found == settings.end() ? nullptr : &found->second;
}

} // namespace mishap
