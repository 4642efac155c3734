// SPDX-License-Identifier: MIT
#pragma once
/// Follows one resource through one coroutine: every path, also those on which something throws.

#include "checks.hpp"
#include "roles.hpp"

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace mishap::tools {

/// A node, and the function whose file its offsets belong to.
struct spot
{
    const function* in = nullptr;
    const node* at = nullptr;
};

enum class holding
{
    absent,
    open,
    closed,
    gone
};
enum class cause
{
    none,
    await,
    rethrow,
    thrown,
    cleanup
};

/// What is known at one point of one path.
struct path_state
{
    holding resource = holding::absent;
    bool open_failed = false;
    bool close_threw = false;
    bool shielded = false;
    bool pending_open = false;
    spot opened;
    spot closed;
    std::string closed_by;
    /// What is known of conditions: variables by path, others by text.
    std::map<std::string, bool> truth;
    /// Variables that hold a caught exception which nobody was told of yet.
    std::map<std::string, spot> remembered;

    auto key() const
    {
        std::vector<std::string> errors;
        for (const auto& [name, where] : remembered)
            errors.push_back(name);
        return std::make_tuple(
            resource, open_failed, close_threw, shielded, pending_open, opened.at, closed.at, truth, errors);
    }
};

struct outcome
{
    enum class kind
    {
        normal,
        thrown,
        returned,
        stopped,
        went_on
    };
    kind how = kind::normal;
    path_state state;
    cause why = cause::none;
    spot from = {}; ///< what threw
};

using outcomes = std::vector<outcome>;

/// A function that takes more steps than this to follow is left out.
inline constexpr std::size_t steps_max = 60000;

/// The value below casts and copies.
const node& unwrapped(const node& value);

/// True if nothing is ever thrown out of the function, as far as its body and what it calls can be seen.
bool never_throws(const finder& in, const function& of, int depth = 0);

/// The resource that is followed.
struct followed
{
    std::string path;
    family of = family::lifetime;
    std::string type;
    bool local = false;
    /// A counter of what is left: what counts it down acquires.
    bool counts_down = false;
};

class walker
{
public:
    walker(finder& into, const function& start, followed resource);

    /// Follows the resource through the function and adds what was found. A function with too many paths is
    /// left out.
    void run();

private:
    /// Names as one function (or a lambda in it) sees them.
    struct frame
    {
        const function* in = nullptr;
        std::map<std::string, std::string> alias;
        std::string prefix;
        std::map<std::string, const node*> lambdas;
        int depth = 0;
        int awaiting = 0;
        int asking = 0; ///< inside a condition, where a call that is given an error only looks at it
        const node* guard = nullptr; ///< the innermost try
    };

    struct too_many
    {};

    outcomes execute(const node& statement, frame& in, path_state from);
    outcomes execute_block(
        const std::vector<node>& statements, std::size_t first, frame& in, path_state from);
    outcomes execute_branch(const node& statement, frame& in, path_state from);
    outcomes execute_loop(const node& statement, frame& in, path_state from);
    outcomes execute_choice(const node& statement, frame& in, path_state from);
    outcomes execute_attempt(const node& statement, frame& in, path_state from);
    outcomes declare(const node& statement, frame& in, path_state from);

    outcomes evaluate(const node& expression, frame& in, path_state from);
    outcomes evaluate_parts(
        const std::vector<node>& parts, std::size_t first, std::size_t last, frame& in, path_state from);
    outcomes evaluate_await(const node& expression, frame& in, path_state from);
    outcomes evaluate_call(const node& call, frame& in, path_state from);
    outcomes evaluate_known_call(const node& call, frame& in, path_state from);
    outcomes assign(const node& expression, frame& in, path_state from);
    outcomes call_lambda(const node& lambda, frame& in, path_state from);
    std::optional<outcomes> call_function(const node& call, frame& in, const path_state& from);

    std::vector<path_state> assume(const node& condition, bool wanted, frame& in, path_state from);

    void acquire(const node& at, frame& in, path_state& state);
    void clean_up(const node& at, frame& in, path_state& state, bool forced);
    void give_up(const node& call, frame& in, path_state& state, bool forced);
    void judge_end(const outcome& end);
    void judge_cleanup(const node& at, frame& in, const path_state& state);
    void judge_replaced_error(const path_state& state, spot by);
    void judge_dropped_error(const path_state& state, spot by, const std::string& path);
    bool closed_by_others() const;
    bool first(std::string_view check, const node* at);
    note note_at(spot where, std::string text) const;

    std::string path_of(const node& of, const frame& in) const;
    std::string text_of(const node& of, const frame& in) const;
    bool is_resource(const node& of, const frame& in) const { return path_of(of, in) == resource_.path; }
    bool is_own_call(const node& call, const frame& in) const;
    bool touches_resource(const function& of, int depth) const;
    bool mentions_resource(const node& tree, const frame& in) const;
    bool lambda_cleans_up(const node& tree, const frame& in) const;
    bool is_quiet(const node& operand, const frame& in) const;
    bool falls_back_on_force(const frame& in) const;

    finder& into_;
    const function& start_;
    followed resource_;
    std::set<std::pair<std::string, const node*>> said_;
    std::set<const function*> entered_;
    std::vector<spot> cleanups_;
    std::size_t steps_ = 0;
};

} // namespace mishap::tools
