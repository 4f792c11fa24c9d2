// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "signals/toml_reader.hpp"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <utility>

#include "base/spelling.hpp"

namespace idlewatt::signals {

namespace {

constexpr std::size_t quoted_bytes_max = 48;

std::string shown(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.10g", value);
    return text;
}

}  // namespace

void Complaints::add(std::size_t line, std::string_view what) {
    if (first_)
        return;
    const std::string where = line > 0 ? ":" + std::to_string(line) : "";
    first_ = base::Error{base::ErrorKind::bad_input, source_ + where + ": " + std::string(what)};
}

std::string quoted(std::string_view text) {
    std::string out = "'";
    for (const char c : text.substr(0, quoted_bytes_max)) {
        out += (c >= 0x20 && c < 0x7f) ? c : '?';
    }
    out += text.size() > quoted_bytes_max ? "...'" : "'";
    return out;
}

std::optional<toml::table> parse_toml(std::string_view text, Complaints& complaints) {
    if (const auto problem = base::prescan_toml(text)) {
        complaints.add(problem->line, problem->what);
        return std::nullopt;
    }
    try {
        toml::parse_result parsed = toml::parse(text);
        if (parsed)
            return std::move(parsed).table();
        const toml::parse_error& error = parsed.error();
        complaints.add(error.source().begin.line,
                       "not TOML: " + std::string(error.description().substr(0, 200)));
    } catch (const std::exception& error) {
        complaints.add(0, std::string("not TOML: ") + error.what());
    }
    return std::nullopt;
}

TableReader::TableReader(const toml::table& table, std::string_view title,
                         std::span<const std::string_view> keys, Complaints& complaints)
    : table_(table), title_(title), complaints_(complaints) {
    for (const auto& [key, value] : table) {
        if (std::ranges::find(keys, key.str()) != keys.end())
            continue;
        complaints_.add(key.source().begin.line, "unknown key " + quoted(key.str()) + " in " +
                                                     title_ + "; the nearest right key is " +
                                                     quoted(base::nearest(key.str(), keys)));
    }
}

double TableReader::number(std::string_view key, double fallback, double min, double max) const {
    const toml::node* node = find(key);
    if (node == nullptr)
        return fallback;
    const std::optional<double> value = node->is_number() ? node->value<double>() : std::nullopt;
    if (!value || !(*value >= min && *value <= max)) {
        complain(key, "must be a number from " + shown(min) + " to " + shown(max));
        return fallback;
    }
    return *value;
}

bool TableReader::boolean(std::string_view key, bool fallback) const {
    const toml::node* node = find(key);
    if (node == nullptr)
        return fallback;
    if (!node->is_boolean()) {
        complain(key, "must be true or false");
        return fallback;
    }
    return node->as_boolean()->get();
}

std::string TableReader::text(std::string_view key, std::size_t bytes_max) const {
    const toml::node* node = find(key);
    if (node == nullptr)
        return {};
    const toml::value<std::string>* value = node->as_string();
    const auto is_control = [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    };
    if (value == nullptr || value->get().size() > bytes_max ||
        std::ranges::any_of(value->get(), is_control)) {
        complain(key,
                 "must be one line of text of at most " + std::to_string(bytes_max) + " bytes");
        return {};
    }
    return value->get();
}

const toml::table& TableReader::table(std::string_view key) const {
    static const toml::table empty;
    const toml::node* node = find(key);
    if (node == nullptr)
        return empty;
    if (!node->is_table()) {
        complain(key, "must be a table");
        return empty;
    }
    return *node->as_table();
}

void TableReader::complain(std::string_view key, std::string_view what) const {
    const toml::node* node = find(key);
    const std::size_t line =
        node != nullptr ? node->source().begin.line : table_.source().begin.line;
    complaints_.add(line, std::string(key) + " in " + title_ + " " + std::string(what));
}

}  // namespace idlewatt::signals
