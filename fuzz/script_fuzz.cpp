// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Scripts of signals: a story within its bounds and in order of time, or an error that names the
// file.
#include <algorithm>
#include <cmath>

#include "fuzz.hpp"
#include "signals/script.hpp"

namespace idlewatt::fuzz {

namespace {

void check_moment(const signals::Moment& moment) {
    require(moment.at.ns >= 0 && moment.over.ns >= 0, "time goes on");
    require(moment.vehicles.listed.size() <= signals::script_listed_max &&
                std::ranges::is_sorted(moment.vehicles.listed),
            "cars are few and sorted");
    for (const std::uint32_t vehicle : {0U, 1U, 6U}) {
        const auto at = moment.of(vehicle, 7);
        require(!at || at->ns >= moment.at.ns, "not before its moment");
    }
}

}  // namespace

bool one_input(std::string_view bytes) {
    const auto script = signals::parse_script(bytes, "a.toml");
    if (!script) {
        require(
            script.error().message.starts_with("a.toml") && script.error().message.size() < 1000,
            "a short error names the file");
        return false;
    }
    require(script->name.size() <= signals::script_text_bytes_max, "a name is bounded");
    require(script->events.size() + script->actions.size() + script->captions.size() <=
                3 * signals::script_moments_max,
            "moments are bounded");
    require(script->duration.ns > 0, "a story has a length");
    for (const auto& event : script->events) {
        check_moment(event.moment);
        for (const auto& [id, state] : event.set)
            require(std::isfinite(state.value), "a value is a number");
    }
    for (const auto& action : script->actions)
        check_moment(action.moment);
    require(std::ranges::is_sorted(script->captions, {}, &signals::Caption::at), "in order");
    return true;
}

std::vector<std::string> seeds() {
    const std::string owner =
        "name = \"a day\"\nduration_s = 86400\nrepeat = true\n\n[owner]\nconsent = true\n"
        "reserve_percent = 50\nfloor_percent = 20\npower_limit_w = 300\nreentry_delay_s = 0.5\n"
        "drain_dwell_s = 0.5\n\n[initial]\noccupied = false\nparked = true\nplugged_in = true\n"
        "state_of_charge_percent = 80\n";
    return {owner,
            owner +
                "\n[[event]]\nat_s = 0\ncaption = \"06:00 All cars stand.\"\n\n[[event]]\n"
                "at_s = 1800\nevery_s = 600\nuntil_s = 3000\nvehicles = 0.5\nover_s = 900\n"
                "set = { occupied = true, state_of_charge_percent = \"missing\" }\n",
            owner +
                "[[event]]\nat_s = 4\nvehicles = [1, 2]\naction = \"kill_agent\"\n[[event]]\n"
                "at_s = 9\nvehicles = \"all_but_one\"\nset = { locked = \"frozen\" }\n"};
}

}  // namespace idlewatt::fuzz
