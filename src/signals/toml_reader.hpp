// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Reads TOML tables from strangers: every key is known or an error, every value has a type and a
// range. The first complaint is kept; after it everything reads as its default, so that a reader
// need not stop at each step. Private to this module.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/toml_prescan.hpp"

// The same two lines in every file that parses TOML; parse_toml() makes what is thrown an error.
#define TOML_EXCEPTIONS 0
#define TOML_ASSERT(expression) ((expression) ? void() : ::idlewatt::base::toml_not_understood())
#include <toml++/toml.h>

#include "base/result.hpp"

namespace idlewatt::signals {

class Complaints {
public:
    explicit Complaints(std::string_view source) : source_(source) {}

    // Line 0: not known.
    void add(std::size_t line, std::string_view what);
    [[nodiscard]] const std::optional<base::Error>& first() const { return first_; }

private:
    std::string source_;
    std::optional<base::Error> first_;
};

// Bytes from outside made fit for a message: short, printable, in quotes.
[[nodiscard]] std::string quoted(std::string_view text);

// Nothing, with a complaint, when the bytes are not TOML.
[[nodiscard]] std::optional<toml::table> parse_toml(std::string_view text, Complaints& complaints);

class TableReader {
public:
    // Complains about keys that are not among the given ones.
    TableReader(const toml::table& table, std::string_view title,
                std::span<const std::string_view> keys, Complaints& complaints);

    [[nodiscard]] const toml::node* find(std::string_view key) const { return table_.get(key); }
    [[nodiscard]] double number(std::string_view key, double fallback, double min,
                                double max) const;
    [[nodiscard]] bool boolean(std::string_view key, bool fallback) const;
    [[nodiscard]] std::string text(std::string_view key, std::size_t bytes_max) const;
    // The table under the key; an empty one if it is not there.
    [[nodiscard]] const toml::table& table(std::string_view key) const;

    void complain(std::string_view key, std::string_view what) const;

private:
    const toml::table& table_;
    std::string title_;
    Complaints& complaints_;
};

}  // namespace idlewatt::signals
