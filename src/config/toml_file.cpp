// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "config/toml_file.hpp"

#include <algorithm>
#include <exception>

#include "base/toml_prescan.hpp"
#include "config/config.hpp"

// The same two lines in every file that parses TOML; parse_toml() makes what is thrown an error.
#define TOML_EXCEPTIONS 0
#define TOML_ASSERT(expression) ((expression) ? void() : ::idlewatt::base::toml_not_understood())
#include <toml++/toml.h>

namespace idlewatt::config {

namespace {

constexpr std::size_t quoted_bytes_max = 48;

base::Error complaint(const std::string& source, std::size_t line, std::string_view what) {
    const std::string where = line > 0 ? ":" + std::to_string(line) : "";
    return {base::ErrorKind::bad_input, source + where + ": " + std::string(what)};
}

std::vector<std::string> texts_of(const toml::array& array, bool& all_texts) {
    std::vector<std::string> texts;
    for (const toml::node& node : array) {
        if (const auto* text = node.as_string())
            texts.push_back(text->get());
        else
            all_texts = false;
    }
    return texts;
}

TomlEntry entry_of(std::string key, std::size_t line, const toml::node& node) {
    TomlEntry entry{std::move(key), line, {}};
    if (const auto* text = node.as_string()) {
        entry.value = text->get();
    } else if (const auto* number = node.as_integer()) {
        entry.value = number->get();
    } else if (const auto* truth = node.as_boolean()) {
        entry.value = truth->get();
    } else if (const auto* array = node.as_array()) {
        bool all_texts = true;
        std::vector<std::string> texts = texts_of(*array, all_texts);
        if (all_texts)
            entry.value = std::move(texts);
    }
    return entry;
}

std::vector<TomlEntry> entries_of(const toml::table& table) {
    std::vector<TomlEntry> entries;
    for (const auto& [key, node] : table) {
        const toml::table* inner = node.as_table();
        const bool known = std::ranges::find(tables(), key.str(), &Table::name) != tables().end();
        if (inner == nullptr || (inner->empty() && !known)) {
            entries.push_back(entry_of(std::string(key.str()), key.source().begin.line, node));
            continue;
        }
        for (const auto& [inner_key, inner_node] : *inner) {
            entries.push_back(entry_of(std::string(key.str()) + "." + std::string(inner_key.str()),
                                       inner_key.source().begin.line, inner_node));
        }
    }
    // The library keeps keys in the order of their names; people read from the top.
    std::ranges::stable_sort(entries, {}, &TomlEntry::line);
    return entries;
}

}  // namespace

std::string quoted(std::string_view text) {
    std::string out = "'";
    for (const char c : text.substr(0, quoted_bytes_max))
        out += (c >= 0x20 && c < 0x7f) ? c : '?';
    out += text.size() > quoted_bytes_max ? "...'" : "'";
    return out;
}

base::Result<std::vector<TomlEntry>> parse_toml(std::string_view text, const std::string& source) {
    if (text.size() > file_bytes_max) {
        return tl::unexpected(complaint(
            source, 0,
            "has more than " + std::to_string(file_bytes_max) + " bytes; is it the right file?"));
    }
    if (const auto problem = base::prescan_toml(text))
        return tl::unexpected(complaint(source, problem->line, problem->what));
    try {
        const toml::parse_result parsed = toml::parse(text);
        if (parsed)
            return entries_of(parsed.table());
        const toml::parse_error& error = parsed.error();
        return tl::unexpected(
            complaint(source, error.source().begin.line,
                      "not TOML: " + std::string(error.description().substr(0, 200))));
    } catch (const std::exception& error) {
        return tl::unexpected(complaint(source, 0, std::string("not TOML: ") + error.what()));
    }
}

}  // namespace idlewatt::config
