// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Clients that ask a gateway one question after the other, as strangers would: by HTTP alone,
// parsing what comes, retrying nothing. What each of them got is kept for judges, and answers to
// lessons are judged at once: right is what is equal to the one right answer.
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
#include "cli/traffic_questions.hpp"

namespace idlewatt::cli {

struct TrafficOptions {
    Connection connection;
    TrafficQuestionOptions questions;
    std::uint32_t clients = 4;
    std::uint32_t rush_clients = 0;  // who ask only in a rush
    std::uint64_t seed = 1;
    // Between an answer and the client's next question, up to twice this; none in a rush.
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
    std::uint64_t pieces = 0;   // of text, received
    std::uint64_t checked = 0;  // whole answers to lessons
    std::uint64_t correct = 0;  // of these
};

inline constexpr std::size_t wrong_answers_max = 100;

class Traffic {
public:
    Traffic(base::AsioLoop& loop, TrafficOptions options);
    ~Traffic();

    Traffic(const Traffic&) = delete;
    Traffic& operator=(const Traffic&) = delete;

    void start();
    // Everybody asks at once, and again without thinking, for so long. A later end wins.
    void rush(base::Duration length);
    // Asks nothing more. Running answers may end until the limit, then their clients hang up;
    // done is called once.
    void stop(base::Duration limit, std::function<void()> done);

    // In the order in which the answers ended.
    [[nodiscard]] const std::vector<AnswerRecord>& records() const;
    [[nodiscard]] const TrafficCounts& counts() const;
    // The first wrong_answers_max.
    [[nodiscard]] const std::vector<WrongAnswer>& wrong_answers() const;

private:
    struct Implementation;
    std::shared_ptr<Implementation> impl_;
};

}  // namespace idlewatt::cli
