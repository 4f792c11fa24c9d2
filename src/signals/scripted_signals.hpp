// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// One car's part in a script, played at some speed. What the car reports is a function of the
// script and of the time since the story began, so a restarted agent goes on where the story is.
#pragma once

#include <cstdint>
#include <memory>

#include "base/loop.hpp"
#include "signals/script.hpp"
#include "signals/signals.hpp"

namespace idlewatt::signals {

inline constexpr double play_speed_max = 100'000.0;

struct Playback {
    std::uint32_t vehicle_index = 0;
    std::uint32_t vehicle_count = 1;
    double speed = 1.0;  // played seconds in a real second
    // When the story begins or began; before that the initial values are reported. Read once, at
    // construction: a later jump of the calendar clock does not move the story.
    base::WallTime story_start;
};

// Where the story stands, for those who carry out its actions; below zero before it begins.
[[nodiscard]] base::Duration played(base::Duration real, double speed);

[[nodiscard]] std::unique_ptr<SignalSource> make_scripted_signals(base::Loop& loop,
                                                                  const Script& script,
                                                                  const Playback& playback);

}  // namespace idlewatt::signals
