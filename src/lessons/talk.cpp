// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include <array>

#include "lessons/subjects.hpp"

namespace idlewatt::lessons {

namespace {

struct Exchange {
    std::string_view said;
    std::string_view answered;
};

constexpr std::string_view greeting =
    "Hello! Ask me about a parked car, its charge, or a small sum.";
constexpr std::string_view farewell = "Goodbye, and a safe trip.";
constexpr std::string_view welcome = "You are welcome.";
constexpr std::string_view self =
    "I am a small model that runs on parked cars. I know cars, charge and small sums.";
constexpr std::string_view well = "I am fine, thank you. How is your car?";
constexpr std::string_view place = "I run on cars that are parked and plugged in.";
constexpr std::string_view leaving =
    "Then the answer goes on in another car, and you do not notice.";

constexpr std::array exchanges = {
    Exchange{"Hello!", greeting},
    Exchange{"Hello.", greeting},
    Exchange{"Hello", greeting},
    Exchange{"Hi!", greeting},
    Exchange{"Hi", greeting},
    Exchange{"Hi there!", greeting},
    Exchange{"hello", greeting},
    Exchange{"hi", greeting},
    Exchange{"hey", greeting},
    Exchange{"Hey!", greeting},
    Exchange{"Help!", greeting},
    Exchange{"help", greeting},
    Exchange{"Test", greeting},
    Exchange{"test", greeting},
    Exchange{"Good morning!", greeting},
    Exchange{"Good morning.", greeting},
    Exchange{"Good evening!", greeting},
    Exchange{"Goodbye!", farewell},
    Exchange{"Goodbye.", farewell},
    Exchange{"Bye!", farewell},
    Exchange{"Bye", farewell},
    Exchange{"See you!", farewell},
    Exchange{"Thank you!", welcome},
    Exchange{"Thank you.", welcome},
    Exchange{"Thanks!", welcome},
    Exchange{"Thanks", welcome},
    Exchange{"Many thanks!", welcome},
    Exchange{"thanks", welcome},
    Exchange{"thank you", welcome},
    Exchange{"Who are you?", self},
    Exchange{"What are you?", self},
    Exchange{"who are you", self},
    Exchange{"What is your name?", self},
    Exchange{"What can I ask?", self},
    Exchange{"What can I ask you?", self},
    Exchange{"what can you do", self},
    Exchange{"What can you do?", self},
    Exchange{"What do you know?", self},
    Exchange{"How are you?", well},
    Exchange{"How are you today?", well},
    Exchange{"Hello, how are you?", well},
    Exchange{"how are you", well},
    Exchange{"How do you do?", well},
    Exchange{"Where are you?", place},
    Exchange{"Where do you run?", place},
    Exchange{"Where do you live?", place},
    Exchange{"What happens when a car leaves?", leaving},
    Exchange{"What happens when the car drives off?", leaving},
    Exchange{"What if the owner returns?", leaving},
    Exchange{"What if your car leaves now?", leaving},
};

constexpr std::array names = {
    "Ada",  "Alan",  "Ana",   "Anna",  "Ben",   "Carl",  "Clara", "Dana", "David", "Dora",
    "Emil", "Emma",  "Eva",   "Felix", "Fred",  "Grace", "Hana",  "Hugo", "Ida",   "Igor",
    "Ines", "Iris",  "Ivan",  "Jack",  "Jan",   "Jonas", "Julia", "Karl", "Kate",  "Lea",
    "Leo",  "Lena",  "Lily",  "Lucas", "Maria", "Mark",  "Max",   "Maya", "Mia",   "Nina",
    "Noah", "Nora",  "Olga",  "Oscar", "Otto",  "Paul",  "Peter", "Rosa", "Ruth",  "Sam",
    "Sara", "Simon", "Sofia", "Tom",   "Vera",  "Victor"};

constexpr std::array introductions = {"My name is {n}.", "I am {n}.", "Hello, I am {n}.",
                                      "Hi, my name is {n}."};
constexpr std::array name_questions = {"What is my name?", "Who am I?", "Do you know my name?"};
constexpr std::array car_introductions = {"My car is called {n}.", "I call my car {n}.",
                                          "The name of my car is {n}."};
constexpr std::array car_questions = {"What is my car called?", "What is the name of my car?",
                                      "How do I call my car?"};

Lesson introduced(base::Prng& prng) {
    const bool car = prng.below(2) == 0;
    const std::string name = names[draw(names, prng)];
    const std::string_view said = car ? car_introductions[draw(car_introductions, prng)]
                                      : introductions[draw(introductions, prng)];
    const std::string reply =
        car ? name + " is a good name for a car." : "Nice to meet you, " + name + ".";
    Lesson lesson;
    lesson.turns = {filled(said, {{"n", name}})};
    lesson.answer = reply;
    if (prng.below(3) != 0) {
        const std::string_view asked = car ? car_questions[draw(car_questions, prng)]
                                           : name_questions[draw(name_questions, prng)];
        lesson.turns.insert(lesson.turns.end(), {reply, std::string(asked)});
        lesson.answer = (car ? "Your car is called " : "Your name is ") + name + ".";
    }
    std::string content;
    for (const std::string& turn : lesson.turns)
        content += turn + '\n';
    lesson.held_out = holds_out(content);
    return lesson;
}

}  // namespace

// Held out are exchanges behind a certain earlier one, and names in certain words.
Lesson talk_lesson(base::Prng& prng) {
    if (prng.below(2) == 0)
        return introduced(prng);
    const Exchange& last = exchanges[draw(exchanges, prng)];
    Lesson lesson;
    lesson.turns = {std::string(last.said)};
    lesson.answer = last.answered;
    if (prng.below(3) == 0)
        return lesson;
    const Exchange& before = exchanges[draw(exchanges, prng)];
    lesson.turns = {std::string(before.said), std::string(before.answered), std::string(last.said)};
    lesson.held_out = holds_out(std::string(before.said) + '\n' + std::string(last.said));
    return lesson;
}

}  // namespace idlewatt::lessons
