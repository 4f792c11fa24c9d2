// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/columns.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <ostream>

namespace idlewatt::cli {

void print_columns(const std::vector<std::vector<std::string>>& lines, std::ostream& out) {
    std::vector<std::size_t> widths;
    for (const auto& line : lines) {
        widths.resize(std::max(widths.size(), line.size()));
        for (std::size_t i = 0; i < line.size(); ++i)
            widths[i] = std::max(widths[i], line[i].size());
    }
    for (const auto& line : lines) {
        std::string text;
        for (std::size_t i = 0; i < line.size(); ++i) {
            text += line[i];
            if (i + 1 < line.size())
                text.append(widths[i] + 2 - line[i].size(), ' ');
        }
        out << text << '\n';
    }
}

std::string bytes_text(std::uint64_t bytes) {
    if (bytes < 1000)
        return std::to_string(bytes) + " bytes";
    double value = static_cast<double>(bytes);
    std::size_t unit = 0;
    constexpr std::array<std::string_view, 5> units{"bytes", "kB", "MB", "GB", "TB"};
    while (value >= 999.95 && unit + 1 < units.size()) {
        value /= 1000;
        ++unit;
    }
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.1f ", value);
    return text.data() + std::string(units[unit]);
}

base::Result<base::Duration> parse_span(std::string_view text) {
    constexpr std::int64_t seconds_max = std::int64_t{10} * 365 * 86'400;
    std::int64_t count = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
    std::int64_t seconds = 0;
    if (unit.empty() || unit == "s")
        seconds = 1;
    else if (unit == "m")
        seconds = 60;
    else if (unit == "h")
        seconds = 3'600;
    else if (unit == "d")
        seconds = 86'400;
    if (error != std::errc() || seconds == 0 || count < 1 || count > seconds_max / seconds) {
        return base::fail(base::ErrorKind::bad_input, "'" + std::string(text.substr(0, 40)) +
                                                          "' is no time; expected 90s, 15m, 12h or "
                                                          "7d");
    }
    return base::seconds(count * seconds);
}

std::string time_text(const std::optional<base::WallTime>& time) {
    return time ? base::to_rfc3339(*time) : "-";
}

std::string path_segment(std::string_view text) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            c == '-' || c == '_' || c == '.' || c == '~') {
            out += c;
        } else {
            out += '%';
            out += digits[byte >> 4];
            out += digits[byte & 15];
        }
    }
    return out;
}

}  // namespace idlewatt::cli
