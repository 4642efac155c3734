// SPDX-License-Identifier: MIT
#pragma once
/// The database under an adapter: mocks, or a real one in the program that is built with SQLite.

#ifdef CATALOGUE_ON_SQLITE
#include "shared/sqlite_database.hpp"
#else
#include "shared/mock_database.hpp"
#endif

namespace catalogue {

#ifdef CATALOGUE_ON_SQLITE
using database = sqlite_database;
#else
using database = mock_database;
#endif

} // namespace catalogue
