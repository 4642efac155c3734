#include <mishap/duration.hpp>
#include <mishap/error.hpp>
#include <mishap/invariant.hpp>
#include <mishap/manager.hpp>
#include <mishap/scenario.hpp>

#include <yaml-cpp/depthguard.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

namespace mishap {

namespace {

constexpr std::size_t file_size_max = 1'000'000;
constexpr int format_version = 1;
constexpr std::uint32_t clients_max = 100;

/// A node, with the way back to its place in the file.
class reader
{
public:
    reader(const YAML::Node& node, const std::string& file) : node_(node), file_(file) {}

    const YAML::Node& node() const { return node_; }

    file_place place() const
    {
        const YAML::Mark mark = node_.Mark();
        return {file_, std::max(mark.line, 0) + 1, std::max(mark.column, 0) + 1};
    }

    [[noreturn]] void refuse(const std::string& why) const { throw scenario_error(place(), why); }

    reader of(const YAML::Node& child) const { return {child, file_}; }

    /// Calls the handler of each key. Duplicate, unknown and non-scalar keys are refused.
    void for_keys(std::string_view of_what,
        const std::vector<std::pair<std::string, std::function<void(const reader&)>>>& handlers) const
    {
        std::vector<std::string> known;
        for (const auto& [name, handler] : handlers)
            known.push_back(name);
        for_entries(of_what, [&](const reader& key, const std::string& name, const reader& value) {
            const auto found = std::find_if(
                handlers.begin(), handlers.end(), [&](const auto& h) { return h.first == name; });
            if (found == handlers.end())
                key.refuse(unknown_word(fmt::format("key of {}", of_what), name, known));
            found->second(value);
        });
    }

    /// The line of a key of this map.
    int line_of(std::string_view name) const
    {
        for (const auto& entry : node_)
            if (entry.first.IsScalar() && entry.first.Scalar() == name)
                return of(entry.first).place().line;
        return place().line;
    }

    template <class Handle>
    void for_entries(std::string_view of_what, Handle handle) const
    {
        if (!node_.IsMap())
            refuse(fmt::format("{} must be a map of keys and values, not {}", of_what, kind()));
        std::vector<std::string> seen;
        for (const auto& entry : node_) {
            const reader key = of(entry.first);
            if (!entry.first.IsScalar())
                key.refuse(fmt::format("a key of {} must be a word, not {}", of_what, key.kind()));
            const std::string& name = entry.first.Scalar();
            if (std::find(seen.begin(), seen.end(), name) != seen.end())
                key.refuse(fmt::format("the key '{}' of {} is there twice: remove one", name, of_what));
            seen.push_back(name);
            handle(key, name, of(entry.second));
        }
    }

    std::string text(std::string_view what) const
    {
        if (!node_.IsScalar() || node_.Scalar().empty())
            refuse(fmt::format("{} must be a text, not {}", what, kind()));
        return node_.Scalar();
    }

    template <class Number>
    Number number(std::string_view what, Number least, Number most) const
    {
        const std::string digits = text(what);
        Number value{};
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
        if (error != std::errc() || end != digits.data() + digits.size() || value < least || value > most)
            refuse(
                fmt::format("{} must be a whole number from {} to {}, not '{}'", what, least, most, digits));
        return value;
    }

    /// A list of words, or one word on its own.
    std::vector<reader> items(std::string_view what) const
    {
        std::vector<reader> found;
        if (node_.IsScalar() && !node_.Scalar().empty()) {
            found.push_back(*this);
        } else if (node_.IsSequence()) {
            for (const auto& item : node_)
                found.push_back(of(item));
        } else {
            refuse(fmt::format("{} must be a list such as [a, b], not {}", what, kind()));
        }
        return found;
    }

    /// Runs what parses this node's text, and gives its errors this node's place.
    template <class Parse>
    auto parse(std::string_view what, Parse parse) const
    {
        const std::string value = text(what);
        try {
            return parse(value);
        } catch (const scenario_error&) {
            throw;
        } catch (const input_error& e) {
            file_place at = place();
            at.column += static_cast<int>(std::min(e.offset(), value.size()));
            throw scenario_error(at, e.what());
        }
    }

    std::string kind() const
    {
        switch (node_.Type()) {
        case YAML::NodeType::Undefined:
        case YAML::NodeType::Null:
            return "nothing";
        case YAML::NodeType::Scalar:
            return node_.Scalar().empty() ? "an empty text"
                                          : fmt::format("'{}'", node_.Scalar().substr(0, 60));
        case YAML::NodeType::Sequence:
            return "a list";
        case YAML::NodeType::Map:
            return "a map";
        }
        return "something else";
    }

private:
    YAML::Node node_;
    const std::string& file_;
};

std::vector<std::string> invariant_names()
{
    std::vector<std::string> names;
    for (const invariant& i : invariants())
        names.emplace_back(i.name);
    return names;
}

void check_invariant(const reader& at, const std::string& name, bool compares)
{
    // Where managers are compared, nothing else is judged.
    const auto names = compares ? std::vector<std::string>{"equivalent"} : invariant_names();
    if (std::find(names.begin(), names.end(), name) == names.end())
        at.refuse(unknown_word("invariant", name, names));
}

void check_error(const reader& at, const std::string& name)
{
    if (!find_error(name))
        at.refuse(unknown_word("error", name, error_names()));
}

duration read_duration(const reader& at, std::string_view what)
{
    return at.parse(what, [](const std::string& text) { return parse_duration(text); });
}

bool read_bool(const reader& at, std::string_view what)
{
    const std::string text = at.text(what);
    if (text != "true" && text != "false")
        at.refuse(fmt::format("{} is true or false, not '{}'", what, text));
    return text == "true";
}

std::vector<std::string> read_errors(const reader& at, std::string_view what)
{
    std::vector<std::string> names;
    for (const reader& item : at.items(what)) {
        names.push_back(item.text(what));
        check_error(item, names.back());
    }
    return names;
}

/// `body: fail io_error after session.query#2`
perturbation read_body_fault(const reader& at, const operation_id& body)
{
    return at.parse("a fault of the body", [&](const std::string& text) -> perturbation {
        const bool before = text.find(" before ") != std::string::npos;
        const std::string_view relation = before ? " before " : " after ";
        if (const auto after = text.find(relation); after != std::string::npos) {
            perturbation p{.at = {},
                .fault = parse_fault(text.substr(0, after)),
                .fails_body = true,
                .fails_before = before};
            if (p.fault.kind != fault_kind::fail)
                throw input_error("before and after an operation a body can only fail");
            const std::size_t start = after + relation.size();
            try {
                p.at = parse_operation(std::string_view(text).substr(start));
            } catch (const input_error& e) {
                throw input_error(e.what(), start + e.offset());
            }
            if (p.at.lane != body.lane)
                throw input_error("a body fails at an operation of its own, not of another client's", start);
            return p;
        }
        return {.at = body, .fault = parse_fault(text)};
    });
}

void read_faults(const reader& at, scenario& into)
{
    at.for_entries("faults", [&](const reader& key, const std::string& name, const reader& value) {
        const operation_pattern pattern =
            key.parse("an operation", [](const std::string& text) { return parse_pattern(text); });
        static const symbol body("body");
        const operation_id& id = pattern.first;
        perturbation p = id.kind == body && id.name.empty() && !pattern.repeats
                             ? read_body_fault(value, id)
                             : perturbation{.at = id,
                                   .fault = value.parse(
                                       "a fault", [](const std::string& text) { return parse_fault(text); }),
                                   .repeats = pattern.repeats};
        // The first that fits an operation strikes: a single operation may stand before a pattern.
        if (!p.repeats && into.plan.find(p.at))
            key.refuse(fmt::format("'{}' names {}, which has a fault already", name, to_string(p.at)));
        into.plan.perturbations.push_back(p);
        into.written_at.push_back(key.place());
    });
}

std::size_t read_word(const reader& at, std::string_view what, const std::vector<std::string>& known)
{
    const std::string text = at.text(what);
    const auto found = std::find(known.begin(), known.end(), text);
    if (found == known.end())
        at.refuse(unknown_word(what, text, known));
    return static_cast<std::size_t>(found - known.begin());
}

/// `cancel: session.query`, or `cancel: {at: session.query, when: queued, type: partial, client: 1}`;
/// `abandon` likewise, without a type, and with `client: world`.
void read_interruption(const reader& at, interruption::action what, scenario& into)
{
    const bool cancels = what == interruption::action::cancel;
    const std::string_view key = cancels ? "cancel" : "abandon";
    perturbation p;
    interruption i{.what = what};
    bool during = cancels;
    std::optional<lane> client;
    bool anchored = false;
    const auto read_anchor = [&](const reader& v) {
        p.at = v.parse("an operation", [](const std::string& text) { return parse_operation(text); });
        anchored = true;
    };
    const auto read_when = [&](const reader& v) {
        static const std::vector<std::string> words[] = {
            {"queued", "after", "steps"}, {"queued", "after", "steps", "before", "during"}};
        constexpr moment moments[] = {
            moment::queued, moment::after, moment::steps, moment::before, moment::queued};
        const std::size_t word = read_word(v, "moment", words[cancels]);
        i.when = moments[word];
        during = word == 4;
    };
    const auto read_client = [&](const reader& v) {
        if (!cancels && v.node().IsScalar() && v.text("client") == "world")
            client = whole_world;
        else
            client = static_cast<lane>(v.number<std::uint32_t>("client", 0, clients_max - 1));
    };
    const auto read_steps = [&](const reader& v) {
        i.steps = v.number<std::uint32_t>("steps", 0, 1'000'000);
    };
    const auto read_type = [&](const reader& v) {
        i.type =
            static_cast<cancellation>(read_word(v, "type of cancellation", {"terminal", "partial", "total"}));
    };
    if (at.node().IsScalar())
        read_anchor(at);
    else if (cancels)
        at.for_keys(key, {{"at", read_anchor}, {"when", read_when}, {"type", read_type},
                             {"client", read_client}, {"steps", read_steps}});
    else
        at.for_keys(
            key, {{"at", read_anchor}, {"when", read_when}, {"client", read_client}, {"steps", read_steps}});
    if (!anchored && i.when != moment::steps)
        at.refuse(fmt::format(
            "{} needs 'at', the operation that it is relative to (or when: steps, and steps: 7)", key));
    if (during) {
        if (client && *client != p.at.lane)
            at.refuse("'during' is for the client's own operation: write 'queued' or 'after'");
        p.fault = fault::cancel(i.type);
    } else {
        i.client = client.value_or(std::max<lane>(p.at.lane, 0));
        p.interrupts = i;
    }
    into.plan.perturbations.push_back(p);
    into.written_at.push_back(at.place());
}

/// `schedule: run c1 before c0/session.close`
void read_deviation(const reader& at, scenario& into)
{
    into.plan.perturbations.push_back(at.parse("a deviation of the schedule", [](const std::string& text) {
        if (!text.starts_with("run "))
            throw input_error(
                fmt::format("'{}' is no deviation: write run c1 before c0/session.close", text));
        // The same words as in a plan, where brackets stand around them.
        const fault_plan plan = parse_plan("run(" + text.substr(4) + ')');
        if (plan.perturbations.size() != 1 || !plan.perturbations[0].yields)
            throw input_error(
                fmt::format("'{}' is no deviation: write run c1 before c0/session.close", text));
        return plan.perturbations[0];
    }));
    into.written_at.push_back(at.place());
}

/// `arrivals: sequential`, or when single clients come: `arrivals: {c1: 2s}`.
void read_arrivals(const reader& at, fault_plan& into)
{
    if (!at.node().IsMap()) {
        into.sequential = read_word(at, "way to arrive", {"together", "sequential"}) == 1;
        return;
    }
    at.for_entries("arrivals", [&](const reader& key, const std::string& name, const reader& value) {
        const auto when = read_duration(value, "the time at which a client arrives");
        try {
            into.arrivals.merge(parse_plan(fmt::format("arrive({} {})", name, to_string(when))).arrivals);
        } catch (const input_error&) {
            key.refuse(fmt::format("'{}' is no client (c0 to c{})", name, clients_max - 1));
        }
    });
}

/// `invalid: [fetch_size]`: which settings must be refused.
void read_invalid(const reader& at, fault_plan& into)
{
    std::vector<std::string> given;
    for (const auto& [name, value] : into.settings)
        given.push_back(name);
    for (const reader& item : at.items("invalid")) {
        const std::string name = item.text("the name of a setting");
        if (!into.settings.contains(name))
            item.refuse(unknown_word("setting", name, given) + "; say under 'with' which value is invalid");
        if (!into.invalid_settings.insert(name).second)
            item.refuse(fmt::format("the setting '{}' is there twice: remove one", name));
    }
}

/// Reads one, or a list of them.
template <class Read>
void read_some(const reader& at, std::string_view key, Read read)
{
    if (at.node().IsSequence())
        for (const reader& item : at.items(key))
            read(item);
    else
        read(at);
}

void read_contract(const reader& at, contract& into)
{
    at.for_keys("contract",
        {
            {"create_timeout",
                [&](const reader& v) { into.create_timeout = read_duration(v, "create_timeout"); }},
            {"create_attempts",
                [&](const reader& v) {
                    into.create_attempts = v.number<std::uint32_t>("create_attempts", 1, 1'000);
                }},
            {"close_attempts",
                [&](const reader& v) {
                    into.close_attempts = v.number<std::uint32_t>("close_attempts", 1, 1'000);
                }},
            {"use_timeout", [&](const reader& v) { into.use_timeout = read_duration(v, "use_timeout"); }},
            {"whole_timeout",
                [&](const reader& v) { into.whole_timeout = read_duration(v, "whole_timeout"); }},
            {"idempotent_close",
                [&](const reader& v) { into.idempotent_close = read_bool(v, "idempotent_close"); }},
            {"closing_counts",
                [&](const reader& v) { into.closing_counts = read_bool(v, "closing_counts"); }},
            {"survives_deaf", [&](const reader& v) { into.survives_deaf = read_bool(v, "survives_deaf"); }},
            {"suppresses", [&](const reader& v) { into.suppresses = read_errors(v, "suppresses"); }},
            {"translates",
                [&](const reader& v) {
                    into.translates.clear();
                    v.for_entries(
                        "translates", [&](const reader& key, const std::string& from, const reader& value) {
                            check_error(key, from);
                            check_error(value, value.text("an error"));
                            into.translates.push_back({from, value.text("an error")});
                        });
                }},
            {"close_timeout",
                [&](const reader& v) { into.close_timeout = read_duration(v, "close_timeout"); }},
            {"acquire_timeout",
                [&](const reader& v) { into.acquire_timeout = read_duration(v, "acquire_timeout"); }},
            {"recovery_time",
                [&](const reader& v) { into.recovery_time = read_duration(v, "recovery_time"); }},
            {"capacity",
                [&](const reader& v) {
                    into.capacity = v.number<std::uint32_t>("capacity", 1, clients_max);
                }},
            {"clients",
                [&](const reader& v) { into.clients = v.number<std::uint32_t>("clients", 1, clients_max); }},
            {"shared", [&](const reader& v) { into.shared = read_bool(v, "shared"); }},
            {"pipelined", [&](const reader& v) { into.pipelined = read_bool(v, "pipelined"); }},
            {"body_attempts",
                [&](const reader& v) {
                    into.body_attempts = v.number<std::uint32_t>("body_attempts", 1, 1000);
                }},
            {"fair", [&](const reader& v) { into.fair = read_bool(v, "fair"); }},
            {"cancelled_use_breaks",
                [&](const reader& v) { into.cancelled_use_breaks = read_bool(v, "cancelled_use_breaks"); }},
            {"unbounded",
                [&](const reader& v) {
                    into.unbounded.clear();
                    for (const reader& item : v.items("unbounded")) {
                        const std::string name = item.text("a phase");
                        const std::vector<std::string> known{"acquire", "create", "close", "other"};
                        const auto found = std::find(known.begin(), known.end(), name);
                        if (found == known.end())
                            item.refuse(unknown_word("phase", name, known));
                        into.unbounded.push_back(name == "acquire"  ? phase::acquire
                                                 : name == "create" ? phase::create
                                                 : name == "close"  ? phase::close
                                                                    : phase::other);
                    }
                }},
            {"timeout_errors",
                [&](const reader& v) { into.timeout_errors = read_errors(v, "timeout_errors"); }},
            {"close_error",
                [&](const reader& v) {
                    const std::string name = v.text("close_error");
                    const std::vector<std::string> known{"either", "raised", "reported"};
                    const auto found = std::find(known.begin(), known.end(), name);
                    if (found == known.end())
                        v.refuse(unknown_word("close_error policy", name, known));
                    into.close_error = static_cast<close_error_policy>(found - known.begin());
                }},
            {"closed_by",
                [&](const reader& v) {
                    const std::string name = v.text("closed_by");
                    const std::vector<std::string> known{"operation", "destruction", "either"};
                    const auto found = std::find(known.begin(), known.end(), name);
                    if (found == known.end())
                        v.refuse(unknown_word("way to be closed", name, known));
                    into.closed_by = static_cast<closing>(found - known.begin());
                }},
            {"reports_cleanup_errors",
                [&](const reader& v) {
                    into.reports_cleanup_errors = read_bool(v, "reports_cleanup_errors");
                }},
            {"closes_in_any_order",
                [&](const reader& v) { into.closes_in_any_order = read_bool(v, "closes_in_any_order"); }},
            {"close_rolls_back",
                [&](const reader& v) { into.close_rolls_back = read_bool(v, "close_rolls_back"); }},
            {"grace", [&](const reader& v) { into.grace = read_duration(v, "grace"); }},
            {"executor",
                [&](const reader& v) {
                    const std::string name = v.text("executor");
                    const std::vector<std::string> known{"single_threaded", "concurrent"};
                    const auto found = std::find(known.begin(), known.end(), name);
                    if (found == known.end())
                        v.refuse(unknown_word("executor model", name, known));
                    into.executor = static_cast<executor_model>(found - known.begin());
                }},
            {"uses",
                [&](const reader& v) {
                    into.uses.clear();
                    for (const reader& item : v.items("uses"))
                        into.uses.push_back(item.text("the name of a use"));
                }},
        });
    if (const std::string why = contradiction(into); !why.empty())
        at.refuse(why);
}

void read_expectation(const reader& at, bool compares, expectation& into)
{
    at.for_keys("expect", {
                              {"outcome",
                                  [&](const reader& v) {
                                      const std::string text = v.text("outcome");
                                      const std::vector<std::string> known{
                                          "returns", "throws ERROR", "cancelled", "hangs", "abandoned"};
                                      if (text.starts_with("throws "))
                                          check_error(v, text.substr(7));
                                      else if (text != "returns" && text != "cancelled" && text != "hangs" &&
                                               text != "abandoned")
                                          v.refuse(unknown_word("outcome", text, known));
                                      into.outcome = text;
                                  }},
                              {"reports", [&](const reader& v) { into.reports = read_errors(v, "reports"); }},
                              {"events",
                                  [&](const reader& v) {
                                      into.events.emplace();
                                      for (const reader& item : v.items("events"))
                                          into.events->push_back(item.parse("an operation",
                                              [](const std::string& text) { return parse_operation(text); }));
                                  }},
                              {"violates",
                                  [&](const reader& v) {
                                      for (const reader& item : v.items("violates")) {
                                          into.violates.push_back(item.text("an invariant"));
                                          check_invariant(item, into.violates.back(), compares);
                                      }
                                  }},
                          });
}

std::vector<fault> read_kinds(const reader& at)
{
    std::vector<fault> kinds;
    for (const reader& item : at.items("kinds")) {
        // A bare `delay` stands for the contract's deadlines.
        if (item.text("a kind of fault") == "delay")
            kinds.push_back(fault::delay(duration(0)));
        else
            kinds.push_back(
                item.parse("a kind of fault", [](const std::string& text) { return parse_fault(text); }));
    }
    if (kinds.empty())
        at.refuse("kinds is empty: leave it out for the default kinds");
    return kinds;
}

void read_exploration(const reader& at, scenario& into)
{
    constexpr std::uint64_t runs_most = 1'000'000'000;
    at.for_keys("explore",
        {
            {"sweep",
                [&](const reader& v) {
                    auto& options = into.sweep.emplace();
                    v.for_keys("sweep",
                        {
                            {"perturbations",
                                [&](const reader& n) {
                                    options.perturbations = n.number<unsigned>("perturbations", 0, 8);
                                }},
                            {"kinds", [&](const reader& k) { options.kinds = read_kinds(k); }},
                            {"abandon", [&](const reader& n) { options.abandon = read_bool(n, "abandon"); }},
                            {"deviate", [&](const reader& n) { options.deviate = read_bool(n, "deviate"); }},
                            {"runs_max",
                                [&](const reader& n) {
                                    options.runs_max = n.number<std::uint64_t>("runs_max", 1, runs_most);
                                }},
                        });
                }},
            {"random",
                [&](const reader& v) {
                    auto& options = into.random.emplace();
                    v.for_keys("random",
                        {
                            {"cases",
                                [&](const reader& n) {
                                    options.cases = n.number<std::uint64_t>("cases", 1, runs_most);
                                }},
                            {"seed",
                                [&](const reader& n) {
                                    options.seed = n.number<std::uint64_t>(
                                        "seed", 0, std::numeric_limits<std::uint64_t>::max());
                                }},
                            {"kinds",
                                [&](const reader& k) {
                                    for (const fault& kind : read_kinds(k))
                                        options.kinds.push_back(kind.kind);
                                }},
                            {"abandon", [&](const reader& n) { options.abandon = read_bool(n, "abandon"); }},
                            {"deviate", [&](const reader& n) { options.deviate = read_bool(n, "deviate"); }},
                        });
                }},
        });
    if (!into.sweep && !into.random)
        at.refuse("explore says nothing to do: write sweep: {} or random: {}");
}

scenario read(const YAML::Node& root, const std::string& file)
{
    const reader at(root, file);
    scenario s;
    s.where = {file, 1, 1};
    bool has_version = false;
    std::optional<reader> contract_at, faults_at, expect_at, explore_at, cancel_at, abandon_at, schedule_at,
        invalid_at;
    at.for_keys("a scenario",
        {
            {"mishap",
                [&](const reader& v) {
                    const std::string version = v.text("the version");
                    if (version != std::to_string(format_version))
                        v.refuse(
                            fmt::format("this file has format version '{}', but this mishap reads version {}",
                                version, format_version));
                    has_version = true;
                }},
            {"manager",
                [&](const reader& v) {
                    s.manager = v.parse(
                        "the manager", [](const std::string& text) { return get_manager(text).name; });
                }},
            {"equivalent_to",
                [&](const reader& v) {
                    s.equivalent_to = v.parse(
                        "the other manager", [](const std::string& text) { return get_manager(text).name; });
                }},
            {"about", [&](const reader& v) { s.about = v.text("about"); }},
            {"with",
                [&](const reader& v) {
                    v.for_entries("with", [&](const reader&, const std::string& name, const reader& value) {
                        // An empty setting is one, too.
                        s.plan.settings[name] =
                            value.node().IsScalar() ? value.node().Scalar() : value.text("a setting");
                    });
                }},
            {"invalid", [&](const reader& v) { invalid_at.emplace(v); }},
            {"clients",
                [&](const reader& v) {
                    s.plan.clients = v.number<std::uint32_t>("clients", 1, clients_max);
                }},
            {"arrivals", [&](const reader& v) { read_arrivals(v, s.plan); }},
            {"cancel", [&](const reader& v) { cancel_at.emplace(v); }},
            {"abandon", [&](const reader& v) { abandon_at.emplace(v); }},
            {"schedule", [&](const reader& v) { schedule_at.emplace(v); }},
            {"step_cost", [&](const reader& v) { s.plan.step_cost = read_duration(v, "step_cost"); }},
            {"contract", [&](const reader& v) { contract_at.emplace(v); }},
            {"faults", [&](const reader& v) { faults_at.emplace(v); }},
            {"expect", [&](const reader& v) { expect_at.emplace(v); }},
            {"explore", [&](const reader& v) { explore_at.emplace(v); }},
        });
    if (!has_version)
        at.refuse(
            fmt::format("the key 'mishap' is missing: begin the file with 'mishap: {}'", format_version));
    if (s.manager.empty())
        at.refuse("the key 'manager' is missing: say which registered manager this is about");
    if (s.equivalent_to == s.manager)
        at.refuse(fmt::format("{} is compared with itself: name another manager", s.manager));
    if (invalid_at)
        read_invalid(*invalid_at, s.plan);
    s.contract = get_manager(s.manager).promises;
    if (contract_at) {
        read_contract(*contract_at, s.contract);
        s.contract_terms = YAML::Dump(contract_at->node());
    }
    if (faults_at && explore_at)
        explore_at->refuse("a scenario has faults (an example) or explore, not both: make it two files");
    const auto read_perturbations = [&](std::optional<reader>& from, const char* key, auto read_one) {
        if (!from)
            return;
        if (explore_at)
            from->refuse(fmt::format("explore chooses its own: leave '{}' out, or make it an example", key));
        read_some(*from, key, read_one);
        s.where.line = at.line_of(key);
    };
    read_perturbations(schedule_at, "schedule", [&](const reader& v) { read_deviation(v, s); });
    read_perturbations(abandon_at, "abandon",
        [&](const reader& v) { read_interruption(v, interruption::action::abandon, s); });
    read_perturbations(
        cancel_at, "cancel", [&](const reader& v) { read_interruption(v, interruption::action::cancel, s); });
    if (faults_at) {
        read_faults(*faults_at, s);
        s.where.line = at.line_of("faults");
    }
    if (expect_at) {
        read_expectation(*expect_at, !s.equivalent_to.empty(), s.expect);
        if (explore_at && (s.expect.outcome || s.expect.reports || s.expect.events))
            expect_at->refuse("explore makes many runs, so only 'violates' can be expected of it");
    }
    if (explore_at) {
        read_exploration(*explore_at, s);
        s.where.line = at.line_of("explore");
    }
    if (!faults_at && !explore_at && !cancel_at && !abandon_at && !schedule_at)
        at.refuse("nothing to run: write faults (faults: {} for a run without any) or explore");
    return s;
}

/// What YAML refuses, in words that say more than its own where those hide the mistake.
scenario_error no_yaml(const std::string& text, const std::string& file, const YAML::Exception& e)
{
    file_place at{file, std::max(e.mark.line, 0) + 1, std::max(e.mark.column, 0) + 1};
    std::istringstream lines(text);
    std::string line;
    for (int i = 0; i < at.line; ++i)
        std::getline(lines, line);
    const auto tab = line.find('\t');
    if (tab != std::string::npos && line.find_first_not_of(" \t") > tab) {
        // The commonest mistake of all.
        at.column = static_cast<int>(tab) + 1;
        return {at, "no YAML: a tab is no indentation in YAML: use spaces"};
    }
    if (dynamic_cast<const YAML::DeepRecursion*>(&e))
        return {at, "no YAML: lists and maps are nested too deeply here"};
    constexpr std::size_t shown = 40;
    const std::string rest =
        line.substr(std::min(line.size(), static_cast<std::size_t>(at.column) - 1), shown);
    return {at, fmt::format("no YAML: {}{}", e.msg, rest.empty() ? "" : fmt::format(", at '{}'", rest))};
}

/// Notes where documents begin, and nothing else.
class document_starts : public YAML::EventHandler
{
public:
    std::vector<YAML::Mark> marks;

    void OnDocumentStart(const YAML::Mark& mark) override { marks.push_back(mark); }
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
    void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
    void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
    void OnSequenceStart(
        const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override
    {}
    void OnSequenceEnd() override {}
    void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override
    {}
    void OnMapEnd() override {}
};

/// Refuses a second document, and what yaml-cpp takes for documents without end: YAML::LoadAll reads a stray
/// comma or closing bracket between documents as an empty document, again and again, until memory is used up.
void expect_one_document(const std::string& text, const std::string& file)
{
    std::istringstream in(text);
    YAML::Parser parser(in);
    document_starts starts;
    while (starts.marks.size() < 2 && parser.HandleNextDocument(starts)) {
    }
    for (const YAML::Mark& mark : starts.marks) {
        const auto at = static_cast<std::size_t>(std::max(mark.pos, 0));
        if (at < text.size() && std::string_view(",]}").find(text[at]) != std::string_view::npos)
            throw scenario_error({file, mark.line + 1, mark.column + 1},
                fmt::format("no YAML: the '{}' belongs to no list or map", text[at]));
    }
    if (starts.marks.size() > 1)
        throw scenario_error({file, starts.marks[1].line + 1, starts.marks[1].column + 1},
            "a second document begins here, but one file is one test: split it at '---'");
}

} // namespace

std::string to_string(const file_place& p) { return fmt::format("{}:{}:{}", p.file, p.line, p.column); }

scenario parse_scenario(const std::string& text, const std::string& file)
{
    const auto is_blank = [](char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; };
    if (std::all_of(text.begin(), text.end(), is_blank))
        throw scenario_error({file, 1, 1}, "the file is empty: a scenario begins with 'mishap: 1'");
    if (text.size() > file_size_max)
        throw scenario_error({file, 1, 1},
            fmt::format("the file has {} bytes; a scenario has at most {}", text.size(), file_size_max));
    if (const auto zero = text.find('\0'); zero != std::string::npos)
        throw scenario_error({file, 1, 1}, fmt::format("byte {} is zero: this is no text file", zero + 1));
    try {
        expect_one_document(text, file);
        const YAML::Node document = YAML::Load(text);
        if (document.IsNull())
            throw scenario_error({file, 1, 1}, "the file is empty: a scenario begins with 'mishap: 1'");
        return read(document, file);
    } catch (const YAML::Exception& e) {
        throw no_yaml(text, file, e);
    }
}

scenario load_scenario(const std::string& file)
{
    namespace fs = std::filesystem;
    std::error_code error;
    if (!fs::exists(file, error))
        throw scenario_error({file, 1, 1}, "there is no such file");
    if (fs::is_directory(file, error))
        throw scenario_error({file, 1, 1}, "this is a folder, not a file");
    if (fs::file_size(file, error) > file_size_max && !error)
        throw scenario_error({file, 1, 1}, fmt::format("the file is larger than {} bytes", file_size_max));
    if (const std::string why = check_file_name(file); !why.empty())
        throw scenario_error({file, 1, 1}, why);
    std::ifstream in(file, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    if (!in)
        throw scenario_error({file, 1, 1}, "the file cannot be read");
    return parse_scenario(text.str(), file);
}

std::string check_file_name(const std::string& file)
{
    const std::string name = std::filesystem::path(file).filename().string();
    const std::string stem = std::filesystem::path(file).stem().string();
    const bool is_word = !stem.empty() && std::all_of(stem.begin(), stem.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    });
    if (is_word && name == stem + ".yaml")
        return {};
    return fmt::format(
        "'{}' cannot be a test's name: name the file with a-z, 0-9 and _, ending in .yaml", name);
}

std::vector<std::string> find_scenarios(const std::string& path)
{
    namespace fs = std::filesystem;
    std::error_code error;
    if (!fs::exists(path, error))
        throw input_error(fmt::format("{}: there is no such file or folder", path));
    if (!fs::is_directory(path, error))
        return {path};
    std::vector<std::string> files;
    for (auto it = fs::recursive_directory_iterator(path, error);
         !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
        const auto extension = it->path().extension();
        if (it->is_regular_file() && (extension == ".yaml" || extension == ".yml"))
            files.push_back(it->path().string());
    }
    std::sort(files.begin(), files.end());
    return files;
}

std::vector<std::string>& detail::scenario_folders()
{
    static std::vector<std::string> folders;
    return folders;
}

} // namespace mishap
