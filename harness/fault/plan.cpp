#include <mishap/duration.hpp>
#include <mishap/error.hpp>
#include <mishap/input_error.hpp>
#include <mishap/plan.hpp>

#include <boost/crc.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

namespace mishap {

namespace {

constexpr std::string_view format_version = "1";
constexpr std::uint32_t clients_max = 100;

bool shows_clients(const fault_plan& plan)
{
    return std::any_of(plan.perturbations.begin(), plan.perturbations.end(), [](const perturbation& p) {
        return p.at.lane > 0 || (p.interrupts() && p.interrupts()->client > 0) || p.yields();
    });
}

std::string without_first(std::string text)
{
    // "#1" is what no occurrence means.
    if (text.ends_with("#1"))
        text.resize(text.size() - 2);
    return text;
}

/// `session.query`, `c1/session.query#2`, or a pattern such as `*/session.query#2..`.
std::string target_of(const perturbation& p, bool show_client)
{
    const repetition* many = p.repeats();
    if (!many)
        return without_first(to_string(p.at, show_client));
    operation_id first = p.at;
    if (many->every_lane)
        first.lane = 0;
    std::string text = to_string(first, show_client && !many->every_lane);
    if (many->every_lane)
        text.insert(0, "*/");
    if (many->last == first.occurrence)
        return without_first(text);
    if (many->last != std::numeric_limits<std::uint32_t>::max())
        return text + fmt::format("..{}", many->last);
    if (first.occurrence == 1)
        return text.substr(0, text.rfind('#')) + "#*";
    return text + "..";
}

std::string whom(lane client) { return client == whole_world ? "world" : lane_name(client); }

/// `cancel(c1 queued c0/session.use#1 +2 partial)`, or `abandon(world after 7 steps)`.
std::string to_word(const operation_id& at, const interruption& i)
{
    std::string text = i.what == interruption::action::cancel ? "cancel" : "abandon";
    text += i.when == moment::steps
                ? fmt::format("({} after {} steps", whom(i.client), i.steps)
                : fmt::format("({} {} {}", whom(i.client), to_string(i.when), to_string(at, true));
    if (i.when != moment::steps && i.steps != 0)
        text += fmt::format(" +{}", i.steps);
    if (i.type != cancellation::terminal)
        text.append(" ").append(to_string(i.type));
    return text + ')';
}

/// `run(c1 before c0/session.close#1 +2)`: the lane takes two steps more first.
std::string to_word(const operation_id& at, const deviation& d)
{
    return fmt::format("run({} before {}{})", lane_name(d.first), to_string(at, true),
        d.steps == 1 ? "" : fmt::format(" +{}", d.steps));
}

std::string quote(std::string_view value)
{
    // Settings are the only free text in a plan: everything that could be structure is written as %XX.
    std::string text;
    for (const char c : value) {
        const auto u = static_cast<unsigned char>(c);
        const bool plain = (u >= 'a' && u <= 'z') || (u >= 'A' && u <= 'Z') || (u >= '0' && u <= '9') ||
                           c == '_' || c == '.' || c == '-' || c == '/' || c == ':';
        text += plain ? std::string(1, c) : fmt::format("%{:02x}", u);
    }
    return text;
}

std::string unquote(std::string_view text, std::size_t offset)
{
    std::string value;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            value += text[i];
            continue;
        }
        unsigned code = 0;
        const char* begin = text.data() + i + 1;
        const char* end = text.data() + std::min(i + 3, text.size());
        if (end - begin != 2 || std::from_chars(begin, end, code, 16).ptr != end)
            throw input_error(fmt::format("'{}' has a broken % escape", text), offset + i);
        value += static_cast<char>(code);
        i += 2;
    }
    return value;
}

struct word
{
    std::string_view text;
    std::size_t offset;
};

/// Words are separated by spaces outside brackets.
std::vector<word> split_words(std::string_view line)
{
    std::vector<word> words;
    std::size_t begin = std::string_view::npos;
    int depth = 0;
    for (std::size_t i = 0; i <= line.size(); ++i) {
        const char c = i < line.size() ? line[i] : ' ';
        if (c == '(')
            ++depth;
        else if (c == ')')
            --depth;
        const bool space = c == ' ' && depth <= 0;
        if (!space && begin == std::string_view::npos)
            begin = i;
        if ((space || i == line.size()) && begin != std::string_view::npos) {
            words.push_back({line.substr(begin, i - begin), begin});
            begin = std::string_view::npos;
        }
    }
    return words;
}

std::string to_word(const lazy_faults& lazy)
{
    std::string weights;
    for (std::size_t kind = 1; kind < fault_kinds; ++kind)
        weights += fmt::format("{}{}", kind == 1 ? "" : ":", lazy.weights[kind]);
    return fmt::format("random({:016x},{},{},{})", lazy.seed, lazy.per_mille, weights, lazy.at_most);
}

template <class Number>
Number parse_number(std::string_view text, std::size_t offset, int base = 10)
{
    Number value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (text.empty() || error != std::errc() || end != text.data() + text.size())
        throw input_error(fmt::format("'{}' is no number that fits here", text), offset);
    return value;
}

std::vector<word> split_at(std::string_view text, char separator, std::size_t offset)
{
    std::vector<word> parts;
    std::size_t begin = 0;
    for (std::size_t i = 0; i <= text.size(); ++i)
        if (i == text.size() || text[i] == separator) {
            parts.push_back({text.substr(begin, i - begin), offset + begin});
            begin = i + 1;
        }
    return parts;
}

/// What stands between the brackets of `name(...)`, or nothing.
std::optional<word> arguments_of(const word& w, std::string_view name)
{
    if (!w.text.starts_with(name) || w.text.size() < name.size() + 2 || w.text[name.size()] != '(')
        return std::nullopt;
    if (w.text.back() != ')')
        throw input_error(fmt::format("'{}' has no closing bracket", w.text), w.offset);
    return word{w.text.substr(name.size() + 1, w.text.size() - name.size() - 2), w.offset + name.size() + 1};
}

lazy_faults parse_lazy(const word& arguments)
{
    const auto parts = split_at(arguments.text, ',', arguments.offset);
    if (parts.size() != 4)
        throw input_error(
            fmt::format("'random({})' needs a seed, a rate, weights and a bound", arguments.text),
            arguments.offset);
    lazy_faults lazy;
    lazy.seed = parse_number<std::uint64_t>(parts[0].text, parts[0].offset, 16);
    lazy.per_mille = parse_number<std::uint32_t>(parts[1].text, parts[1].offset);
    if (lazy.per_mille > 1000)
        throw input_error(
            fmt::format("'{}' is no rate: it counts in a thousand", parts[1].text), parts[1].offset);
    const auto weights = split_at(parts[2].text, ':', parts[2].offset);
    if (weights.size() != fault_kinds - 1)
        throw input_error(
            fmt::format("'{}' needs {} weights", parts[2].text, fault_kinds - 1), parts[2].offset);
    for (std::size_t i = 0; i < weights.size(); ++i)
        lazy.weights[i + 1] = parse_number<std::uint8_t>(weights[i].text, weights[i].offset);
    lazy.at_most = parse_number<std::uint32_t>(parts[3].text, parts[3].offset);
    return lazy;
}

template <class Parse>
auto at_offset(std::size_t offset, Parse parse)
{
    try {
        return parse();
    } catch (const input_error& e) {
        throw input_error(e.what(), offset + e.offset());
    }
}

perturbation parse_perturbation(const word& w)
{
    const auto equals = w.text.find('=');
    if (equals == std::string_view::npos)
        throw input_error(
            fmt::format(
                "'{}' is no part of a plan; write operation=fault, such as session.query#2=hang", w.text),
            w.offset);
    const word target{w.text.substr(0, equals), w.offset};
    const word what{w.text.substr(equals + 1), w.offset + equals + 1};
    // body=fail(io_error after session.query#2)
    const bool before = what.text.find(" before ") != std::string_view::npos;
    const std::string_view relation = before ? " before " : " after ";
    if (const auto after = what.text.find(relation); after != std::string_view::npos) {
        if (what.text.back() != ')')
            throw input_error(fmt::format("'{}' has no closing bracket", w.text), w.offset);
        const operation_id body = at_offset(target.offset, [&] { return parse_operation(target.text); });
        if (body != body_operation(body.lane))
            throw input_error(
                fmt::format("'{}': only a body fails before or after an operation", w.text), w.offset);
        const std::size_t start = after + relation.size();
        const std::string_view anchor = what.text.substr(start, what.text.size() - start - 1);
        const operation_id at = at_offset(what.offset + start, [&] { return parse_operation(anchor); });
        const fault failure = at_offset(
            what.offset, [&] { return parse_fault(std::string(what.text.substr(0, after)) + ')'); });
        if (at.lane != body.lane)
            throw input_error(
                fmt::format("'{}': a body fails at an operation of its own, not of another client's", w.text),
                w.offset);
        if (failure.kind != fault_kind::fail || failure.takes_time())
            throw input_error(
                fmt::format("'{}': before and after an operation a body can only fail, and at once", w.text),
                w.offset);
        return {.at = at, .what = body_failure{.error = failure.error, .before = before}};
    }
    const operation_pattern pattern = at_offset(target.offset, [&] { return parse_pattern(target.text); });
    const fault does = at_offset(what.offset, [&] { return parse_fault(what.text); });
    return {.at = pattern.first, .what = operation_fault{.fault = does, .repeats = pattern.repeats}};
}

lane parse_client(std::string_view text, std::size_t offset)
{
    unsigned client = 0;
    const auto [end, error] = std::from_chars(
        text.data() + std::min<std::size_t>(1, text.size()), text.data() + text.size(), client);
    if (text.size() < 2 || text[0] != 'c' || error != std::errc() || end != text.data() + text.size() ||
        client >= clients_max)
        throw input_error(fmt::format("'{}' is no client (c0 to c{})", text, clients_max - 1), offset);
    return static_cast<lane>(client);
}

/// The words inside the brackets of one part of a plan, read one after the other.
class argument_reader
{
public:
    argument_reader(const word& arguments, std::string_view what, std::string_view example)
        : arguments_(arguments), what_(what), example_(example)
    {
        for (const word& w : split_at(arguments.text, ' ', arguments.offset))
            if (!w.text.empty())
                words_.push_back(w);
    }

    [[noreturn]] void refuse(std::string_view why, std::size_t back = 0) const
    {
        const std::size_t at = next_ >= back ? next_ - back : 0;
        throw input_error(fmt::format("'{}({})': {}; write {}", what_, arguments_.text, why, example_),
            at < words_.size() ? words_[at].offset : arguments_.offset);
    }

    bool done() const { return next_ == words_.size(); }
    /// The word that comes, or nothing.
    std::string_view peek(std::size_t ahead = 0) const
    {
        return next_ + ahead < words_.size() ? words_[next_ + ahead].text : std::string_view();
    }
    word take(std::string_view wanted)
    {
        if (done())
            refuse(fmt::format("it needs {}", wanted));
        return words_[next_++];
    }
    bool take_if(std::string_view text)
    {
        if (peek() != text)
            return false;
        ++next_;
        return true;
    }
    operation_id take_operation()
    {
        const word w = take("an operation");
        return at_offset(w.offset, [&] { return parse_operation(w.text); });
    }
    std::uint32_t take_number(std::string_view wanted)
    {
        const word w = take(wanted);
        return parse_number<std::uint32_t>(w.text, w.offset);
    }
    /// `+2`, or `otherwise` where there is none.
    std::uint32_t take_steps(std::uint32_t otherwise)
    {
        if (!peek().starts_with("+"))
            return otherwise;
        const word w = take("a number of steps");
        return parse_number<std::uint32_t>(w.text.substr(1), w.offset + 1);
    }
    void expect_end() const
    {
        if (!done())
            refuse("this is one word too many");
    }

private:
    word arguments_;
    std::string_view what_;
    std::string_view example_;
    std::vector<word> words_;
    std::size_t next_ = 0;
};

perturbation parse_interruption(const word& arguments, interruption::action what)
{
    const bool cancels = what == interruption::action::cancel;
    argument_reader in(arguments, cancels ? "cancel" : "abandon",
        cancels ? "cancel(c0 queued session.query#2) or cancel(c0 after 7 steps)"
                : "abandon(c0 queued session.query#2) or abandon(world after 7 steps)");
    operation_id at;
    interruption i{.what = what};
    bool during = false;
    if (!cancels && in.take_if("world")) {
        i.client = whole_world;
    } else {
        const word client = in.take("a client, a moment and an operation");
        i.client = parse_client(client.text, client.offset);
    }
    if (in.peek() == "after" && in.peek(2) == "steps") {
        in.take_if("after");
        i.when = moment::steps;
        i.steps = in.take_number("a number of steps");
        in.take_if("steps");
    } else {
        const std::string_view when = in.take("a moment").text;
        during = when == "during";
        if (!cancels && (during || when == "before"))
            in.refuse("a client is abandoned where it is suspended, queued or after an operation", 1);
        if (when == "before")
            i.when = moment::before;
        else if (when == "queued" || during)
            i.when = moment::queued;
        else if (when == "after")
            i.when = moment::after;
        else
            in.refuse(
                fmt::format("the moment is one of {}queued, after", cancels ? "before, during, " : ""), 1);
        at = in.take_operation();
        if (during && at.lane != i.client)
            in.refuse("'during' is for the client's own operation", 2);
        if (!during)
            i.steps = in.take_steps(0);
    }
    if (cancels && !in.done()) {
        if (in.take_if("partial"))
            i.type = cancellation::partial;
        else if (in.take_if("total"))
            i.type = cancellation::total;
        else if (!in.take_if("terminal"))
            in.refuse("the type is one of terminal, partial, total");
    }
    in.expect_end();
    if (during) // the same thing has one name only
        return {.at = at, .what = operation_fault{fault::cancel(i.type)}};
    return {.at = at, .what = i};
}

/// `run(c1 before c0/session.close)`, and with the lane said again, `run(c1 before c0 at c0/session.close)`.
perturbation parse_deviation(const word& arguments)
{
    argument_reader in(arguments, "run", "run(c1 before c0/session.close)");
    deviation d;
    const word first = in.take("a lane");
    d.first = first.text == "bg" ? background_lane : parse_client(first.text, first.offset);
    if (!in.take_if("before"))
        in.refuse("'before' comes next");
    std::optional<word> other;
    if (in.peek(1) == "at") {
        other = in.take("a lane");
        in.take_if("at");
    }
    const operation_id at = in.take_operation();
    if (other && other->text != lane_name(at.lane))
        in.refuse(fmt::format("the operation is not one of {}", other->text), 1);
    if (at.lane == d.first)
        in.refuse("an operation cannot wait for a step of its own lane", 1);
    d.steps = in.take_steps(1);
    if (d.steps == 0)
        in.refuse("it waits for one step at least", 1);
    in.expect_end();
    return {.at = at, .what = d};
}

std::uint16_t checksum(std::string_view text)
{
    boost::crc_ccitt_type crc;
    crc.process_bytes(text.data(), text.size());
    return crc.checksum();
}

} // namespace

std::string_view to_string(moment when) noexcept
{
    switch (when) {
    case moment::before:
        return "before";
    case moment::queued:
        return "queued";
    case moment::after:
        return "after";
    case moment::steps:
        return "steps";
    }
    return "?";
}

const perturbation* fault_plan::find(const operation_id& id) const noexcept
{
    for (const perturbation& p : perturbations)
        if (p.strikes(id))
            return &p;
    return nullptr;
}

const repetition* perturbation::repeats() const noexcept
{
    const auto* one = std::get_if<operation_fault>(&what);
    return one && one->repeats ? &*one->repeats : nullptr;
}

mishap::fault perturbation::fault() const noexcept
{
    if (const auto* one = std::get_if<operation_fault>(&what))
        return one->fault;
    if (const auto* of_body = fails_body())
        return mishap::fault::fail(of_body->error);
    return {};
}

bool perturbation::strikes(const operation_id& id) const noexcept
{
    if (!is_fault())
        return false;
    const repetition* many = repeats();
    if (!many)
        return at == id;
    return at.kind == id.kind && at.name == id.name && at.attempt == id.attempt &&
           (many->every_lane || at.lane == id.lane) && at.occurrence <= id.occurrence &&
           id.occurrence <= many->last;
}

operation_pattern parse_pattern(std::string_view text)
{
    operation_pattern pattern;
    std::string plain(text);
    std::size_t cut = 0;
    repetition many{.last = 0};
    if (plain.starts_with("*/")) {
        many.every_lane = true;
        plain.erase(0, 2);
        cut = 2;
    }
    constexpr std::uint32_t all = std::numeric_limits<std::uint32_t>::max();
    const auto hash = plain.find('#');
    if (hash != std::string::npos) {
        const std::string_view count = std::string_view(plain).substr(hash + 1);
        const auto dots = count.find("..");
        if (count == "*") {
            many.last = all;
            plain.resize(hash);
        } else if (dots != std::string_view::npos) {
            const std::string_view last = count.substr(dots + 2);
            many.last = last.empty() ? all : parse_number<std::uint32_t>(last, cut + hash + 1 + dots + 2);
            plain.resize(hash + 1 + dots);
        }
    }
    pattern.first = at_offset(cut, [&] { return parse_operation(plain); });
    if (many.last != 0 && many.last < pattern.first.occurrence)
        throw input_error(
            fmt::format("'{}': its last occurrence comes before its first", text), cut + hash + 1);
    if (many.last == 0)
        many.last = pattern.first.occurrence;
    if (many.every_lane || many.last != pattern.first.occurrence)
        pattern.repeats = many;
    return pattern;
}

fault_plan& fault_plan::at(std::string_view operation, fault what)
{
    perturbations.push_back({.at = parse_operation(operation), .what = operation_fault{what}});
    return *this;
}

std::string to_string(const fault_plan& plan)
{
    const bool clients = shows_clients(plan);
    std::vector<std::string> words;
    for (const perturbation& p : plan.perturbations) {
        if (const auto* struck = p.interrupts())
            words.push_back(to_word(p.at, *struck));
        else if (const auto* held_back = p.yields())
            words.push_back(to_word(p.at, *held_back));
        else if (const auto* failure = p.fails_body())
            words.push_back(
                fmt::format("{}=fail({} {} {})", without_first(to_string(body_operation(p.at.lane), clients)),
                    failure->error.text(), failure->before ? "before" : "after", to_string(p.at, clients)));
        else
            words.push_back(fmt::format("{}={}", target_of(p, clients), to_token(p.fault())));
    }
    if (plan.clients != 0)
        words.push_back(fmt::format("clients({})", plan.clients));
    if (plan.sequential)
        words.push_back("sequential");
    if (plan.relay)
        words.push_back("relay");
    for (const auto& [client, when] : plan.arrivals)
        words.push_back(fmt::format("arrive({} {})", lane_name(client), to_string(when)));
    if (plan.step_cost != duration(0))
        words.push_back(fmt::format("step_cost({})", to_string(plan.step_cost)));
    if (plan.lazy)
        words.push_back(to_word(*plan.lazy));
    for (const auto& [name, value] : plan.settings)
        words.push_back(fmt::format("with({}={})", quote(name), quote(value)));
    for (const std::string& name : plan.invalid_settings)
        words.push_back(fmt::format("invalid({})", quote(name)));
    return fmt::format("{}", fmt::join(words, " "));
}

fault_plan parse_plan(std::string_view line)
{
    fault_plan plan;
    std::map<std::string, std::size_t> invalid_at;
    for (const word& w : split_words(line)) {
        if (const auto setting = arguments_of(w, "with")) {
            const auto equals = setting->text.find('=');
            if (equals == std::string_view::npos)
                throw input_error(fmt::format("'{}' has no '='", w.text), w.offset);
            const std::string name = unquote(setting->text.substr(0, equals), setting->offset);
            if (name.empty())
                throw input_error(fmt::format("the setting '{}' has no name", w.text), w.offset);
            const auto added = plan.settings.emplace(
                name, unquote(setting->text.substr(equals + 1), setting->offset + equals + 1));
            if (!added.second)
                throw input_error(fmt::format("the setting '{}' is set twice", name), w.offset);
        } else if (const auto refused = arguments_of(w, "invalid")) {
            std::string name = unquote(refused->text, refused->offset);
            if (invalid_at.contains(name))
                throw input_error(fmt::format("the setting '{}' is invalid twice", name), w.offset);
            invalid_at[std::move(name)] = w.offset;
        } else if (const auto clients = arguments_of(w, "clients")) {
            plan.clients = parse_number<std::uint32_t>(clients->text, clients->offset);
            if (plan.clients == 0 || plan.clients > clients_max)
                throw input_error(
                    fmt::format("'{}' is no number of clients: 1 to {}", clients->text, clients_max),
                    clients->offset);
        } else if (w.text == "sequential") {
            plan.sequential = true;
        } else if (w.text == "relay") {
            plan.relay = true;
        } else if (const auto cancelled = arguments_of(w, "cancel")) {
            plan.perturbations.push_back(parse_interruption(*cancelled, interruption::action::cancel));
        } else if (const auto abandoned = arguments_of(w, "abandon")) {
            plan.perturbations.push_back(parse_interruption(*abandoned, interruption::action::abandon));
        } else if (const auto deviates = arguments_of(w, "run")) {
            plan.perturbations.push_back(parse_deviation(*deviates));
        } else if (const auto arrives = arguments_of(w, "arrive")) {
            argument_reader in(*arrives, "arrive", "arrive(c1 2s)");
            const word client = in.take("a client and a time");
            const word when = in.take("a time");
            in.expect_end();
            const lane who = parse_client(client.text, client.offset);
            if (!plan.arrivals.emplace(who, at_offset(when.offset, [&] { return parse_duration(when.text); }))
                     .second)
                throw input_error(fmt::format("{} arrives twice", lane_name(who)), w.offset);
        } else if (const auto cost = arguments_of(w, "step_cost")) {
            plan.step_cost = at_offset(cost->offset, [&] { return parse_duration(cost->text); });
        } else if (const auto lazy = arguments_of(w, "random")) {
            if (plan.lazy)
                throw input_error(
                    fmt::format("'{}' is there twice: a plan has one random part", w.text), w.offset);
            plan.lazy = parse_lazy(*lazy);
        } else {
            const perturbation p = parse_perturbation(w);
            if (plan.find(p.at))
                throw input_error(fmt::format("'{}' is perturbed twice", to_string(p.at)), w.offset);
            plan.perturbations.push_back(p);
        }
    }
    for (const auto& [name, offset] : invalid_at) {
        if (!plan.settings.contains(name))
            throw input_error(
                fmt::format(
                    "the setting '{}' is invalid, but has no value here; write with({}=...) too", name, name),
                offset);
        plan.invalid_settings.insert(name);
    }
    return plan;
}

std::string to_string(const replay_token& token)
{
    std::string text = fmt::format("{} {}", format_version, quote(token.manager));
    if (const std::string plan = to_string(token.plan); !plan.empty())
        text += ' ' + plan;
    return fmt::format("{} ~{:04x}", text, checksum(text));
}

replay_token parse_token(std::string_view token)
{
    while (!token.empty() && (token.back() == '\n' || token.back() == ' '))
        token.remove_suffix(1);
    const auto tilde = token.rfind(" ~");
    if (tilde == std::string_view::npos)
        throw input_error(
            "this token does not end in a checksum such as ' ~7f3a': copy the whole line", token.size());
    const std::string_view text = token.substr(0, tilde);
    const std::string_view sum = token.substr(tilde + 2);
    if (sum != fmt::format("{:04x}", checksum(text)))
        throw input_error(
            fmt::format("the checksum ~{} does not fit this token: it was changed or cut; copy the "
                        "whole line from the report",
                sum),
            tilde + 2);
    const auto words = split_words(text);
    if (words.size() < 2)
        throw input_error("a token has a version, a manager and a plan", 0);
    if (words[0].text != format_version)
        throw input_error(fmt::format("this token has format version '{}', but this mishap reads version {}",
                              words[0].text, format_version),
            0);
    replay_token parsed;
    parsed.manager = unquote(words[1].text, words[1].offset);
    const std::size_t plan_at = words[1].offset + words[1].text.size();
    parsed.plan = at_offset(plan_at, [&] { return parse_plan(text.substr(plan_at)); });
    return parsed;
}

} // namespace mishap
