// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/live_table.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <utility>

#include <sys/ioctl.h>
#include <unistd.h>

namespace idlewatt::cli {

namespace {

constexpr std::string_view green = "\x1b[32m";
constexpr std::string_view yellow = "\x1b[33m";
constexpr std::string_view red = "\x1b[31m";
constexpr std::string_view bold = "\x1b[1m";
constexpr std::string_view plain = "\x1b[0m";
constexpr std::size_t reason_columns = 20;  // the longest name has 20 letters
constexpr std::size_t name_columns_max = 16;
constexpr std::size_t footer_columns_max = 1000;

template <class... Values>
std::string formatted(const char* format, Values... values) {
    std::array<char, 160> text{};
    std::snprintf(text.data(), text.size(), format, values...);
    return text.data();
}

bool continues_character(char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
}

// Characters, which is columns for the letters that we write.
std::size_t width_of(std::string_view text) {
    return static_cast<std::size_t>(
        std::ranges::count_if(text, [](char c) { return !continues_character(c); }));
}

// At most so many columns; what comes from outside cannot steer the terminal.
std::string cut(std::string_view text, std::size_t columns) {
    std::string out;
    std::size_t width = 0;
    for (const char c : text) {
        if (!continues_character(c) && ++width > columns)
            break;
        const auto byte = static_cast<unsigned char>(c);
        out += byte < 0x20 || byte == 0x7F ? ' ' : c;
    }
    return out;
}

std::string padded(std::string_view text, std::size_t columns) {
    std::string out = cut(text, columns);
    out.append(columns - std::min(columns, width_of(out)), ' ');
    return out;
}

struct Look {
    std::string_view symbol;
    std::string_view colour;
};

// The symbol alone tells as much as the colour.
Look look_of(const wire::VehicleRow& row) {
    if (row.reason == core::Reason::ok)
        return row.active_requests > 0 ? Look{"▶", green} : Look{"●", green};
    if (row.reason == core::Reason::unreachable || row.reason == core::Reason::engine_failed)
        return {"✗", red};
    switch (core::info(row.reason).kind) {
        case core::ReasonKind::recall:
            return {"■", red};
        case core::ReasonKind::drain:
            return {"◆", yellow};
        case core::ReasonKind::service:
            return {"…", yellow};
    }
    return {"?", yellow};
}

std::string clock_text(base::Duration clock) {
    const std::int64_t seconds = clock.ns / 1'000'000'000;
    return formatted("%02lld:%02lld:%02lld", static_cast<long long>(seconds / 3600),
                     static_cast<long long>(seconds / 60 % 60),
                     static_cast<long long>(seconds % 60));
}

// What the cars' lines look like in this width.
struct TableLayout {
    std::size_t name_columns = 7;
    bool roomy = false;  // reasons by name and by sentence, and power
    std::size_t columns = 80;
};

constexpr std::size_t roomy_columns = 110;

TableLayout table_layout_of(const TableState& state, std::size_t columns) {
    TableLayout layout{7, columns >= roomy_columns, columns};
    for (const wire::VehicleRow& row : state.vehicles)
        layout.name_columns =
            std::max(layout.name_columns, width_of(row.announcement.vehicle.value));
    layout.name_columns = std::min(layout.name_columns, name_columns_max);
    return layout;
}

std::string titles_text(const TableLayout& layout) {
    std::string line = ' ' + padded("vehicle", layout.name_columns) + "  ";
    if (layout.roomy)
        line += ' ' + padded("state", reason_columns);
    line += " charge";
    if (layout.roomy)
        line += "  power";
    return cut(line + "  busy tokens/s", layout.columns) + '\n';
}

std::string row_text(const wire::VehicleRow& row, const TableLayout& layout, bool colour) {
    const core::Announcement& said = row.announcement;
    const core::ReasonInfo& reason = core::info(row.reason);
    const Look look = look_of(row);
    std::string state(look.symbol);
    if (layout.roomy)
        state += ' ' + padded(reason.name, reason_columns);
    std::string line = ' ' + padded(said.vehicle.value, layout.name_columns) + ' ' + state;
    line += said.state_of_charge_percent ? formatted("   %3.0f%%", *said.state_of_charge_percent)
                                         : "     ?%";
    if (layout.roomy)
        line += formatted(" %5.0fW", said.allowed_w);
    line += formatted(" %2u/%-2u", row.active_requests, said.slots_total) +
            formatted(" %8.0f", said.tokens_per_second);
    const std::size_t used = width_of(line) + 2;
    const std::size_t room = used < layout.columns ? layout.columns - used : 0;
    if (width_of(reason.sentence) <= room) {
        line += "  " + std::string(reason.sentence);
    } else if (!layout.roomy) {
        line += "  " + std::string(reason.name);
    }
    line = cut(line, layout.columns);
    const std::size_t at = line.find(look.symbol);
    if (colour && at != std::string::npos && line.size() >= at + state.size()) {
        line.insert(at + state.size(), plain);
        line.insert(at, look.colour);
    }
    return line + '\n';
}

// Lines of whole words, always as many, so that what is below stands still.
std::string wrapped_lines(std::string_view text, std::size_t columns, std::size_t lines) {
    std::string out;
    for (std::size_t i = 0; i < lines; ++i) {
        std::string line = cut(text, columns);
        std::size_t taken = line.size();
        if (taken < text.size() && i + 1 < lines) {
            if (const std::size_t blank = line.rfind(' '); blank != line.npos && blank > 0)
                line.resize(taken = blank);
        }
        text.remove_prefix(taken);
        text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
        out += line + '\n';
    }
    return out;
}

unsigned long long printable(std::uint64_t value) {
    return value;
}

constexpr std::size_t header_rows_max = 5;  // of header_text

std::string header_text(const TableState& state, std::size_t columns, bool colour) {
    const auto ready = std::ranges::count_if(
        state.vehicles, [](const auto& row) { return row.reason == core::Reason::ok; });
    std::string first = "idlewatt";
    if (state.clock)
        first += "  " + clock_text(*state.clock);
    if (!state.title.empty())
        first += "  " + state.title;
    std::string out = cut(first, columns) + '\n';
    out += wrapped_lines(state.caption, columns, columns < roomy_columns ? 2 : 1);
    if (colour)
        out = std::string(bold) + out + std::string(plain);
    const wire::GatewayFigures& figures = state.figures;
    const std::string now = formatted(
        "%lld of %zu cars ready  %.0f tokens/s  %llu answer%s, %llu wait%s",
        static_cast<long long>(ready), state.vehicles.size(), state.tokens_per_second,
        printable(figures.requests_running), figures.requests_running == 1 ? " runs" : "s run",
        printable(figures.requests_waiting), figures.requests_waiting == 1 ? "s" : "");
    // The gateway's figures come a moment after the answers.
    std::string so_far = formatted(
        "%llu answered", printable(std::max(figures.requests_completed, state.answers_checked)));
    if (state.answers_checked > 0)
        so_far += formatted("  %llu of %llu right", printable(state.answers_correct),
                            printable(state.answers_checked));
    so_far += formatted("  %llu moved to another car  %llu failed", printable(figures.migrations),
                        printable(figures.requests_failed + figures.requests_failed_no_capacity));
    return out + cut(now, columns) + '\n' + cut(so_far, columns) + '\n';
}

bool has_text(const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr && *value != '\0';
}

TableSize size_of_terminal(int descriptor) {
    winsize size{};
    TableSize result;
    if (::ioctl(descriptor, TIOCGWINSZ, &size) == 0) {
        if (size.ws_col > 0)
            result.columns = size.ws_col;
        if (size.ws_row > 0)
            result.lines = size.ws_row;
    }
    return result;
}

// A terminal that takes no more is no reason to stop the program.
void write_all(int descriptor, std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = ::write(descriptor, text.data(), text.size());
        if (written <= 0)
            return;
        text.remove_prefix(static_cast<std::size_t>(written));
    }
}

std::string take_away(std::size_t rows) {
    return rows == 0 ? std::string() : "\x1b[" + std::to_string(rows) + "A\r\x1b[J";
}

}  // namespace

Picture render(const TableState& state, TableSize size, bool colour) {
    constexpr std::size_t rows_around = header_rows_max + 2;  // the titles, the terminal's last
    size.columns = std::max<std::size_t>(size.columns, 1);
    std::vector<std::pair<std::string, std::size_t>> footer;  // with the rows that it takes
    std::size_t footer_rows = 0;
    for (const std::string& line : state.footer) {
        footer.emplace_back(cut(line, footer_columns_max), 0);
        const std::size_t columns = std::max<std::size_t>(width_of(footer.back().first), 1);
        footer.back().second = (columns + size.columns - 1) / size.columns;
        footer_rows += footer.back().second;
    }
    Picture picture{header_text(state, size.columns, colour), 0};
    const TableLayout layout = table_layout_of(state, size.columns);
    picture.text += titles_text(layout);
    const std::size_t taken = rows_around + footer_rows;
    const std::size_t room = size.lines > taken ? size.lines - taken : 0;
    const bool all = state.vehicles.size() <= room;
    const std::size_t shown = all ? state.vehicles.size() : std::max<std::size_t>(room, 1) - 1;
    for (std::size_t i = 0; i < shown; ++i)
        picture.text += row_text(state.vehicles[i], layout, colour);
    if (!all && room > 0) {
        picture.text +=
            cut(formatted(" … and %zu more", state.vehicles.size() - shown), size.columns) + '\n';
    }
    // On a terminal of a few rows the beginning is what matters.
    std::size_t end = 0;
    for (; picture.rows + 1 < size.lines && end < picture.text.size(); ++picture.rows)
        end = picture.text.find('\n', end) + 1;
    picture.text.resize(end);
    for (const auto& [line, rows] : footer) {
        if (picture.rows + rows >= size.lines)
            break;
        picture.text += line + '\n';
        picture.rows += rows;
    }
    return picture;
}

std::optional<LiveTable> LiveTable::open(int descriptor) {
    const char* terminal = std::getenv("TERM");
    if (::isatty(descriptor) != 1 || terminal == nullptr || std::string_view(terminal) == "dumb")
        return std::nullopt;
    return LiveTable(descriptor, !has_text("NO_COLOR"));
}

LiveTable::LiveTable(LiveTable&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      colour_(other.colour_),
      rows_drawn_(std::exchange(other.rows_drawn_, 0)),
      drawn_at_(std::exchange(other.drawn_at_, std::nullopt)) {}

LiveTable::~LiveTable() {
    if (descriptor_ >= 0 && drawn_at_)
        write_all(descriptor_, "\x1b[?25h");
}

void LiveTable::draw(const TableState& state, base::Instant now) {
    if (drawn_at_ && now - *drawn_at_ < table_period_min)
        return;
    drawn_at_ = now;
    const Picture picture = render(state, size_of_terminal(descriptor_), colour_);
    write_all(descriptor_, "\x1b[?25l" + take_away(rows_drawn_) + picture.text);
    rows_drawn_ = picture.rows;
}

void LiveTable::clear() {
    if (!drawn_at_)
        return;
    write_all(descriptor_, take_away(rows_drawn_) + "\x1b[?25h");
    rows_drawn_ = 0;
    drawn_at_.reset();
}

}  // namespace idlewatt::cli
