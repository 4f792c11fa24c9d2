// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// How the program explains itself: help with examples first, and what was meant when a command or
// a flag was mistyped.
#pragma once

#include <iosfwd>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
class ParseError;
}  // namespace CLI

namespace idlewatt::cli {

// For the whole tree; call it before commands are added. A command's description begins with one
// line for the list of commands; a blank line and the rest ("Examples: …") stand in its own help.
void set_up_help(CLI::App& app);

// The first line, and what stands behind the blank line.
[[nodiscard]] std::string summary_of(std::string_view description);
[[nodiscard]] std::string examples_of(std::string_view description);

// The nearest of the names if it is one that fingers may have missed; else empty.
[[nodiscard]] std::string_view near_word(std::string_view text,
                                         std::span<const std::string_view> names);

// `help WORDS` as what it means: `WORDS --help`. Other words as they are.
[[nodiscard]] std::vector<std::string> words_meant(std::vector<std::string> words);

// What the parser threw: help and version go to out with 0, a mistake to err with 2: what is wrong,
// the nearest right word, where to read on.
int report_parse(const CLI::App& app, const CLI::ParseError& error,
                 const std::vector<std::string>& arguments, std::ostream& out, std::ostream& err);

}  // namespace idlewatt::cli
