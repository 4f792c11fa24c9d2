// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What is written about the settings, made from the schema, so that it cannot differ from it. Pure.
#pragma once

#include <string>
#include <string_view>

namespace idlewatt::config {

// A file with every setting, its meaning and its default, all commented out.
[[nodiscard]] std::string example_file();
// Text fit for a line of man(7).
[[nodiscard]] std::string roff(std::string_view text);
// idlewatt.toml.5, in the language of man(7).
[[nodiscard]] std::string manual_page(const std::string& version);

}  // namespace idlewatt::config
