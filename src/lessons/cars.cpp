// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include <algorithm>
#include <array>

#include "core/reason.hpp"
#include "lessons/subjects.hpp"

namespace idlewatt::lessons {

namespace {

constexpr int reserve_step_percent = 5;
constexpr std::array batteries_kwh = {40, 50, 60, 80, 100};

// How a car stands, beside its charge.
enum class Standing { idle, unplugged, occupied, driving };

struct StandingWords {
    Standing standing;
    std::string_view words;
};

constexpr std::array standings = {
    StandingWords{Standing::idle, "parked, plugged in and empty"},
    StandingWords{Standing::idle, "empty, parked and plugged in"},
    StandingWords{Standing::idle, "parked and charging with nobody inside"},
    StandingWords{Standing::idle, "at its charger, parked and empty"},
    StandingWords{Standing::unplugged, "parked and empty, but not plugged in"},
    StandingWords{Standing::unplugged, "parked and unplugged with nobody inside"},
    StandingWords{Standing::occupied, "parked and plugged in, and somebody is inside"},
    StandingWords{Standing::occupied, "parked and plugged in, and the owner sits in it"},
    StandingWords{Standing::driving, "on the road"},
    StandingWords{Standing::driving, "driving"}};

constexpr std::array ready_questions = {
    "My car is {s}. The charge is {c} percent and the reserve is {r} percent. May it work?",
    "A car is {s}. Charge: {c} percent, reserve: {r} percent. Is it ready?",
    "The car is {s}, at {c} percent with a reserve of {r} percent. Can it compute now?",
    "May a car work that is {s}, with {c} percent of charge and a reserve of {r} percent?"};

constexpr std::array spare_questions = {
    "How much charge may be used at {c} percent with a reserve of {r} percent?",
    "The charge is {c} percent and the reserve is {r} percent. How much is to spare?",
    "My car has {c} percent and keeps {r} percent. How much can it spare?",
    "With {c} percent of charge and a reserve of {r} percent, what is left to use?"};

constexpr std::array energy_questions = {
    "How much energy is in a battery of {k} kWh at {c} percent?",
    "How many kWh are in a {k} kWh battery at {c} percent?",
    "My battery has {k} kWh and is at {c} percent. How much energy is that?",
    "A {k} kWh battery is {c} percent full. How many kWh does it hold?",
    "What does a battery of {k} kWh hold at {c} percent?"};

// Half of them near the reserve, where it matters.
int draw_charge(int reserve, base::Prng& prng) {
    if (prng.below(2) == 0)
        return draw(1, 100, prng);
    return std::clamp(reserve + draw(-6, 6, prng), 1, 100);
}

std::string percent(int value) {
    return std::to_string(value) + " percent";
}

std::string content(int charge, int reserve) {
    return "charge " + std::to_string(charge) + " reserve " + std::to_string(reserve);
}

std::string below(int charge, int reserve) {
    return percent(charge) + " is below the reserve of " + percent(reserve) + ".";
}

std::string verdict(Standing standing, int charge, int reserve) {
    switch (standing) {
        case Standing::unplugged:
            return "No. " + std::string(info(core::Reason::not_plugged_in).sentence);
        case Standing::occupied:
            return "No. " + std::string(info(core::Reason::occupied).sentence);
        case Standing::driving:
            return "No. " + std::string(info(core::Reason::driving).sentence);
        case Standing::idle:
            break;
    }
    if (charge < reserve)
        return "No. " + below(charge, reserve);
    return "Yes. " + percent(charge) + " is not below the reserve of " + percent(reserve) + ".";
}

Lesson energy_lesson(base::Prng& prng) {
    const int battery = batteries_kwh[draw(batteries_kwh, prng)];
    const int tenths = draw(1, 10, prng);
    Lesson lesson;
    lesson.turns = {filled(energy_questions[draw(energy_questions, prng)],
                           {{"k", std::to_string(battery)}, {"c", std::to_string(10 * tenths)}})};
    lesson.answer = percent(10 * tenths) + " of " + std::to_string(battery) + " kWh is " +
                    std::to_string(battery * tenths / 10) + " kWh.";
    lesson.held_out = holds_out(lesson.turns.front());
    return lesson;
}

}  // namespace

Lesson ready_lesson(base::Prng& prng) {
    const int reserve = reserve_step_percent * draw(2, 18, prng);
    const int charge = draw_charge(reserve, prng);
    // As often idle as not, so that the charge decides often.
    const StandingWords& how =
        prng.below(2) == 0 ? standings[prng.below(4)] : standings[draw(standings, prng)];
    const std::string_view pattern = ready_questions[draw(ready_questions, prng)];
    Lesson lesson;
    lesson.turns = {filled(pattern, {{"s", std::string(how.words)},
                                     {"c", std::to_string(charge)},
                                     {"r", std::to_string(reserve)}})};
    lesson.answer = verdict(how.standing, charge, reserve);
    lesson.held_out = holds_out(content(charge, reserve));
    return lesson;
}

Lesson charge_lesson(base::Prng& prng) {
    if (prng.below(3) == 0)
        return energy_lesson(prng);
    const int reserve = reserve_step_percent * draw(2, 18, prng);
    const int charge = draw_charge(reserve, prng);
    Lesson lesson;
    lesson.turns = {filled(spare_questions[draw(spare_questions, prng)],
                           {{"c", std::to_string(charge)}, {"r", std::to_string(reserve)}})};
    if (charge < reserve) {
        lesson.answer = "Nothing: " + below(charge, reserve);
    } else {
        lesson.answer =
            worked_out(charge, '-', reserve) + ", so " + percent(charge - reserve) + ".";
    }
    lesson.held_out = holds_out(content(charge, reserve));
    return lesson;
}

}  // namespace idlewatt::lessons
