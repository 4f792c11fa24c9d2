// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The fleet on a terminal, redrawn in place. render() is pure; LiveTable is the terminal: only for
// a stderr that is one, nothing of it ever goes elsewhere.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "core/reason.hpp"
#include "wire/fleet.hpp"

namespace idlewatt::cli {

struct TableState {
    std::string title;    // of the story
    std::string caption;  // what happens now, on lines of its own
    // Since the beginning of the story, in played time.
    std::optional<base::Duration> clock;
    std::vector<wire::VehicleRow> vehicles;  // in the order of display
    wire::GatewayFigures figures;
    double tokens_per_second = 0.0;
    std::uint64_t answers_checked = 0;  // 0: none has one right answer
    std::uint64_t answers_correct = 0;
    // Address, key, how to stop. Wrapped by the terminal and never cut: people copy them.
    std::vector<std::string> footer;
};

struct TableSize {
    std::size_t columns = 80;
    std::size_t lines = 24;
};

struct Picture {
    std::string text;      // lines that end in newlines
    std::size_t rows = 0;  // of the terminal, with wrapped lines; fewer than it has
};

// Cars that do not fit are counted. A car's sentence is shown whole, or its reason's name instead.
[[nodiscard]] Picture render(const TableState& state, TableSize size, bool colour);

inline constexpr base::Duration table_period_min = base::milliseconds(200);

// Threads: one. Destruction leaves the last picture standing and shows the cursor again.
class LiveTable {
public:
    // Nothing if the descriptor is no terminal or TERM is dumb. NO_COLOR is honoured.
    [[nodiscard]] static std::optional<LiveTable> open(int descriptor);

    LiveTable(LiveTable&& other) noexcept;
    LiveTable& operator=(LiveTable&&) = delete;
    ~LiveTable();

    // Does nothing when the last drawing is younger than table_period_min.
    void draw(const TableState& state, base::Instant now);
    // Takes the table away, so that other text can be written; the next draw starts below it.
    void clear();

private:
    LiveTable(int descriptor, bool colour) : descriptor_(descriptor), colour_(colour) {}

    int descriptor_ = -1;
    bool colour_ = false;
    std::size_t rows_drawn_ = 0;
    std::optional<base::Instant> drawn_at_;
};

}  // namespace idlewatt::cli
