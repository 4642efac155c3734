// SPDX-License-Identifier: MIT
#include "workers.hpp"

#include "conductor.hpp"
#include "worker_process.hpp"

#include "report/json.hpp"

#include <fmt/format.h>

#include <poll.h>

#include <algorithm>
#include <deque>
#include <stdexcept>
#include <vector>

namespace mishap::detail {

namespace {

/// The number of runs of one part that may end their process; the part is left then.
constexpr std::size_t deaths_max = 20;
/// The number of parts by which workers may be ahead of the first one that is missing.
constexpr std::uint64_t window = 64;
/// Another worker is worth its start where the work takes longer than this.
constexpr duration worth_another{3'000'000};

std::string to_json(const part_request& asked)
{
    std::vector<std::string> deaths;
    for (const auto& [run, how] : asked.deaths)
        deaths.push_back(json::object_writer().add("run", run).raw("death", how.to_json()).text());
    return json::object_writer()
        .add("part", asked.part)
        .add("runs_max", asked.runs_max)
        .add("begun_max", asked.begun_max)
        .raw("deaths", deaths)
        .text();
}

death death_of(const json::value& read)
{
    death one{.rule = crashes_name, .how = read["how"].text(), .words = read["words"].text()};
    for (const std::string_view known : death_names)
        if (read["rule"].text() == known)
            one.rule = known;
    return one;
}

part_request request_of(std::string_view text)
{
    const json::value read = json::parse(text);
    part_request asked{.part = read["part"].number(),
        .runs_max = read["runs_max"].number(),
        .begun_max = read["begun_max"].number()};
    for (const json::value& one : read["deaths"].items())
        asked.deaths.emplace(one["run"].number(), death_of(one["death"]));
    return asked;
}

class crew
{
public:
    explicit crew(const workers::work& what)
        : what_(what), jobs_(conducted() ? std::max(1u, conducted()->jobs) : 1), page_(jobs_ + 1),
          began_(real_now())
    {}

    void work()
    {
        while (!ended_) {
            take_what_is_there();
            if (ended_ || (all_handed_out() && answers_.empty() && !anybody_works()))
                break;
            hand_out();
            if (anybody_works())
                listen();
        }
    }

private:
    struct waiting_part
    {
        part_request asked;
        int failures = 0; ///< outside of any run
    };

    struct worker
    {
        std::unique_ptr<worker_process> process;
        std::optional<waiting_part> at_work;
    };

    bool is_skipped(std::uint64_t part) const { return what_.skips && what_.skips(part); }

    bool stops() const
    {
        return !what_.finishes &&
               (stopped_by() != 0 || (what_.until != duration(0) && real_now() >= what_.until));
    }

    bool all_handed_out() const { return again_.empty() && (stopping_ || next_ >= *what_.parts); }

    bool anybody_works() const
    {
        return std::any_of(crew_.begin(), crew_.end(), [](const worker& w) { return w.at_work.has_value(); });
    }

    /// Answers in the order of the parts.
    void take_what_is_there()
    {
        while (!ended_) {
            while (wanted_ < next_ && is_skipped(wanted_))
                ++wanted_;
            const auto found = answers_.find(wanted_);
            if (found == answers_.end())
                return;
            const auto [asked, answer] = std::move(found->second);
            answers_.erase(found);
            if (const auto less = what_.fits ? what_.fits(asked, answer) : std::nullopt) {
                part_request smaller = asked;
                smaller.runs_max = *less;
                again_.push_back({std::move(smaller)});
                return;
            }
            ended_ = what_.take(asked, answer) == workers::next::stop;
            ++wanted_;
        }
    }

    std::optional<waiting_part> next_part()
    {
        if (!again_.empty()) {
            waiting_part one = std::move(again_.front());
            again_.pop_front();
            return one;
        }
        while (!stopping_ && next_ < *what_.parts && next_ < wanted_ + window) {
            const std::uint64_t part = next_++;
            if (is_skipped(part))
                continue;
            part_request asked{.part = part, .runs_max = *what_.runs_max};
            if (auto known = what_.known ? what_.known(part) : std::nullopt) {
                answers_.emplace(part, std::pair(asked, std::move(*known)));
                continue;
            }
            return waiting_part{std::move(asked)};
        }
        return std::nullopt;
    }

    worker* idle_worker()
    {
        for (worker& one : crew_)
            if (!one.at_work && one.process)
                return &one;
        for (worker& one : crew_)
            if (!one.at_work) {
                one.process = start(static_cast<std::size_t>(&one - crew_.data()));
                return &one;
            }
        if (crew_.size() >= jobs_ || (!crew_.empty() && real_now() - began_ < worth_another))
            return nullptr;
        worker& added = crew_.emplace_back();
        added.process = start(crew_.size() - 1);
        return &added;
    }

    std::unique_ptr<worker_process> start(std::size_t row)
    {
        return std::make_unique<worker_process>(page_, row, [this, row](worker_process::line& to_parent) {
            const try_alone alone = [&](const std::string& plan) -> std::optional<death> {
                to_parent.send('T', plan);
                const auto reply = to_parent.receive();
                if (!reply || reply->text.empty())
                    return std::nullopt;
                return death::from_json(reply->text);
            };
            while (const auto message = to_parent.receive()) {
                try {
                    to_parent.send('A', what_.serve(request_of(message->text), page_.row(row), alone));
                } catch (...) {
                    to_parent.send('E', describe_error());
                }
                page_.row(row).run = 0;
            }
        });
    }

    void hand_out()
    {
        if (!stopping_ && stops()) {
            stopping_ = true;
            page_.stop();
        }
        while (!all_handed_out()) {
            worker* const free = idle_worker();
            if (!free)
                return;
            auto part = next_part();
            if (!part)
                return;
            page_.row(row_of(*free)).run = 0;
            free->process->send('P', to_json(part->asked));
            free->at_work = std::move(part);
        }
    }

    std::size_t row_of(const worker& one) const { return static_cast<std::size_t>(&one - crew_.data()); }

    void listen()
    {
        std::vector<pollfd> waits_for;
        for (const worker& one : crew_)
            if (one.at_work) {
                waits_for.push_back({one.process->socket(), POLLIN, 0});
                waits_for.push_back({one.process->exit_descriptor(), POLLIN, 0});
            }
        const bool may_grow = crew_.size() < jobs_ && !all_handed_out();
        ::poll(waits_for.data(), waits_for.size(), may_grow ? 3 : 50);
        for (worker& one : crew_)
            if (one.at_work)
                look_after(one);
        if (conducted() && conducted()->watch && what_.watch)
            what_.watch(page_.row_sums());
    }

    void look_after(worker& one)
    {
        while (one.at_work) {
            const auto message = one.process->receive_if_there();
            if (!message)
                break;
            if (message->kind == 'T') {
                const auto died = try_it_alone(message->text);
                one.process->send('D', died ? died->to_json() : std::string());
                continue;
            }
            if (message->kind == 'E')
                rethrow_error(message->text);
            part_request asked = std::move(one.at_work->asked);
            one.at_work.reset();
            const std::uint64_t part = asked.part;
            answers_.insert_or_assign(part, std::pair(std::move(asked), message->text));
        }
        if (!one.at_work)
            return;
        if (auto died = one.process->ended())
            bury(one, std::move(*died));
    }

    /// Has the part done again, without the run that ended the process.
    void bury(worker& one, death how)
    {
        const std::uint64_t run = page_.row(row_of(one)).run;
        waiting_part part = std::move(*one.at_work);
        one.at_work.reset();
        one.process.reset();
        page_.row(row_of(one)).dies.why = death_row::cause::none;
        constexpr int failures_max = 2;
        if (run == 0 && ++part.failures > failures_max)
            throw std::runtime_error(fmt::format(
                "a process that runs code under test died outside of any run: {}\n{}", how.how, how.words));
        if (run != 0 && part.asked.deaths.size() >= deaths_max)
            part.asked.begun_max = run;
        else if (run != 0)
            part.asked.deaths.emplace(run, std::move(how));
        again_.push_front(std::move(part));
    }

    std::optional<death> try_it_alone(const std::string& request)
    {
        shared_row& row = page_.row(jobs_);
        row.run = 0;
        row.dies.why = death_row::cause::none;
        worker_process alone(page_, jobs_, [&](worker_process::line&) { what_.alone(request, row); });
        for (;;) {
            pollfd end{alone.exit_descriptor(), POLLIN, 0};
            ::poll(&end, 1, 50);
            if (auto died = alone.ended())
                return died->how.empty() ? std::nullopt : died;
        }
    }

    const workers::work& what_;
    const unsigned jobs_;
    shared_page page_;
    std::vector<worker> crew_;
    std::deque<waiting_part> again_;
    std::map<std::uint64_t, std::pair<part_request, std::string>> answers_;
    std::uint64_t next_ = 0;   ///< to be handed out
    std::uint64_t wanted_ = 0; ///< to be taken
    const duration began_;
    bool stopping_ = false;
    bool ended_ = false;
};

} // namespace

std::string death::to_json() const
{
    return json::object_writer().add("rule", rule).add("how", how).add("words", words).text();
}

death death::from_json(std::string_view text) { return death_of(json::parse(text)); }

bool is_death(std::string_view rule) noexcept
{
    return std::find(std::begin(death_names), std::end(death_names), rule) != std::end(death_names);
}

void workers::run(const work& what) { crew(what).work(); }

} // namespace mishap::detail
