// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A client of the chat API for tests: one streamed question, watched while it comes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "cli/answer_record.hpp"
#include "demo_process.hpp"
#include "http/client.hpp"

namespace idlewatt::test {

struct Question {
    std::string text = "Where is my car?";
    std::uint32_t max_tokens = 96;
    bool stream = true;
    std::string more_fields;  // of the request, as ,"seed":1
};

class ChatAnswer {
public:
    ChatAnswer(DemoProcess& demo, const Question& question);

    [[nodiscard]] const cli::AnswerRecord& record() const { return *record_; }
    [[nodiscard]] std::size_t pieces() const { return record_->piece_times.size(); }
    [[nodiscard]] bool ended() const { return *ended_; }
    [[nodiscard]] bool whole() const { return record_->done_seen && record_->broken.empty(); }

    // True if it got so far; false if it ended before or the time was over.
    bool wait_for_pieces(std::size_t count, base::Duration limit = base::seconds(30));
    bool wait_for_text(std::size_t bytes, base::Duration limit = base::seconds(30));
    bool wait_for_end(base::Duration limit = base::seconds(60));
    void hang_up() { exchange_.reset(); }

private:
    DemoProcess& demo_;
    std::shared_ptr<cli::AnswerRecord> record_ = std::make_shared<cli::AnswerRecord>();
    std::shared_ptr<cli::AnswerReader> reader_ = std::make_shared<cli::AnswerReader>();
    std::shared_ptr<bool> ended_ = std::make_shared<bool>(false);
    std::unique_ptr<http::Exchange> exchange_;
};

// The text of an answer that nothing disturbs; a test fails where it is not whole.
[[nodiscard]] std::string undisturbed(DemoProcess& demo, const Question& question);

}  // namespace idlewatt::test
