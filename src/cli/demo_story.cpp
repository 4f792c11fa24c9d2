// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/demo_story.hpp"

#include <algorithm>

#include "core/signal.hpp"

namespace idlewatt::cli {

namespace {

// Somebody gets in, or nobody can say any more that nobody is in.
bool ends_work(const signals::SignalEvent& event) {
    return std::ranges::any_of(event.set, [](const auto& change) {
        const auto& [signal, state] = change;
        return signal == core::SignalId::occupied &&
               (state == signals::missing || state == signals::reported(1.0));
    });
}

}  // namespace

base::Duration in_round(const signals::Script& script, base::Duration played) {
    if (played < script.duration)
        return played;
    return script.repeat ? base::Duration{played.ns % script.duration.ns} : script.duration;
}

base::Duration clock_of(const signals::Script& script, base::Duration played) {
    constexpr std::int64_t day_ns = base::minutes(24 * 60).ns;
    return base::Duration{(script.starts_at + in_round(script, played)).ns % day_ns};
}

std::string caption_at(const signals::Script& script, base::Duration played) {
    const base::Duration round = in_round(script, played);
    std::string said;
    for (const signals::Caption& caption : script.captions) {
        if (caption.at <= round)
            said = caption.text;
    }
    return said;
}

base::Duration caption_time(const signals::Script& script, std::size_t caption) {
    base::Duration end = script.duration;
    for (const signals::Caption& other : script.captions) {
        if (other.at > script.captions[caption].at)
            end = std::min(end, other.at);
    }
    return end - script.captions[caption].at;
}

std::vector<base::Duration> departures(const signals::Script& script, std::uint32_t vehicles) {
    std::vector<base::Duration> moments;
    const auto add = [&](const signals::Moment& moment) {
        for (std::uint32_t i = 0; i < vehicles; ++i) {
            if (const auto at = moment.of(i, vehicles); at && *at < script.duration)
                moments.push_back(*at);
        }
    };
    for (const signals::SignalEvent& event : script.events) {
        if (ends_work(event))
            add(event.moment);
    }
    for (const signals::ActionEvent& event : script.actions)
        add(event.moment);
    std::ranges::sort(moments);
    return moments;
}

}  // namespace idlewatt::cli
