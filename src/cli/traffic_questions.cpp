// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/traffic_questions.hpp"

#include <array>

#include <nlohmann/json.hpp>

namespace idlewatt::cli {

namespace {

constexpr std::array openings = {"Tell me about",         "Write a short note on",
                                 "What would you say to", "Describe in a few words",
                                 "List some thoughts on", "Compose four lines about",
                                 "Explain to a child",    "Give me a story about"};
constexpr std::array subjects = {"the sea at night",      "a car that waits", "electric light",
                                 "a garden in the rain",  "the last train",   "bread and salt",
                                 "a letter from home",    "the oldest tree",  "mountains in June",
                                 "a battery that dreams", "small machines",   "the price of wind"};

std::string note_prompt(base::Prng& prng) {
    std::string prompt = openings[prng.below(openings.size())];
    prompt += ' ';
    prompt += subjects[prng.below(subjects.size())];
    if (prng.chance(0.3)) {
        prompt += " and ";
        prompt += subjects[prng.below(subjects.size())];
    }
    return prompt + ". (" + std::to_string(prng.below(100'000)) + ")";
}

void ask_for_note(const TrafficQuestionOptions& options, base::Prng& prng,
                  TrafficQuestion& question, nlohmann::ordered_json& body) {
    question.prompt = note_prompt(prng);
    const std::uint32_t span = options.max_tokens_max - options.max_tokens_min + 1;
    body["messages"] = {{{"role", "user"}, {"content", question.prompt}}};
    body["max_tokens"] = options.max_tokens_min + prng.below(span);
    body["temperature"] = 0;
    if (prng.chance(options.sampled_share)) {
        body["temperature"] = 0.7;
        body["seed"] = prng.below(1'000'000);
    }
}

void ask_lesson(base::Prng& prng, TrafficQuestion& question, nlohmann::ordered_json& body) {
    const auto kinds = lessons::kinds();
    question.lesson = lessons::make_lesson(kinds[prng.below(kinds.size())], true, prng);
    const std::vector<std::string>& turns = question.lesson->turns;
    question.prompt = turns.back();
    body["messages"] = nlohmann::ordered_json::array();
    for (std::size_t i = 0; i < turns.size(); ++i)
        body["messages"].push_back(
            {{"role", i % 2 == 0 ? "user" : "assistant"}, {"content", turns[i]}});
    body["max_tokens"] = lesson_answer_tokens_max;
    body["temperature"] = 0;
}

}  // namespace

TrafficQuestion make_traffic_question(const TrafficQuestionOptions& options, base::Prng& prng) {
    TrafficQuestion question;
    nlohmann::ordered_json body;
    if (options.subject == TrafficSubject::lessons) {
        ask_lesson(prng, question, body);
    } else {
        ask_for_note(options, prng, question, body);
    }
    question.streamed = prng.chance(options.streamed_share);
    if (question.streamed) {
        body["stream"] = true;
        if (prng.chance(0.5))
            body["stream_options"] = {{"include_usage", true}};
    }
    question.body = body.dump();
    return question;
}

}  // namespace idlewatt::cli
