// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "engine/template_guesses.hpp"

#include <string>

#include <gtest/gtest.h>

#include "base/prng.hpp"
#include "engine/engine_json.hpp"

namespace idlewatt::engine {
namespace {

struct Said {
    std::string role;
    std::string content;
};

std::string chat_of(const std::vector<Said>& messages) {
    Json list = Json::array();
    for (const Said& message : messages)
        list.push_back({{"role", message.role}, {"content", message.content}});
    return dump({{"messages", std::move(list)}});
}

// What a template does that only looks at roles.
std::string rendered(const std::string& template_json) {
    std::string prompt = "<s>";
    const Json chat = Json::parse(template_json);
    for (const Json& message : chat["messages"]) {
        prompt += "<|" + message["role"].get<std::string>() + "|>\n" +
                  message["content"].get<std::string>() + "</s>\n";
    }
    return prompt + "<|assistant|>\n";
}

void teach_rendering(TemplateGuesses& guesses, const std::string& chat) {
    const auto lesson = guesses.lesson(chat);
    ASSERT_TRUE(lesson);
    guesses.learn(chat, rendered(*lesson));
}

TEST(TemplateGuesses, WhatItKnowsItGuessesAsTheTemplateRendersIt) {
    TemplateGuesses guesses;
    base::Prng prng(3);
    const std::vector<std::string> words = {"a", "user", "Qx0xQ", "<|user|>\n.", "\"\\\n.", "där"};
    const std::vector<std::string> roles = {"system", "user", "assistant"};
    std::size_t guessed = 0;
    for (int i = 0; i < 500; ++i) {
        std::vector<Said> messages;
        for (std::uint64_t n = 0; n <= prng.below(3); ++n)
            messages.push_back({roles[prng.below(3)], words[prng.below(words.size())]});
        const std::string chat = chat_of(messages);
        if (const auto guess = guesses.guess(chat)) {
            EXPECT_EQ(guess->prompt, rendered(chat));
            EXPECT_FALSE(guess->sure) << "its template is not known";
            EXPECT_FALSE(guesses.lesson(chat)) << "it is known";
            ++guessed;
        } else {
            teach_rendering(guesses, chat);
        }
    }
    EXPECT_GT(guessed, 400U);
}

TEST(TemplateGuesses, AnotherShapeIsAnotherGuess) {
    TemplateGuesses guesses;
    const std::string one = chat_of({{"user", "Hello"}});
    EXPECT_FALSE(guesses.guess(one));
    teach_rendering(guesses, one);
    EXPECT_TRUE(guesses.guess(one));
    EXPECT_FALSE(guesses.guess(chat_of({{"system", "Hello"}})));
    EXPECT_FALSE(guesses.guess(chat_of({{"user", "Hello"}, {"user", "Hello"}})));
    Json with_tools = Json::parse(one);
    with_tools["tools"] = Json::array({{{"type", "function"}}});
    EXPECT_FALSE(guesses.guess(dump(with_tools)));
}

TEST(TemplateGuesses, WhatCannotBeLearntIsAskedOnce) {
    TemplateGuesses guesses;
    const std::string chat = chat_of({{"system", "Be short."}, {"user", "Hello"}});
    for (const char* rendering : {"no words at all", "Qx1xQ Qx0xQ", "Qx0xQ Qx1xQ Qx1xQ", ""}) {
        guesses.learn(chat, rendering);
        EXPECT_FALSE(guesses.guess(chat)) << rendering;
        EXPECT_FALSE(guesses.lesson(chat)) << rendering;
    }
    for (const char* strange : {"", "[]", "{", R"({"messages":[]})", R"({"messages":[{}]})",
                                R"({"messages":[{"content":[{"type":"text","text":"a"}]}]})"}) {
        EXPECT_FALSE(guesses.lesson(strange)) << strange;
        EXPECT_FALSE(guesses.guess(strange)) << strange;
    }
}

TEST(TemplateGuesses, ATemplateThatLooksIntoTheWordsIsGivenUp) {
    TemplateGuesses guesses;
    const std::string chat = chat_of({{"user", "Hello"}});
    teach_rendering(guesses, chat);
    for (std::uint32_t i = 0; i < TemplateGuesses::wrong_max; ++i) {
        EXPECT_TRUE(guesses.guess(chat));
        guesses.was(false, chat);
    }
    EXPECT_FALSE(guesses.guess(chat));
    EXPECT_FALSE(guesses.lesson(chat));
}

TEST(TemplateGuesses, OneRightGuessIsEnoughToGoOn) {
    TemplateGuesses guesses;
    const std::string chat = chat_of({{"user", "Hello"}});
    teach_rendering(guesses, chat);
    for (std::uint32_t i = 0; i < 3 * TemplateGuesses::wrong_max; ++i)
        guesses.was(i % 4 == 0, chat);
    EXPECT_TRUE(guesses.guess(chat));
    for (const char* trimmed : {"Hello\n", " Hello", ""})
        EXPECT_FALSE(guesses.guess(chat_of({{"user", trimmed}}))) << trimmed;
}

TEST(TemplateGuesses, OnlyAPlainTemplateMakesThemSure) {
    const std::string plain =
        "<s>{% for message in messages %}{{ '<|' + message.role + '|>\n' + message.content + "
        "'</s>\n' }}{% endfor %}<|assistant|>\n";
    const std::string chat = chat_of({{"user", "Hello"}});
    const auto is_sure = [](TemplateGuesses guesses, const std::string& of) {
        teach_rendering(guesses, of);
        const auto guess = guesses.guess(of);
        return guess && guess->prompt == rendered(of) && guess->sure;
    };
    EXPECT_TRUE(is_sure({plain, {"<s>", "</s>"}}, chat));
    EXPECT_FALSE(is_sure({plain + "{{ message.content[0] }}", {"<s>", "</s>"}}, chat));
    // Words could complete the mark that the engine takes off.
    EXPECT_FALSE(is_sure({plain, {"<s><|user|>\nHel", "</s>"}}, chat));
    Json more = Json::parse(chat);
    more["chat_template_kwargs"] = {{"a", 1}};
    EXPECT_FALSE(is_sure({plain, {}}, dump(more)));
    more = Json::parse(chat);
    more["messages"][0]["name"] = "Anna";
    EXPECT_FALSE(is_sure({plain, {}}, dump(more)));
}

TEST(TemplateGuesses, ItsMemoryIsBounded) {
    TemplateGuesses guesses;
    EXPECT_FALSE(guesses.lesson(
        chat_of({{std::string(TemplateGuesses::shape_bytes_max, 'r'), "a role as long as that"}})));
    for (std::size_t i = 0; i < 3 * TemplateGuesses::shapes_max; ++i) {
        const std::string chat = chat_of({{"role " + std::to_string(i), "Hello"}});
        teach_rendering(guesses, chat);
        EXPECT_TRUE(guesses.guess(chat));
    }
}

}  // namespace
}  // namespace idlewatt::engine
