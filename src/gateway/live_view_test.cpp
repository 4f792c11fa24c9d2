// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "gateway/live_view.hpp"

#include <algorithm>
#include <deque>
#include <map>

#include <gtest/gtest.h>

#include "base/prng.hpp"

namespace idlewatt::gateway {

namespace {

const core::KeyId anna("key-anna");
const core::KeyId ben("key-ben");

// A gateway that is played, and a reader that keeps what it is told.
class LiveViewTest : public ::testing::Test {
protected:
    LivePicture picture() {
        LivePicture picture;
        picture.now = now;
        picture.totals.figures.tokens_delivered = tokens;
        for (std::size_t i = 0; i < cars.size(); ++i) {
            picture.names.emplace_back(names[i]);
            picture.cars.push_back(cars[i]);
        }
        for (auto& [key, answer] : answers) {
            answer.key = key;
            answer.tail = &tails[key];
            picture.answers.push_back(answer);
        }
        return picture;
    }
    void add_car() {
        names.push_back("car-" + std::to_string(names.size()));
        cars.push_back({core::Reason::ok, 80, 0, 0});
    }
    std::pair<std::uint64_t, std::uint32_t> ask(const core::KeyId& owner,
                                                std::optional<std::uint32_t> car) {
        const std::pair<std::uint64_t, std::uint32_t> key{++asked, 0};
        LivePicture::Answer& answer = answers[key];
        answer.owner = owner;
        answer.id = "chatcmpl-" + std::to_string(asked);
        answer.model = "m";
        answer.car = car;
        return key;
    }
    void say(std::pair<std::uint64_t, std::uint32_t> key, std::string_view words) {
        tails[key].append(words);
        answers[key].tokens += 1;
    }
    void end(std::pair<std::uint64_t, std::uint32_t> key, std::string_view how) {
        LivePicture::Answer& answer = answers[key];
        answer.key = key;
        answer.tail = &tails[key];
        view.ended(answer, how);
        answers.erase(key);
    }
    bool advance() {
        now = now + base::milliseconds(200);
        return view.advance(picture());
    }

    base::Instant now{};
    std::uint64_t tokens = 0;
    std::uint64_t asked = 0;
    std::deque<std::string> names;
    std::vector<wire::LiveCar> cars;
    std::map<std::pair<std::uint64_t, std::uint32_t>, LivePicture::Answer> answers;
    std::map<std::pair<std::uint64_t, std::uint32_t>, LiveTail> tails;
    LiveView view;
};

TEST_F(LiveViewTest, AChangeHoldsOnlyWhatIsAnother) {
    add_car();
    add_car();
    view.begin(picture());
    EXPECT_EQ(view.snapshot("g", anna).vehicle_ids.size(), 2U);
    EXPECT_FALSE(advance()) << "nothing is new";
    cars[1].charge_percent = 81;
    ASSERT_TRUE(advance());
    const wire::LiveChange change = view.change(anna);
    ASSERT_EQ(change.vehicles.size(), 1U);
    EXPECT_EQ(change.vehicles[0].first, 1U);
    EXPECT_TRUE(change.work.empty());
    EXPECT_FALSE(change.totals.has_value());
}

TEST_F(LiveViewTest, SomethingIsSaidOnceASecondSoThatSilenceMeansSomething) {
    view.begin(picture());
    int said = 0;
    for (int i = 0; i < 50; ++i)
        said += advance() ? 1 : 0;
    EXPECT_GE(said, 9);
    EXPECT_LE(said, 12);
}

TEST_F(LiveViewTest, AnAnswerThatMovesSaysWhyItLeft) {
    add_car();
    add_car();
    const auto key = ask(anna, 0);
    view.begin(picture());
    cars[0].reason = core::Reason::occupied;
    answers[key].car.reset();
    ASSERT_TRUE(advance());
    auto change = view.change(anna);
    ASSERT_EQ(change.answers.size(), 1U);
    EXPECT_TRUE(change.answers[0].placed);
    EXPECT_FALSE(change.answers[0].vehicle.has_value());
    EXPECT_EQ(change.answers[0].why, core::Reason::occupied);
    answers[key].car = 1;
    ASSERT_TRUE(advance());
    change = view.change(anna);
    ASSERT_EQ(change.answers.size(), 1U);
    EXPECT_EQ(change.answers[0].vehicle, 1U);
    EXPECT_FALSE(change.answers[0].tokens.has_value());
}

TEST_F(LiveViewTest, WordsAreForTheirOwnKeyOnly) {
    add_car();
    const auto key = ask(anna, 0);
    say(key, "Parked");
    view.begin(picture());
    EXPECT_EQ(view.snapshot("g", anna).answers[0].text, "Parked");
    EXPECT_FALSE(view.snapshot("g", ben).answers[0].text.has_value());
    EXPECT_EQ(view.snapshot("g", ben).answers[0].tokens, 1U);
    say(key, " cars");
    ASSERT_TRUE(advance());
    EXPECT_EQ(view.change(anna).answers[0].text_added, " cars");
    EXPECT_FALSE(view.change(ben).answers[0].text_added.has_value());
    EXPECT_FALSE(view.change(ben).answers[0].text.has_value());
    EXPECT_EQ(view.change(ben).answers[0].tokens, 2U);
}

TEST_F(LiveViewTest, HowAnAnswerEndedIsSaid) {
    add_car();
    const auto first = ask(anna, 0);
    const auto second = ask(anna, 0);
    view.begin(picture());
    end(first, "failed");
    answers.erase(second);
    ASSERT_TRUE(advance());
    const auto ended = view.change(anna).answers_ended;
    ASSERT_EQ(ended.size(), 2U);
    EXPECT_EQ(ended[0].how, "failed");
    EXPECT_EQ(ended[1].how, "completed");
    EXPECT_TRUE(view.snapshot("g", anna).answers.empty());
}

TEST_F(LiveViewTest, LastWordsAreSaidBeforeTheEnd) {
    add_car();
    const auto long_one = ask(anna, 0);
    say(long_one, "54 percent is below the reserve");
    view.begin(picture());
    say(long_one, " of 65 percent.");
    end(long_one, "completed");
    const auto short_one = ask(anna, 0);
    say(short_one, "Hello!");
    end(short_one, "completed");
    ASSERT_TRUE(advance());
    const wire::LiveChange change = view.change(anna);
    ASSERT_EQ(change.answers.size(), 2U);
    EXPECT_EQ(change.answers[0].text_added, " of 65 percent.");
    EXPECT_EQ(change.answers[1].text, "Hello!");
    EXPECT_EQ(change.answers[1].vehicle, 0U);
    EXPECT_EQ(change.answers_ended.size(), 2U);
    EXPECT_FALSE(view.change(ben).answers[1].text.has_value());
    EXPECT_TRUE(view.snapshot("g", anna).answers.empty());
}

TEST_F(LiveViewTest, ARushOfShortAnswersIsToldInPart) {
    add_car();
    view.begin(picture());
    for (std::size_t i = 0; i < 3 * live_last_words_max; ++i)
        end(ask(anna, 0), "completed");
    ASSERT_TRUE(advance());
    EXPECT_EQ(view.change(anna).answers.size(), live_last_words_max);
    EXPECT_EQ(view.change(anna).answers_ended.size(), live_last_words_max);
}

TEST_F(LiveViewTest, ManyCarsAndAnswersAreToldInBoundedParts) {
    for (std::size_t i = 0; i < 3 * live_rows_max; ++i)
        add_car();
    for (std::size_t i = 0; i < 3 * live_answers_max; ++i)
        ask(anna, 0);
    view.begin(picture());
    EXPECT_EQ(view.snapshot("g", anna).vehicles.size(), 3 * live_rows_max);
    EXPECT_EQ(view.snapshot("g", anna).answers.size(), live_answers_max);
    EXPECT_EQ(view.snapshot("g", anna).answers_left_out, 2 * live_answers_max);
    // All change all the time: none waits for ever.
    std::vector<int> told(cars.size());
    for (int i = 0; i < 9; ++i) {
        for (wire::LiveCar& car : cars)
            car.charge_percent = *car.charge_percent == 80 ? 81 : 80;
        ASSERT_TRUE(advance());
        EXPECT_LE(view.change(anna).vehicles.size(), live_rows_max);
        for (const auto& [number, car] : view.change(anna).vehicles)
            ++told[number];
    }
    EXPECT_EQ(std::ranges::count(told, 0), 0);
}

// Whatever happens: who applies the changes has what a new reader is told.
TEST_F(LiveViewTest, ChangesLeadToTheSnapshot) {
    base::Prng prng(7);
    view.begin(picture());
    std::vector<wire::LiveCar> known;
    std::vector<std::string> ids;
    std::map<std::string, std::string> texts;
    std::uint64_t sequence = view.sequence();
    for (int step = 0; step < 2000; ++step) {
        if (cars.size() < 30 && prng.below(10) == 0)
            add_car();
        for (wire::LiveCar& car : cars) {
            if (prng.below(20) == 0)
                car = {prng.below(9) == 0 ? std::nullopt : std::optional(core::Reason::occupied),
                       static_cast<std::uint32_t>(prng.below(100)),
                       static_cast<std::uint32_t>(prng.below(3)),
                       static_cast<std::uint32_t>(prng.below(3))};
        }
        if (!cars.empty() && prng.below(4) == 0 && answers.size() < live_answers_max)
            ask(anna, static_cast<std::uint32_t>(prng.below(cars.size())));
        for (auto& [key, answer] : answers) {
            if (prng.below(3) == 0)
                say(key, prng.below(50) == 0 ? std::string(3000, 'x') : "wörter ");
        }
        if (!answers.empty() && prng.below(6) == 0)
            end(answers.begin()->first, "completed");
        if (!advance())
            continue;
        const wire::LiveChange change = view.change(anna);
        ASSERT_EQ(change.head.sequence, ++sequence);
        for (const std::string& id : change.vehicle_ids) {
            ids.push_back(id);
            known.emplace_back();
        }
        for (const auto& [number, car] : change.vehicles) {
            known[number].reason = car.reason;
            known[number].charge_percent = car.charge_percent;
        }
        for (const auto& [number, car] : change.work) {
            known[number].tokens_per_second = car.tokens_per_second;
            known[number].active_requests = car.active_requests;
        }
        for (const wire::LiveAnswer& answer : change.answers) {
            if (answer.text)
                texts[answer.id] = *answer.text;
            if (answer.text_added)
                texts[answer.id] += *answer.text_added;
        }
        for (const wire::LiveEnd& end : change.answers_ended)
            texts.erase(end.id);
        const wire::LiveSnapshot snapshot = view.snapshot("g", anna);
        ASSERT_EQ(snapshot.vehicle_ids, ids);
        for (std::size_t i = 0; i < known.size(); ++i)
            ASSERT_TRUE(known[i].is_like(snapshot.vehicles[i]) &&
                        known[i].works_like(snapshot.vehicles[i]));
        ASSERT_EQ(snapshot.answers.size(), texts.size());
        for (const wire::LiveAnswer& answer : snapshot.answers)
            ASSERT_TRUE(texts[answer.id].ends_with(*answer.text)) << answer.id;
    }
}

TEST(LiveTail, IsCutBetweenCharacters) {
    LiveTail tail;
    for (int i = 0; i < 5000; ++i)
        tail.append("ä");
    EXPECT_EQ(tail.bytes, 10'000U);
    EXPECT_LE(tail.text.size(), 4 * live_text_bytes_max);
    EXPECT_EQ(tail.last(7).size(), 6U);
}

}  // namespace

}  // namespace idlewatt::gateway
