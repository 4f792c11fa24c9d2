// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "scheduler/rate_limit.hpp"

#include <algorithm>
#include <cmath>

namespace idlewatt::scheduler {

namespace {

constexpr double minute_s = 60.0;
// What flowed back in many small steps may miss a whole token by a hair.
constexpr double bucket_rounding = 1e-6;
// A full debt is paid back and the bucket full again after two minutes.
constexpr base::Duration idle_max = base::minutes(2);
constexpr int keys_swept_at_once = 2;
constexpr int looked_at_max = 64;

}  // namespace

// A changed limit changes the level by as much: what was spent stays spent.
void RateLimiter::Bucket::flow(std::uint32_t limit, double seconds) {
    level += limit - capacity;
    capacity = limit;
    level = std::min(capacity, level + capacity * seconds / minute_s);
    level = std::max(level, -capacity);
}

Quota RateLimiter::Bucket::quota() const {
    return {static_cast<std::uint32_t>(capacity),
            static_cast<std::uint32_t>(std::floor(std::max(level, 0.0) + bucket_rounding)),
            base::from_seconds((capacity - level) / capacity * minute_s)};
}

std::uint32_t RateLimiter::Bucket::seconds_until(double wanted) const {
    const double seconds = (wanted - level) / capacity * minute_s;
    return static_cast<std::uint32_t>(std::max(1.0, std::ceil(seconds - bucket_rounding)));
}

RateLimiter::Key& RateLimiter::find(const core::KeyId& id, const core::KeyLimits& limits,
                                    base::Instant now) {
    Key* key = keys_.use(id);
    if (key == nullptr) {
        make_room(now);
        key = &keys_.add(id, Key{.requests = {}, .tokens = {}, .at_once = 0, .flowed_at = now});
    }
    const double seconds = std::max(0.0, (now - key->flowed_at).seconds());
    key->requests.flow(limits.requests_per_minute, seconds);
    key->tokens.flow(limits.tokens_per_minute, seconds);
    key->flowed_at = std::max(key->flowed_at, now);
    return *key;
}

RateAnswer RateLimiter::ask(const core::KeyId& id, const core::KeyLimits& limits,
                            std::uint64_t tokens_reserved, base::Instant now) {
    Key& key = find(id, limits, now);
    const auto tokens = static_cast<double>(tokens_reserved);
    RateAnswer answer;
    const auto refuse = [&](RateVerdict verdict, std::uint32_t retry_after_s) {
        if (answer.verdict == RateVerdict::admitted)
            answer.verdict = verdict;
        answer.retry_after_s = std::max(answer.retry_after_s.value_or(1), retry_after_s);
    };
    if (limits.requests_per_minute > 0 && key.requests.level < 1.0 - bucket_rounding)
        refuse(RateVerdict::requests, key.requests.seconds_until(1.0));
    if (limits.tokens_per_minute > 0 && key.tokens.level < tokens - bucket_rounding)
        refuse(RateVerdict::tokens, key.tokens.seconds_until(tokens));
    if (limits.requests_at_once > 0 && key.at_once >= limits.requests_at_once)
        refuse(RateVerdict::at_once, retry_after_at_once_s);
    if (limits.tokens_per_minute > 0 && tokens_reserved > limits.tokens_per_minute) {
        answer.verdict = RateVerdict::too_large;
        answer.retry_after_s.reset();
    }
    if (answer.verdict == RateVerdict::admitted) {
        ++key.at_once;
        if (limits.requests_per_minute > 0)
            key.requests.level -= 1.0;
        if (limits.tokens_per_minute > 0)
            key.tokens.level -= tokens;
    }
    if (limits.requests_per_minute > 0)
        answer.requests = key.requests.quota();
    if (limits.tokens_per_minute > 0)
        answer.tokens = key.tokens.quota();
    return answer;
}

void RateLimiter::ended(const core::KeyId& id, std::uint64_t tokens_reserved,
                        std::uint64_t tokens_used, base::Instant now) {
    Key* key = keys_.use(id);
    // Forgotten for want of room; what it had spent went with it.
    if (key == nullptr)
        return;
    if (key->at_once > 0)
        --key->at_once;
    const double seconds = std::max(0.0, (now - key->flowed_at).seconds());
    for (Bucket* bucket : {&key->requests, &key->tokens})
        bucket->flow(static_cast<std::uint32_t>(bucket->capacity), seconds);
    key->flowed_at = std::max(key->flowed_at, now);
    if (key->tokens.capacity > 0) {
        key->tokens.level += static_cast<double>(tokens_reserved);
        key->tokens.level -= static_cast<double>(tokens_used);
        key->tokens.flow(static_cast<std::uint32_t>(key->tokens.capacity), 0.0);
    }
}

void RateLimiter::make_room(base::Instant now) {
    for (int i = 0; i < keys_swept_at_once; ++i) {
        const auto* oldest = keys_.oldest();
        if (oldest == nullptr || oldest->second.at_once > 0 ||
            now - oldest->second.flowed_at <= idle_max)
            break;
        keys_.erase(core::KeyId(oldest->first));
    }
    if (keys_.size() < keys_limited_max)
        return;
    // One that has nothing open is missed least.
    core::KeyId least = keys_.oldest()->first;
    int looked_at = 0;
    for (const auto& [id, key] : keys_) {
        if (key.at_once == 0) {
            least = id;
            break;
        }
        if (++looked_at == looked_at_max)
            break;
    }
    keys_.erase(least);
}

}  // namespace idlewatt::scheduler
