// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What a model's template will make of a chat, guessed from what it made of one like it: around the
// words of chats with the same roles and tools it puts the same words. So an answer can begin while
// the engine is still asked for its own rendering; whoever guesses must check the guess by that.
//
// Lifecycle: one for each engine process, since another model has another template. Values only, no
// I/O; the loop's thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace idlewatt::engine {

class TemplateGuesses {
public:
    static constexpr std::size_t shapes_max = 64;
    static constexpr std::size_t shape_bytes_max = 16 * 1024;
    // A template that looks into the words is left alone after so many wrong guesses in a row.
    static constexpr std::uint32_t wrong_max = 8;

    // The prompt for this body of /apply-template; nothing: none like it is known.
    [[nodiscard]] std::optional<std::string> guess(const std::string& template_json) const;
    // The body whose rendering teaches what is to be known of this one; nothing: that is known, or
    // cannot be learnt.
    [[nodiscard]] std::optional<std::string> lesson(const std::string& template_json) const;
    void learn(const std::string& template_json, const std::string& rendered_lesson);
    void was(bool right, const std::string& template_json);

private:
    struct Shape {
        std::vector<std::string> between;  // before, between and behind the messages; empty: unfit
        std::uint32_t wrong = 0;
    };

    std::map<std::string, Shape, std::less<>> shapes_;
};

}  // namespace idlewatt::engine
