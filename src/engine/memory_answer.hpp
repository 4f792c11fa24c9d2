// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What the in-memory twin says to one request: a pure function of the request's bytes. A value.
//
// Its tokens are a row: first what it thinks (only where a request asks for reasoning), then the
// text (words, or JSON where a form is asked for), then calls of functions.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/resume_point.hpp"
#include "core/stream.hpp"

namespace idlewatt::engine {

class MemoryAnswer {
public:
    [[nodiscard]] static MemoryAnswer to(std::string_view request_json,
                                         core::Task task = core::Task::chat);

    // Why the request is none; empty: it is one.
    [[nodiscard]] const std::string& complaint() const { return complaint_; }
    [[nodiscard]] bool readable() const { return complaint_.empty(); }
    [[nodiscard]] std::uint32_t tokens() const { return tokens_; }
    // The request set the number of tokens, so the answer is cut and not at its own end.
    [[nodiscard]] bool cut() const { return cut_; }

    // Tokens before the text, and what they say.
    [[nodiscard]] std::uint32_t reasoning_tokens() const;
    [[nodiscard]] std::string reasoning() const;
    // Position behind the text: where the calls begin.
    [[nodiscard]] std::uint32_t text_end() const;
    // Empty if the answer is cut before their end.
    [[nodiscard]] std::vector<core::ToolCall> calls() const;

    // Valid UTF-8; empty only for reasoning and calls.
    [[nodiscard]] std::string text(std::uint32_t position) const;
    [[nodiscard]] std::int32_t id(std::uint32_t position) const;
    // An entry of OpenAI's logprobs.content for each of some tokens, as a list; empty: not asked.
    [[nodiscard]] std::string logprobs(std::uint32_t position, std::uint32_t count) const;

    // Other words to the same request.
    [[nodiscard]] MemoryAnswer astray(std::uint64_t by) const;
    // This answer if the resume point is a beginning of it, else another one.
    [[nodiscard]] MemoryAnswer resumed(const core::ResumePoint& resume) const;

private:
    [[nodiscard]] std::string word(std::uint32_t position) const;

    std::uint64_t seed_ = 0;
    std::uint32_t tokens_ = 0;
    std::uint32_t reasoning_tokens_ = 0;
    std::string complaint_;
    bool cut_ = false;
    bool calls_demanded_ = false;
    std::uint32_t top_logprobs_ = 0;
    bool logprobs_ = false;
    std::uint32_t call_tokens_ = 0;
    std::shared_ptr<const std::vector<std::string>> form_;  // JSON in tokens; null: words
    std::shared_ptr<const std::vector<core::ToolCall>> calls_;
};

}  // namespace idlewatt::engine
