// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// How much a key may ask for: requests and tokens a minute, requests at once. Token buckets: a
// minute's worth may come in one burst and flows back evenly. One gateway's view; with g gateways
// a key may reach g times its limit until allowance slices bound it.
//
// Tokens are reserved when a request comes (its prompt and the most it may generate) and what was
// not used is given back at its end.
//
// A value; time must not run backwards. Remembers at most keys_limited_max keys; one that has been
// idle for two minutes is like one that was never seen.
#pragma once

#include <cstdint>
#include <optional>

#include "base/time.hpp"
#include "core/api_key.hpp"
#include "scheduler/recently_used.hpp"

namespace idlewatt::scheduler {

inline constexpr std::size_t keys_limited_max = core::keys_max;

// For the headers x-ratelimit-{limit,remaining,reset}-*.
struct Quota {
    std::uint32_t limit = 0;
    std::uint32_t remaining = 0;
    base::Duration reset{};  // until remaining is limit again, if nothing else is asked
    friend bool operator==(const Quota&, const Quota&) = default;
};

enum class RateVerdict {
    admitted,
    requests,   // too many a minute
    tokens,     // too many a minute
    at_once,    // too many at once
    too_large,  // more tokens than a whole minute's: never, so do not say when
};

struct RateAnswer {
    RateVerdict verdict = RateVerdict::admitted;
    std::optional<Quota> requests;  // absent: no limit, no header
    std::optional<Quota> tokens;
    // Of a refusal, at least 1; absent for too_large.
    std::optional<std::uint32_t> retry_after_s;
};

class RateLimiter {
public:
    // Counts the request and reserves its tokens if it is admitted, nothing otherwise.
    [[nodiscard]] RateAnswer ask(const core::KeyId& key, const core::KeyLimits& limits,
                                 std::uint64_t tokens_reserved, base::Instant now);
    // Once for each admitted request, with what ask() was given. More used than reserved is owed:
    // the key waits longer for its next request.
    void ended(const core::KeyId& key, std::uint64_t tokens_reserved, std::uint64_t tokens_used,
               base::Instant now);

    [[nodiscard]] std::size_t size() const { return keys_.size(); }

private:
    // Filled at the rate of capacity a minute.
    struct Bucket {
        double capacity = 0.0;
        double level = 0.0;
        void flow(std::uint32_t limit, double seconds);
        [[nodiscard]] Quota quota() const;
        [[nodiscard]] std::uint32_t seconds_until(double wanted) const;
    };
    struct Key {
        Bucket requests;
        Bucket tokens;
        std::uint32_t at_once = 0;
        base::Instant flowed_at;
    };
    Key& find(const core::KeyId& key, const core::KeyLimits& limits, base::Instant now);
    void make_room(base::Instant now);

    RecentlyUsed<core::KeyId, Key> keys_;
};
// Of a refusal for requests at once: nobody knows when one ends.
inline constexpr std::uint32_t retry_after_at_once_s = 1;

}  // namespace idlewatt::scheduler
