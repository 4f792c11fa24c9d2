// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "engine/template_guesses.hpp"

#include "engine/engine_json.hpp"

namespace idlewatt::engine {

namespace {

// Words that no template looks for, and that stay what they are when they are trimmed.
std::string lesson_word(std::size_t number) {
    return "Qx" + std::to_string(number) + "xQ";
}

// Most templates take blanks off the ends of words.
bool may_be_trimmed(std::string_view words) {
    constexpr std::string_view blanks = " \t\r\n\v\f";
    return words.empty() || blanks.find(words.front()) != blanks.npos ||
           blanks.find(words.back()) != blanks.npos;
}

// A chat without its words, and the words.
struct Taken {
    Json chat;
    std::vector<std::string> words;
    std::string key;
    bool simple = true;  // roles and words, and nothing that a template could be told beside them
};

std::optional<Taken> take_words(const std::string& template_json) {
    Taken taken{Json::parse(template_json, nullptr, false), {}, {}};
    if (!member(taken.chat, "messages").is_array())
        return std::nullopt;
    taken.simple = taken.chat.size() == 1;
    for (Json& message : taken.chat["messages"]) {
        if (!member(message, "content").is_string())
            return std::nullopt;
        Json& content = message["content"];
        taken.words.push_back(content.get<std::string>());
        content = "";
        taken.simple = taken.simple && message.size() == 2 && member(message, "role").is_string();
    }
    taken.key = dump(taken.chat);
    if (taken.words.empty() || taken.key.size() > TemplateGuesses::shape_bytes_max)
        return std::nullopt;
    return taken;
}

// The engine takes its own mark off an end of a rendering; no words must come near to look like it.
bool hides(std::string_view around, std::string_view mark) {
    return !around.empty() && around.size() >= mark.size();
}

}  // namespace

std::optional<TemplateGuesses::Guess> TemplateGuesses::guess(
    const std::string& template_json) const {
    if (shapes_.empty())
        return std::nullopt;
    const auto taken = take_words(template_json);
    const auto shape = taken ? shapes_.find(taken->key) : shapes_.end();
    if (shape == shapes_.end() || shape->second.between.empty() ||
        shape->second.wrong >= wrong_max) {
        return std::nullopt;
    }
    Guess made{shape->second.between[0], shape->second.sure};
    for (std::size_t i = 0; i < taken->words.size(); ++i) {
        if (may_be_trimmed(taken->words[i]))
            return std::nullopt;
        made.prompt += taken->words[i];
        made.prompt += shape->second.between[i + 1];
    }
    return made;
}

std::optional<std::string> TemplateGuesses::lesson(const std::string& template_json) const {
    auto taken = take_words(template_json);
    if (!taken || shapes_.contains(taken->key))
        return std::nullopt;
    std::size_t number = 0;
    for (Json& message : taken->chat["messages"])
        message["content"] = lesson_word(number++);
    return dump(taken->chat);
}

void TemplateGuesses::learn(const std::string& template_json, const std::string& rendered_lesson) {
    const auto taken = take_words(template_json);
    if (!taken)
        return;
    if (shapes_.size() >= shapes_max)
        shapes_.clear();
    Shape& shape = shapes_[taken->key];
    shape = {};
    std::size_t begin = 0;
    for (std::size_t i = 0; i < taken->words.size(); ++i) {
        const std::string word = lesson_word(i);
        const std::size_t found = rendered_lesson.find(word, begin);
        if (found == std::string::npos ||
            rendered_lesson.find(word, found + 1) != std::string::npos) {
            shape.between.clear();
            return;
        }
        shape.between.push_back(rendered_lesson.substr(begin, found - begin));
        begin = found + word.size();
    }
    shape.between.push_back(rendered_lesson.substr(begin));
    shape.sure = plain_ && taken->simple && hides(shape.between.front(), ends_.begin) &&
                 hides(shape.between.back(), ends_.end);
}

void TemplateGuesses::was(bool right, const std::string& template_json) {
    const auto taken = take_words(template_json);
    const auto shape = taken ? shapes_.find(taken->key) : shapes_.end();
    if (shape != shapes_.end())
        shape->second.wrong = right ? 0 : shape->second.wrong + 1;
}

}  // namespace idlewatt::engine
