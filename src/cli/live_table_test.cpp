// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/live_table.hpp"

#include <algorithm>
#include <sstream>

#include <gtest/gtest.h>

namespace idlewatt::cli {
namespace {

TableState state_of(std::size_t cars) {
    TableState state;
    state.title = "a day";
    state.caption = "Somebody gets in.";
    state.clock = base::seconds(3 * 3600 + 61);
    state.footer = {"http://127.0.0.1:8080  key demo", "Ctrl-C ends it"};
    state.figures.requests_completed = 17;
    for (std::size_t i = 0; i < cars; ++i) {
        wire::VehicleRow row;
        row.announcement.vehicle = core::VehicleId("car-" + std::to_string(i));
        row.announcement.state_of_charge_percent = 80.0;
        row.announcement.allowed_w = 300;
        row.announcement.slots_total = 2;
        const auto table = core::reason_table();
        row.reason = i == 0 ? core::Reason::ok : table[i % table.size()].reason;
        state.vehicles.push_back(std::move(row));
    }
    return state;
}

std::vector<std::string> lines_of(const std::string& picture) {
    std::vector<std::string> lines;
    std::istringstream in(picture);
    for (std::string line; std::getline(in, line);)
        lines.push_back(line);
    return lines;
}

// Columns that a terminal would use: colours take none.
std::size_t columns_of(const std::string& line) {
    std::size_t columns = 0;
    for (std::size_t i = 0; i < line.size(); ++i) {
        if (line[i] == '\x1b')
            i = line.find('m', i);
        else if ((static_cast<unsigned char>(line[i]) & 0xC0U) != 0x80U)
            ++columns;
    }
    return columns;
}

void expect_fit(const TableState& state, TableSize size, bool colour) {
    const Picture picture = render(state, size, colour);
    std::size_t rows = 0;
    for (const std::string& line : lines_of(picture.text)) {
        const bool footer = std::ranges::count(state.footer, line) > 0;
        ASSERT_TRUE(footer || columns_of(line) <= size.columns) << line;
        rows += (std::max<std::size_t>(columns_of(line), 1) + size.columns - 1) / size.columns;
    }
    ASSERT_EQ(rows, picture.rows);
    ASSERT_LT(rows, size.lines);
}

TEST(LiveTable, ShowsEveryCarWithWordAndSymbol) {
    const auto lines = lines_of(render(state_of(3), {120, 24}, false).text);
    ASSERT_EQ(lines.size(), 10U);
    EXPECT_EQ(lines[0], "idlewatt  03:01:01  a day");
    EXPECT_EQ(lines[1], "Somebody gets in.");
    EXPECT_NE(lines[2].find("1 of 3 cars ready"), std::string::npos);
    EXPECT_EQ(lines[3], "17 answered  0 moved to another car  0 failed");
    EXPECT_NE(lines[5].find("● ok"), std::string::npos) << lines[5];
    EXPECT_NE(lines[6].find("■ paused_by_owner"), std::string::npos) << lines[6];
    EXPECT_NE(lines[6].find("The owner has paused"), std::string::npos);
    EXPECT_EQ(lines.back(), "Ctrl-C ends it");
}

TEST(LiveTable, FitsEveryTerminal) {
    for (const std::size_t cars : {0U, 1U, 6U, 40U}) {
        for (std::size_t columns = 1; columns < 130; ++columns) {
            for (const std::size_t rows : {2U, 5U, 10U, 24U}) {
                for (const bool colour : {false, true})
                    expect_fit(state_of(cars), {columns, rows}, colour);
            }
        }
    }
}

TEST(LiveTable, CutsNothingThatPeopleCopy) {
    TableState state = state_of(6);
    state.footer = {std::string(200, 'x')};
    const Picture picture = render(state, {80, 24}, false);
    EXPECT_NE(picture.text.find(std::string(200, 'x') + '\n'), std::string::npos);
    EXPECT_EQ(picture.rows, 15U);
}

// A usual terminal: no sentence is cut off, and captions break between words.
TEST(LiveTable, CutsNoSentenceAtEightyColumns) {
    TableState state = state_of(0);
    state.caption =
        "07:00 The owners leave for work. Their cars stop at once; what they were saying goes on "
        "in others.";
    state.answers_checked = 99'999;
    state.answers_correct = 99'998;
    state.figures.requests_completed = 99'999;
    state.figures.requests_running = state.figures.requests_waiting = 99;
    state.figures.migrations = 999;
    state.tokens_per_second = 99'999;
    for (const core::ReasonInfo& reason : core::reason_table()) {
        wire::VehicleRow row;
        row.announcement.vehicle = core::VehicleId("car-64");
        row.announcement.state_of_charge_percent = 100.0;
        row.announcement.slots_total = 64;
        row.announcement.tokens_per_second = 99'999;
        row.reason = reason.reason;
        state.vehicles.push_back(std::move(row));
    }
    for (const std::size_t columns : {80U, 100U, 120U}) {
        const Picture picture = render(state, {columns, 200}, false);
        const auto lines = lines_of(picture.text);
        EXPECT_NE(picture.text.find(" 999 moved to another car  0 failed\n"), std::string::npos);
        EXPECT_NE(picture.text.find(" 99 wait\n"), std::string::npos) << picture.text;
        std::string caption = lines[1];
        if (columns < 110 && !lines[2].empty())
            caption += ' ' + lines[2];
        EXPECT_EQ(caption, state.caption);
        for (const core::ReasonInfo& reason : core::reason_table()) {
            EXPECT_TRUE(std::ranges::any_of(lines, [&](const std::string& line) {
                return line.ends_with(' ' + std::string(reason.sentence)) ||
                       (columns < 110 && line.ends_with(' ' + std::string(reason.name))) ||
                       (columns >= 110 && line.find(' ' + std::string(reason.name)) != line.npos);
            })) << reason.name;
        }
    }
}

TEST(LiveTable, CountsCarsThatDoNotFit) {
    const std::string picture = render(state_of(40), {80, 24}, false).text;
    const auto lines = lines_of(picture);
    EXPECT_EQ(lines.size(), 23U);
    const auto shown = std::ranges::count_if(
        lines, [](const std::string& line) { return line.starts_with(" car-"); });
    EXPECT_NE(picture.find("and " + std::to_string(40 - shown) + " more"), std::string::npos)
        << picture;
}

TEST(LiveTable, UsesColourOnlyWhenTold) {
    EXPECT_EQ(render(state_of(5), {80, 24}, false).text.find('\x1b'), std::string::npos);
    EXPECT_NE(render(state_of(5), {80, 24}, true).text.find("\x1b[32m●"), std::string::npos);
}

TEST(LiveTable, LetsNothingFromOutsideSteerTheTerminal) {
    TableState state = state_of(1);
    state.caption = "a\x1b[2Jb\nc";
    state.vehicles[0].announcement.vehicle = core::VehicleId("x\x1b]0;y");
    EXPECT_EQ(render(state, {80, 24}, false).text.find('\x1b'), std::string::npos);
}

TEST(LiveTable, IsNotForFiles) {
    EXPECT_FALSE(LiveTable::open(-1));
}

}  // namespace
}  // namespace idlewatt::cli
