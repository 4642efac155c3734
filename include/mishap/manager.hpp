// SPDX-License-Identifier: MIT
#pragma once

#include <mishap/contract.hpp>
#include <mishap/fwd.hpp>

#if defined(BOOST_ASIO_DISABLE_EPOLL) || defined(BOOST_ASIO_DISABLE_TIMERFD) ||                              \
    defined(BOOST_ASIO_HAS_IO_URING_AS_DEFAULT)
#error "mishap puts Asio's timers on virtual time through epoll and timerfd: build tests without \
BOOST_ASIO_DISABLE_EPOLL, BOOST_ASIO_DISABLE_TIMERFD and io_uring as the default"
#endif

#if defined(__GNUC__) && !defined(__GXX_RTTI)
#error "mishap and Boost.Asio tell their parts apart by typeid: build tests without -fno-rtti"
#endif

#include <boost/asio/awaitable.hpp>

#include <concepts>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace mishap {

template <class T>
using awaitable = boost::asio::awaitable<T>;

/// Runs the code under test once against mock resources.
using adapter = std::function<awaitable<void>(environment&)>;

/// The code under test: how to run it once, and what it promises.
class manager
{
public:
    manager() = default;

    /// From any callable `awaitable<void>(environment&)`, so that functions which take a manager can be given
    /// a lambda.
    template <class Adapter>
    requires(!std::same_as<std::remove_cvref_t<Adapter>, manager>) manager(Adapter adapts)
    {
        static_assert(std::invocable<Adapter&, environment&>,
            "an adapter takes a mishap::environment&: "
            "[](mishap::environment& env) -> mishap::awaitable<void> { co_await ...; }");
        if constexpr (std::invocable<Adapter&, environment&>) {
            static_assert(std::is_same_v<std::invoke_result_t<Adapter&, environment&>, awaitable<void>>,
                "an adapter is a coroutine: write '-> mishap::awaitable<void>' after its parameters, and "
                "co_await the manager in it");
            if constexpr (std::is_same_v<std::invoke_result_t<Adapter&, environment&>, awaitable<void>>)
                run = std::move(adapts);
        }
    }

    manager(std::string called, adapter adapts, mishap::contract promised = {})
        : name(std::move(called)), run(std::move(adapts)), promises(std::move(promised))
    {}

    std::string name;
    adapter run;
    mishap::contract promises;
    std::string file;
    int line = 0;
};

/// The registered manager of that name.
///
/// Errors: throws `input_error` naming the nearest match and all that are known.
const manager& get_manager(std::string_view name);

/// Names of all registered managers, alphabetically.
std::vector<std::string> manager_names();

/// Makes a manager known by name. Registering a name twice is an error that `registration_errors` reports.
void register_manager(manager);

/// What went wrong while managers and invariants were registered; `mishap::main` prints it and exits with 2.
const std::vector<std::string>& registration_errors();

namespace detail {

struct manager_registration
{
    manager_registration(
        std::string_view name, awaitable<void> (*run)(environment&), std::string_view file, int line);
};

struct contract_registration
{
    std::string_view name;
    contract_registration& operator=(contract promises);
};

} // namespace detail
} // namespace mishap

/// Registers a manager for scenario files and the command line.
///
/// ```
/// MISHAP_MANAGER(session, mishap::environment& env)
/// {
///     fake_driver driver;
///     co_await app::with_session(driver, env.body());
/// }
/// ```
///
/// The first argument is the name (an identifier), the second the parameter of the coroutine that follows.
/// Restrictions: at namespace scope, in a file that is linked into the program itself or through an OBJECT
/// library: a linker leaves registrations in a static archive out. Awaits or returns something on each path:
/// from here on the file does not compile where a function returns nothing and should (`-Wreturn-type`).
#define MISHAP_MANAGER(name, ...)                                                                            \
    _Pragma("GCC diagnostic error \"-Wreturn-type\"") static ::mishap::awaitable<void>                       \
        mishap_manager_##name(__VA_ARGS__);                                                                  \
    static const ::mishap::detail::manager_registration mishap_registration_##name(                          \
        #name, &mishap_manager_##name, __FILE__, __LINE__);                                                  \
    static ::mishap::awaitable<void> mishap_manager_##name(__VA_ARGS__)

/// Says what a registered manager promises, by designated initialisers:
/// `MISHAP_CONTRACT(session){.create_timeout = 30s};`
///
/// Defaults: every term of `mishap::contract` that is left out. Restrictions: as `MISHAP_MANAGER`.
#define MISHAP_CONTRACT(manager_name)                                                                        \
    static const auto mishap_contract_##manager_name =                                                       \
        ::mishap::detail::contract_registration{#manager_name} = ::mishap::contract
