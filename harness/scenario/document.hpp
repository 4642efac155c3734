// SPDX-License-Identifier: MIT
#pragma once

#include <yaml-cpp/yaml.h>

#include <string>

namespace mishap::detail {

/// The one YAML document of a scenario file.
///
/// Errors: throws `scenario_error` with the place of what is no YAML, of a second document, of a zero byte,
/// and for a text that is empty or larger than `file_size_max`.
YAML::Node parse_document(const std::string& text, const std::string& file);

inline constexpr std::size_t file_size_max = 1'000'000;

} // namespace mishap::detail
