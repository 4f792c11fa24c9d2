// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Clients that ask a gateway one question after the other, as strangers would: by HTTP alone,
// parsing what comes, retrying nothing. What each of them got is kept for judges.
//
// Lifecycle: construct, start(), stop(). Destruction hangs up at once. Threads: the loop's.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/asio_loop.hpp"
#include "base/time.hpp"
#include "cli/answer_record.hpp"
#include "cli/connection.hpp"

namespace idlewatt::cli {

struct TrafficOptions {
    Connection connection;
    std::uint32_t clients = 4;
    std::uint64_t seed = 1;
    double streamed_share = 0.85;  // of the questions; the others wait for the whole answer
    double sampled_share = 0.5;    // with temperature 0.7 and a seed; the others with 0
    std::uint32_t max_tokens_min = 24;
    std::uint32_t max_tokens_max = 160;
    // Between an answer and the client's next question, up to twice this.
    base::Duration think_time = base::milliseconds(150);
};

// Answers kept; older ones are forgotten, their counts are not.
inline constexpr std::size_t answer_records_max = 20'000;
// After an answer that never came to be, a client waits this long (or as Retry-After says).
inline constexpr base::Duration traffic_pause_after_failure = base::milliseconds(500);

struct TrafficCounts {
    std::uint64_t asked = 0;
    std::uint64_t completed = 0;
    std::uint64_t failed = 0;
    std::uint64_t failed_no_capacity = 0;
    std::uint64_t rejected = 0;
    std::uint64_t abandoned = 0;  // by stop()
    std::uint64_t running = 0;
    std::uint64_t pieces = 0;  // of text, received
};

class Traffic {
public:
    Traffic(base::AsioLoop& loop, TrafficOptions options);
    ~Traffic();

    Traffic(const Traffic&) = delete;
    Traffic& operator=(const Traffic&) = delete;

    void start();
    // Asks nothing more. Running answers may end until the limit, then their clients hang up;
    // done is called once.
    void stop(base::Duration limit, std::function<void()> done);

    // In the order in which the answers ended.
    [[nodiscard]] const std::vector<AnswerRecord>& records() const;
    [[nodiscard]] const TrafficCounts& counts() const;

private:
    struct Implementation;
    std::shared_ptr<Implementation> impl_;
};

}  // namespace idlewatt::cli
