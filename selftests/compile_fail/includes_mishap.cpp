// SPDX-License-Identifier: MIT
#include <mishap/mishap.hpp>
