// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What a model's template will make of a chat, guessed from what it made of one like it: around the
// words of chats with the same roles and tools it puts the same words. So an answer can begin while
// the engine is still asked for its own rendering; whoever guesses must check the guess by that,
// but for a plain template, whose guesses are sure (see plain_template.hpp).
//
// Lifecycle: one for each engine process, since another model has another template. Values only, no
// I/O; the loop's thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/plain_template.hpp"

namespace idlewatt::engine {

class TemplateGuesses {
public:
    static constexpr std::size_t shapes_max = 64;
    static constexpr std::size_t shape_bytes_max = 16 * 1024;
    // A template that looks into the words is left alone after so many wrong guesses in a row.
    static constexpr std::uint32_t wrong_max = 8;

    // What else the engine puts before or takes off a rendering, whatever the template.
    struct Ends {
        std::string begin;
        std::string end;
    };
    TemplateGuesses() = default;
    TemplateGuesses(std::string_view chat_template, Ends ends)
        : plain_(is_plain_template(chat_template)), ends_(std::move(ends)) {}

    struct Guess {
        std::string prompt;
        bool sure = false;  // nothing is left to check
    };
    // The prompt for this body of /apply-template; nothing: none like it is known.
    [[nodiscard]] std::optional<Guess> guess(const std::string& template_json) const;
    // The body whose rendering teaches what is to be known of this one; nothing: that is known, or
    // cannot be learnt.
    [[nodiscard]] std::optional<std::string> lesson(const std::string& template_json) const;
    void learn(const std::string& template_json, const std::string& rendered_lesson);
    void was(bool right, const std::string& template_json);

private:
    struct Shape {
        std::vector<std::string> between;  // before, between and behind the messages; empty: unfit
        std::uint32_t wrong = 0;
        bool sure = false;
    };

    bool plain_ = false;
    Ends ends_;
    std::map<std::string, Shape, std::less<>> shapes_;
};

}  // namespace idlewatt::engine
