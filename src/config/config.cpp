// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "config/config.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/assert.hpp"
#include "base/spelling.hpp"
#include "config/toml_file.hpp"

namespace idlewatt::config {

namespace {

using base::ErrorKind;

std::optional<std::int64_t> integer_in(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc() || end != text.data() + text.size())
        return std::nullopt;
    return value;
}

std::optional<bool> boolean_in(std::string_view text) {
    if (text == "true" || text == "1" || text == "yes" || text == "on")
        return true;
    if (text == "false" || text == "0" || text == "no" || text == "off")
        return false;
    return std::nullopt;
}

std::vector<std::string> split(std::string_view text) {
    std::vector<std::string> entries;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(','), text.size());
        std::string_view entry = text.substr(0, end);
        while (entry.starts_with(' '))
            entry.remove_prefix(1);
        while (entry.ends_with(' '))
            entry.remove_suffix(1);
        if (!entry.empty())
            entries.emplace_back(entry);
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return entries;
}

bool is_one_line(std::string_view text) {
    return std::ranges::none_of(
        text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

// Nothing, or what the value has to be.
std::string expected_of(const Setting& setting, std::string& text) {
    if (text.size() > value_bytes_max || !is_one_line(text))
        return "one line of at most " + std::to_string(value_bytes_max) + " bytes";
    switch (setting.type) {
        case Type::integer: {
            const auto number = integer_in(text);
            if (number && *number >= setting.min && *number <= setting.max)
                return {};
            return "an integer from " + std::to_string(setting.min) + " to " +
                   std::to_string(setting.max);
        }
        case Type::boolean: {
            const auto truth = boolean_in(text);
            if (!truth)
                return "true or false";
            text = *truth ? "true" : "false";
            return {};
        }
        case Type::list:
            if (split(text).size() <= list_entries_max)
                return {};
            return "at most " + std::to_string(list_entries_max) + " entries";
        case Type::text:
        case Type::path:
        case Type::secret_file:
            return {};
    }
    return {};
}

std::string unknown_key(std::string_view key) {
    std::vector<std::string_view> names;
    for (const Setting& setting : schema())
        names.push_back(setting.key);
    // The right name in a wrong table, or outside of one, is what people mean most often.
    const std::size_t dot = key.find('.');
    const std::string_view last = dot == std::string_view::npos ? key : key.substr(dot + 1);
    std::string_view near = base::nearest(key, names);
    for (const std::string_view name : names) {
        if (name.substr(name.find('.') + 1) == last) {
            near = name;
            break;
        }
    }
    return "unknown key " + quoted(key) + "; the nearest right key is " + quoted(near);
}

// The value as one text, if its type fits the setting's.
std::optional<std::string> text_of(const Setting& setting, const TomlEntry& entry) {
    switch (setting.type) {
        case Type::integer:
            if (const auto* number = std::get_if<std::int64_t>(&entry.value))
                return std::to_string(*number);
            return std::nullopt;
        case Type::boolean:
            if (const auto* truth = std::get_if<bool>(&entry.value))
                return *truth ? "true" : "false";
            return std::nullopt;
        case Type::list:
            if (const auto* texts = std::get_if<std::vector<std::string>>(&entry.value)) {
                std::string joined;
                for (const std::string& text : *texts)
                    joined += (joined.empty() ? "" : ",") + text;
                return joined;
            }
            [[fallthrough]];
        case Type::text:
        case Type::path:
        case Type::secret_file:
            if (const auto* text = std::get_if<std::string>(&entry.value))
                return *text;
            return std::nullopt;
    }
    return std::nullopt;
}

std::string_view toml_type(Type type) {
    switch (type) {
        case Type::integer:
            return "an integer";
        case Type::boolean:
            return "true or false";
        case Type::list:
            return "a list of texts";
        case Type::text:
        case Type::path:
        case Type::secret_file:
            break;
    }
    return "a text in quotes";
}

}  // namespace

std::string_view name(Origin origin) {
    constexpr std::array<std::string_view, 6> names{"default", "system",      "user",
                                                    "project", "environment", "flag"};
    return names[static_cast<std::size_t>(origin)];
}

Settings::Settings() {
    for (const Setting& setting : schema())
        values_[std::string(setting.key)] = {std::string(setting.fallback), Origin::fallback, ""};
}

base::Result<void> Settings::set(std::string_view key, std::string text, Origin origin,
                                 std::string where) {
    const Setting* setting = find(key);
    if (setting == nullptr)
        return base::fail(ErrorKind::bad_input, where + ": " + unknown_key(key));
    const std::string expected = expected_of(*setting, text);
    if (!expected.empty()) {
        return base::fail(ErrorKind::bad_input, where + ": " + std::string(key) + " is " +
                                                    quoted(text) + "; expected " + expected);
    }
    values_.find(key)->second = {std::move(text), origin, std::move(where)};
    // What is said more strongly than the environment's secret replaces it.
    if (origin == Origin::flag)
        secrets_.erase(std::string(key));
    return {};
}

base::Result<void> Settings::read_toml(std::string_view toml, Origin origin,
                                       const std::string& source) {
    const auto entries = parse_toml(toml, source);
    if (!entries)
        return tl::unexpected(entries.error());
    for (const TomlEntry& entry : *entries) {
        const std::string where = source + ":" + std::to_string(entry.line);
        const Setting* setting = find(entry.key);
        if (setting == nullptr)
            return base::fail(ErrorKind::bad_input, where + ": " + unknown_key(entry.key));
        auto text = text_of(*setting, entry);
        if (!text) {
            return base::fail(ErrorKind::bad_input, where + ": " + entry.key + " must be " +
                                                        std::string(toml_type(setting->type)));
        }
        auto done = set(entry.key, std::move(*text), origin, where);
        if (!done)
            return done;
    }
    return {};
}

base::Result<void> Settings::read_environment(const Environment& environment) {
    for (const Setting& setting : schema()) {
        if (auto text = environment(setting.environment); text && !text->empty()) {
            auto done = set(setting.key, std::move(*text), Origin::environment,
                            std::string(setting.environment));
            if (!done)
                return done;
        }
        if (setting.secret_environment.empty())
            continue;
        auto secret = environment(setting.secret_environment);
        if (!secret || secret->empty())
            continue;
        if (secret->size() > secret_bytes_max || !is_one_line(*secret)) {
            return base::fail(ErrorKind::bad_input, std::string(setting.secret_environment) +
                                                        " holds more than one line; set it to the "
                                                        "secret alone");
        }
        Value& value = values_.find(setting.key)->second;
        value = {"", Origin::environment, std::string(setting.secret_environment)};
        secrets_[std::string(setting.key)] = std::move(*secret);
    }
    return {};
}

const Value& Settings::value(std::string_view key) const {
    const auto found = values_.find(key);
    IDLEWATT_ASSERT(found != values_.end());
    return found->second;
}

std::int64_t Settings::integer(std::string_view key) const {
    const auto number = integer_in(text(key));
    IDLEWATT_ASSERT(number.has_value());
    return *number;
}

bool Settings::boolean(std::string_view key) const {
    const auto truth = boolean_in(text(key));
    IDLEWATT_ASSERT(truth.has_value());
    return *truth;
}

std::vector<std::string> Settings::list(std::string_view key) const {
    return split(text(key));
}

base::Result<Settings> load(const Sources& sources) {
    Settings settings;
    for (const SourceFile& file :
         usual_files(sources.environment, sources.named_file, sources.system_folder)) {
        auto read = settings.read_file(file);
        if (!read)
            return tl::unexpected(read.error());
    }
    auto read = settings.read_environment(sources.environment);
    if (!read)
        return tl::unexpected(read.error());
    for (const auto& [key, text] : sources.flags) {
        const Setting* setting = find(key);
        IDLEWATT_ASSERT(setting != nullptr);
        read = settings.set(key, text, Origin::flag, std::string(setting->flag));
        if (!read)
            return tl::unexpected(read.error());
    }
    return settings;
}

}  // namespace idlewatt::config
