// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What readers of /api/v1/events have been told, and from the next picture of the gateway what they
// are to be told next. A value without clock or I/O; bounded by the constants below.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.hpp"
#include "core/core.hpp"
#include "wire/live.hpp"

namespace idlewatt::gateway {

inline constexpr std::size_t live_cars_max = 10'000;
inline constexpr std::size_t live_rows_max = 1'000;  // of cars in one change
inline constexpr std::size_t live_answers_max = 64;
// Told in one change; of more it is only said that they ended, if they were shown.
inline constexpr std::size_t live_last_words_max = 128;
// Of an answer: what a new reader is shown.
inline constexpr std::size_t live_text_bytes_max = 400;

// The end of what an answer has said, cut between characters.
struct LiveTail {
    std::string text;
    std::uint64_t bytes = 0;  // all that was said

    void append(std::string_view more);
    // The last so many bytes or fewer, from a character's beginning.
    [[nodiscard]] std::string_view last(std::size_t bytes_max) const;
};

// The gateway at one moment. Names and texts live as long as the call that takes it.
struct LivePicture {
    struct Answer {
        std::pair<std::uint64_t, std::uint32_t> key;  // request and choice: never used again
        core::KeyId owner;
        std::string id;
        std::string_view model;
        std::optional<std::uint32_t> car;
        std::uint32_t tokens = 0;
        const LiveTail* tail = nullptr;  // null: nothing is known of its words
    };
    base::Instant now;
    base::WallTime wall;
    std::optional<base::Instant> heard_at;  // any car
    wire::LiveTotals totals;
    std::vector<std::string_view> names;  // of cars, by number; they only become more
    std::vector<wire::LiveCar> cars;      // as many
    std::uint64_t cars_left_out = 0;
    std::vector<Answer> answers;  // the newest last
    std::optional<wire::LiveNotice> notice{};
};

class LiveView {
public:
    // Before the first reader: nobody has been told anything yet.
    void begin(const LivePicture& picture);
    // With all that it has said. An answer that came and went between two pictures is told, too.
    void ended(const LivePicture::Answer& answer, std::string_view how);
    // False: there is nothing to say now.
    [[nodiscard]] bool advance(const LivePicture& picture);

    // All that was told so far, in the words of one reader: others' answers have none.
    [[nodiscard]] wire::LiveSnapshot snapshot(const std::string& gateway,
                                              const core::KeyId& reader) const;
    // What the last advance() found.
    [[nodiscard]] wire::LiveChange change(const core::KeyId& reader) const;
    [[nodiscard]] std::uint64_t sequence() const { return head_.sequence; }

private:
    struct Shown {
        core::KeyId owner;
        std::string id;
        std::string model;
        std::optional<std::uint32_t> car;
        std::uint32_t tokens = 0;
        std::uint64_t bytes = 0;
        std::string text;
        std::uint32_t seen_at = 0;  // the picture
    };
    // Its name and words are its own: the exchange is forgotten before they are told.
    struct Ended {
        LivePicture::Answer answer;
        std::string model;
        LiveTail tail;
        std::string how;
    };
    struct Owned {
        core::KeyId owner;
        wire::LiveAnswer answer;
    };
    using Key = std::pair<std::uint64_t, std::uint32_t>;

    void take_cars(const LivePicture& picture);
    void take_answers(const LivePicture& picture);
    void take_ends(const LivePicture& picture);
    void take_answer(const LivePicture::Answer& answer, const LivePicture& picture);
    void take_totals(const LivePicture& picture);
    void take_notice(const LivePicture& picture);

    wire::LiveHead head_;
    base::Instant said_at_;
    std::uint32_t pictures_ = 0;
    wire::LiveTotals totals_;
    std::vector<std::string> names_;
    std::vector<wire::LiveCar> cars_;
    std::size_t next_car_ = 0;  // to be looked at first, so that none waits for ever
    std::uint64_t cars_left_out_ = 0;
    std::map<Key, Shown> shown_;
    std::uint64_t answers_left_out_ = 0;
    std::map<Key, Ended> ends_;  // since the last picture
    std::optional<wire::LiveNotice> notice_;
    wire::LiveChange change_;  // without answers
    std::vector<Owned> changed_answers_;
};

}  // namespace idlewatt::gateway
