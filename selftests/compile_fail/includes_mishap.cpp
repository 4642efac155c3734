#include <mishap/mishap.hpp>
