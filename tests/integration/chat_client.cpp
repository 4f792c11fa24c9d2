// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "chat_client.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace idlewatt::test {

ChatAnswer::ChatAnswer(DemoProcess& demo, const Question& question) : demo_(demo) {
    http::Call call;
    call.method = "POST";
    call.url = demo.url() + "/v1/chat/completions";
    call.headers["authorization"] = "Bearer " + demo.api_key();
    call.headers["content-type"] = "application/json";
    call.body =
        "{\"messages\":[{\"role\":\"user\",\"content\":" + nlohmann::json(question.text).dump() +
        "}],\"temperature\":0,\"max_tokens\":" + std::to_string(question.max_tokens) +
        ",\"stream\":" + (question.stream ? "true" : "false") + question.more_fields + "}";
    http::CallHandler handler;
    handler.on_head = [record = record_, reader = reader_](int status,
                                                           const http::Headers& headers) {
        const auto type = headers.find("content-type");
        reader->on_status(*record, status, type == headers.end() ? "" : type->second);
    };
    handler.on_body = [record = record_, reader = reader_, &demo](std::string_view bytes) {
        reader->on_body(*record, bytes, demo.loop().now());
    };
    handler.on_end = [record = record_, reader = reader_, ended = ended_,
                      &demo](const base::Result<void>& end) {
        reader->on_end(*record, end ? std::string{} : end.error().message, demo.loop().now());
        *ended = true;
    };
    record_->asked_at = demo.loop().now();
    exchange_ = http::call(demo.loop(), std::move(call), std::move(handler));
}

bool ChatAnswer::wait_for_pieces(std::size_t count, base::Duration limit) {
    demo_.wait_for([&] { return pieces() >= count || *ended_; }, limit);
    return pieces() >= count;
}

bool ChatAnswer::wait_for_text(std::size_t bytes, base::Duration limit) {
    demo_.wait_for([&] { return record_->text.size() >= bytes || *ended_; }, limit);
    return record_->text.size() >= bytes;
}

bool ChatAnswer::wait_for_end(base::Duration limit) {
    return demo_.wait_for([&] { return *ended_; }, limit);
}

std::string undisturbed(DemoProcess& demo, const Question& question) {
    ChatAnswer answer(demo, question);
    EXPECT_TRUE(answer.wait_for_end());
    EXPECT_TRUE(answer.whole()) << answer.record().error_message;
    return answer.record().text;
}

}  // namespace idlewatt::test
