// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Who follows /api/v1/events, and what each is sent: a snapshot, then changes a few times a second.
// Costs nothing while nobody follows. Plain data with effects as its only way out.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/event.hpp"
#include "gateway/live_view.hpp"

namespace idlewatt::gateway {

inline constexpr std::size_t live_readers_max = 32;
inline constexpr base::Duration live_period = base::milliseconds(200);
// A reader that has taken so much less than it was given is broken off; it comes back for a
// snapshot when it can.
inline constexpr std::uint64_t live_backlog_bytes_max = 1024 * 1024;

class LiveDesk {
public:
    [[nodiscard]] bool watched() const { return !readers_.empty(); }
    [[nodiscard]] bool full() const { return readers_.size() >= live_readers_max; }
    [[nodiscard]] bool due(base::Instant now) const {
        return watched() && now - told_at_ >= live_period;
    }

    // life: of the gateway's, another with each start. The response has its headers.
    void join(http::RequestId request, const core::KeyId& key, http::Response response,
              const std::string& gateway, std::string_view life, const LivePicture& picture,
              Effects& effects);
    void leave(http::RequestId request) { readers_.erase(request); }
    void written(http::RequestId request, std::uint64_t bytes);
    // With all that it has said.
    void ended(const LivePicture::Answer& answer, int status);
    void tell(const LivePicture& picture, Effects& effects);
    // Of a key that does not hold any more.
    template <class Holds>
    void dismiss_unless(Holds holds, Effects& effects) {
        std::erase_if(readers_, [&](const auto& entry) {
            if (holds(entry.second.key))
                return false;
            effects.emplace_back(EndResponse{entry.first});
            return true;
        });
    }

private:
    struct Reader {
        core::KeyId key;
        std::uint64_t given = 0;
        std::uint64_t written = 0;
    };

    std::map<http::RequestId, Reader> readers_;
    LiveView view_;
    std::string life_;
    base::Instant told_at_;
};

}  // namespace idlewatt::gateway
