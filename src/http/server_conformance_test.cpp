// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What every Server keeps, run on the real one and on its twin.
#include <vector>

#include <gtest/gtest.h>

#include "http/file_answer.hpp"
#include "http/file_test.hpp"
#include "http/server_harness_test.hpp"

namespace idlewatt::http {
namespace {

class ServerConformance : public testing::TestWithParam<MakeHarness> {
protected:
    void SetUp() override {
        harness_ = GetParam()();
        Handler handler;
        handler.on_request = [this](Request request) {
            requests_.push_back(request);
            if (act_) {
                act_(request);
            }
        };
        handler.on_gone = [this](RequestId id) { gone_.push_back(id); };
        handler.on_written = [this](RequestId id, std::uint64_t bytes) {
            EXPECT_GT(bytes, written_[id]);
            written_[id] = bytes;
        };
        handler.body_bytes_allowed = [this](const Request& head) {
            EXPECT_TRUE(head.body.empty());
            return head.target.starts_with("/upload") ? upload_bytes_max : 0;
        };
        handler.on_body = [this](RequestId id, std::string part) {
            EXPECT_FALSE(part.empty());
            outstanding_ += part.size();
            uploaded_[id] += part;
        };
        handler.on_body_end = [this](RequestId id) { whole_.push_back(id); };
        harness_->server().set_handler(std::move(handler));
    }

    Server& server() { return harness_->server(); }

    void run_until(const std::function<bool()>& condition) {
        ASSERT_TRUE(harness_->run_until(condition));
    }

    // Lets everything that is under way arrive, by a request that is answered afterwards.
    void settle() {
        const auto kept =
            std::exchange(act_, [this](const Request& r) { server().respond(r.id, {}); });
        const auto probe = harness_->send("GET", "/settle", {}, "");
        run_until([&] { return probe->ended; });
        act_ = kept;
    }

    static constexpr std::uint64_t upload_bytes_max = 40 * 1024 * 1024;

    std::unique_ptr<Harness> harness_;
    std::function<void(const Request&)> act_;
    std::size_t outstanding_ = 0;
    std::map<RequestId, std::string> uploaded_;
    std::vector<RequestId> whole_;
    std::vector<Request> requests_;
    std::vector<RequestId> gone_;
    std::map<RequestId, std::uint64_t> written_;
};

TEST_P(ServerConformance, CarriesARequestAndAWholeAnswer) {
    act_ = [this](const Request& r) {
        server().respond(r.id, {201, {{"content-type", "text/x"}, {"retry-after", "7"}}, "there"});
    };
    const auto call = harness_->send("POST", "/a/b?c=%20d", {{"x-one", "1"}}, "here");
    run_until([&] { return call->ended; });
    ASSERT_EQ(requests_.size(), 1U);
    EXPECT_EQ(requests_[0].method, "POST");
    EXPECT_EQ(requests_[0].target, "/a/b?c=%20d");
    EXPECT_EQ(requests_[0].headers["x-one"], "1");
    EXPECT_EQ(requests_[0].body, "here");
    EXPECT_TRUE(call->complete);
    EXPECT_EQ(call->status, 201);
    EXPECT_EQ(call->headers["content-type"], "text/x");
    EXPECT_EQ(call->headers["retry-after"], "7");
    EXPECT_EQ(call->body, "there");
    settle();
    EXPECT_TRUE(gone_.empty());
    EXPECT_TRUE(written_.empty());
}

TEST_P(ServerConformance, StreamsInOrderAndCountsWhatIsWritten) {
    const auto call = harness_->send("GET", "/", {}, "");
    run_until([&] { return !requests_.empty(); });
    const RequestId id = requests_[0].id;
    server().begin(id, {200, {{"content-type", "text/event-stream"}}, "first "});
    std::string expected = "first ";
    std::uint64_t given = expected.size();
    for (int i = 0; i < 200; ++i) {
        const std::string part = "part " + std::to_string(i) + std::string(i * 7 % 100, '.');
        expected += part;
        given += part.size();
        server().write(id, part);
        if (i % 50 == 0) {
            run_until([&] { return written_[id] == given && call->body == expected; });
        }
    }
    server().write(id, "");
    EXPECT_FALSE(call->ended);
    server().end(id);
    run_until([&] { return call->ended && written_[id] == given; });
    EXPECT_TRUE(call->complete);
    EXPECT_EQ(call->body, expected);
    settle();
    EXPECT_TRUE(gone_.empty());
}

TEST_P(ServerConformance, TheHeadArrivesBeforeTheFirstPart) {
    const auto call = harness_->send("GET", "/", {}, "");
    run_until([&] { return !requests_.empty(); });
    server().begin(requests_[0].id, {202, {}, ""});
    run_until([&] { return call->status == 202; });
    EXPECT_EQ(call->body, "");
    server().end(requests_[0].id);
    run_until([&] { return call->ended; });
    EXPECT_TRUE(call->complete);
}

TEST_P(ServerConformance, AStreamThatSaysItsLengthKeepsToIt) {
    act_ = [this](const Request& r) {
        server().begin(r.id, {206, {{"content-length", "10"}}, "01"});
        server().write(r.id, "2345");
        if (r.target != "/short")
            server().write(r.id, "6789 and more");
        server().end(r.id);
    };
    const auto whole = harness_->send("GET", "/", {}, "");
    const auto head = harness_->send("HEAD", "/", {}, "");
    const auto broken = harness_->send("GET", "/short", {}, "");
    run_until([&] { return whole->ended && head->ended && broken->ended; });
    EXPECT_TRUE(whole->complete);
    EXPECT_EQ(whole->body, "0123456789");
    EXPECT_EQ(whole->headers["content-length"], "10");
    EXPECT_EQ(whole->headers.count("transfer-encoding"), 0U);
    EXPECT_TRUE(head->complete);
    EXPECT_EQ(head->headers["content-length"], "10");
    EXPECT_EQ(head->body, "");
    EXPECT_FALSE(broken->complete);
    settle();
}

TEST_P(ServerConformance, AnAbortIsSeenAsBroken) {
    for (const bool begun : {false, true}) {
        requests_.clear();
        const auto call = harness_->send("GET", "/", {}, "");
        run_until([&] { return !requests_.empty(); });
        const RequestId id = requests_[0].id;
        if (begun) {
            server().begin(id, {200, {}, "some"});
            run_until([&] { return call->body == "some"; });
        }
        server().abort(id);
        run_until([&] { return call->ended; });
        EXPECT_FALSE(call->complete);
    }
    settle();
    EXPECT_TRUE(gone_.empty());
}

TEST_P(ServerConformance, WhatWasWrittenBeforeAnAbortArrives) {
    const auto call = harness_->send("GET", "/", {}, "");
    run_until([&] { return !requests_.empty(); });
    const RequestId id = requests_[0].id;
    server().begin(id, {200, {}, "one "});
    server().write(id, "two");
    server().abort(id);
    run_until([&] { return call->ended; });
    EXPECT_FALSE(call->complete);
    EXPECT_EQ(call->body, "one two");
}

TEST_P(ServerConformance, AHangUpIsNoticedWhileWaitingAndWhileStreaming) {
    for (const bool begun : {false, true}) {
        requests_.clear();
        gone_.clear();
        const auto call = harness_->send("POST", "/", {}, "body");
        run_until([&] { return !requests_.empty(); });
        const RequestId id = requests_[0].id;
        if (begun) {
            server().begin(id, {200, {}, "some"});
            run_until([&] { return call->body == "some"; });
        }
        harness_->hang_up(*call);
        run_until([&] { return !gone_.empty(); });
        EXPECT_EQ(gone_, std::vector<RequestId>{id});
        EXPECT_FALSE(call->ended);
        // Nothing may be done for it any more, and nothing breaks.
        server().begin(id, {});
        server().write(id, "late");
        server().end(id);
        server().abort(id);
        server().respond(id, {});
        settle();
        EXPECT_EQ(gone_.size(), 1U);
    }
}

TEST_P(ServerConformance, CallsForStrangeOrFinishedIdsHaveNoEffect) {
    act_ = [this](const Request& r) {
        server().respond(r.id, {200, {}, "yes"});
        server().respond(r.id, {500, {}, "no"});
        server().begin(r.id, {500, {}, "no"});
        server().write(r.id, "no");
        server().end(r.id);
        server().abort(r.id);
        server().write(RequestId{123456789}, "no");
        server().abort(RequestId{123456789});
    };
    const auto call = harness_->send("GET", "/", {}, "");
    run_until([&] { return call->ended; });
    EXPECT_TRUE(call->complete);
    EXPECT_EQ(call->status, 200);
    EXPECT_EQ(call->body, "yes");
}

TEST_P(ServerConformance, ManyAtOnceStayApart) {
    std::vector<std::shared_ptr<Seen>> calls;
    for (int i = 0; i < 100; ++i) {
        calls.push_back(harness_->send("POST", "/", {}, "body " + std::to_string(i)));
    }
    run_until([&] { return requests_.size() == calls.size(); });
    for (std::size_t i = requests_.size(); i-- > 0;) {
        server().begin(requests_[i].id, {200, {}, requests_[i].body});
        server().write(requests_[i].id, "!");
        server().end(requests_[i].id);
    }
    for (std::size_t i = 0; i < calls.size(); ++i) {
        run_until([&] { return calls[i]->ended; });
        EXPECT_TRUE(calls[i]->complete);
        EXPECT_EQ(calls[i]->body, "body " + std::to_string(i) + "!");
    }
}

TEST_P(ServerConformance, HeadIsAnsweredWithoutABody) {
    act_ = [this](const Request& r) {
        if (r.target == "/whole") {
            server().respond(r.id, {200, {{"x-it", "is"}}, "body"});
            return;
        }
        server().begin(r.id, {200, {{"x-it", "is"}}, "body"});
        server().write(r.id, "more");
        server().end(r.id);
    };
    for (const char* target : {"/whole", "/parts"}) {
        const auto call = harness_->send("HEAD", target, {}, "");
        run_until([&] { return call->ended; });
        EXPECT_TRUE(call->complete);
        EXPECT_EQ(call->headers["x-it"], "is");
        EXPECT_EQ(call->body, "");
    }
    run_until([&] { return written_[requests_[1].id] == 8; });
}

TEST_P(ServerConformance, LimitsAreAnsweredByTheServer) {
    act_ = [this](const Request& r) { server().respond(r.id, {200, {}, "taken"}); };
    const auto status_of = [&](const std::string& target, const Headers& headers,
                               std::size_t body_bytes) {
        const auto call = harness_->send("POST", target, headers, std::string(body_bytes, 'x'));
        EXPECT_TRUE(harness_->run_until([&] { return call->ended; }));
        EXPECT_TRUE(call->complete) << target.size() << " " << body_bytes;
        return call->status;
    };
    EXPECT_EQ(status_of("/", {}, body_bytes_max), 200);
    EXPECT_EQ(status_of("/", {}, body_bytes_max + 1), 413);
    EXPECT_EQ(status_of("/" + std::string(target_bytes_max - 1, 'a'), {}, 1), 200);
    EXPECT_EQ(status_of("/" + std::string(target_bytes_max, 'a'), {}, 1), 414);
    EXPECT_EQ(status_of("/", {{"x-large", std::string(header_bytes_max - 1000, 'a')}}, 1), 200);
    EXPECT_EQ(status_of("/", {{"x-large", std::string(header_bytes_max, 'a')}}, 1), 431);
    EXPECT_EQ(requests_.size(), 3U);
}

TEST_P(ServerConformance, DestructionBreaksAnswersOffWithoutACallback) {
    const auto waiting = harness_->send("GET", "/", {}, "");
    const auto streaming = harness_->send("GET", "/", {}, "");
    run_until([&] { return requests_.size() == 2; });
    server().begin(requests_[1].id, {200, {}, "some"});
    server().write(requests_[1].id, "more");
    written_.clear();
    harness_->destroy_server();
    run_until([&] { return waiting->ended && streaming->ended; });
    EXPECT_FALSE(waiting->complete);
    EXPECT_FALSE(streaming->complete);
    EXPECT_TRUE(gone_.empty());
    EXPECT_TRUE(written_.empty());
}

TEST_P(ServerConformance, AHandlerMayDestroyTheServer) {
    const auto call = harness_->send("GET", "/", {}, "");
    std::string captured = "still here";
    act_ = [this, captured](const Request& r) {
        server().begin(r.id, {200, {}, "some"});
        harness_->destroy_server();
        EXPECT_EQ(captured, "still here");
    };
    run_until([&] { return call->ended; });
    EXPECT_FALSE(call->complete);
}

// Larger than a gathered body may be.
std::string long_text() {
    std::string text;
    for (std::uint64_t i = 0; text.size() < body_bytes_max + 3'000'000; ++i) {
        text += std::to_string(i * 2654435761U) + "\n";
    }
    return text;
}

TEST_P(ServerConformance, AClaimedBodyComesInPartsAndWaitsForItsConsumer) {
    const std::string body = long_text();
    const auto call = harness_->send("PUT", "/upload", {}, body);
    run_until([&] { return outstanding_ == body_window_bytes; });
    ASSERT_EQ(requests_.size(), 1U);
    EXPECT_TRUE(requests_[0].body_follows);
    EXPECT_EQ(requests_[0].body, "");
    EXPECT_EQ(requests_[0].headers["content-length"], std::to_string(body.size()));
    settle();
    EXPECT_EQ(outstanding_, body_window_bytes);
    const RequestId id = requests_[0].id;
    while (whole_.empty()) {
        const std::size_t count = std::min<std::size_t>(outstanding_, 300'000);
        outstanding_ -= count;
        server().consume_body(id, count);
        const std::size_t before = uploaded_[id].size();
        run_until([&] { return uploaded_[id].size() > before || !whole_.empty(); });
        ASSERT_LE(outstanding_, body_window_bytes);
    }
    EXPECT_TRUE(uploaded_[id] == body);
    EXPECT_FALSE(call->ended);
    server().respond(id, {201, {}, "kept"});
    run_until([&] { return call->ended; });
    EXPECT_TRUE(call->complete);
    EXPECT_EQ(call->status, 201);
    settle();
    EXPECT_TRUE(gone_.empty());
    EXPECT_EQ(whole_, std::vector<RequestId>{id});
}

TEST_P(ServerConformance, AnAnswerEndsAClaimedBody) {
    act_ = [this](const Request& r) { server().respond(r.id, {401, {}, "who are you"}); };
    const auto call = harness_->send("PUT", "/upload", {}, std::string(5'000'000, 'x'));
    run_until([&] { return call->ended; });
    EXPECT_EQ(call->status, 401);
    EXPECT_EQ(call->body, "who are you");
    settle();
    EXPECT_TRUE(uploaded_.empty());
    EXPECT_TRUE(whole_.empty());
    EXPECT_TRUE(gone_.empty());
}

TEST_P(ServerConformance, AClaimedBodyMayBeNoLargerThanAllowed) {
    const auto call = harness_->send("PUT", "/upload", {}, std::string(upload_bytes_max + 1, 'x'));
    run_until([&] { return call->ended; });
    EXPECT_EQ(call->status, 413);
    EXPECT_NE(call->body.find(R"("param":"file","code":"request_too_large")"), std::string::npos)
        << call->body;
    EXPECT_TRUE(requests_.empty());
}

TEST_P(ServerConformance, ARequestWithoutABodyIsNeverClaimed) {
    act_ = [this](const Request& r) { server().respond(r.id, {200, {}, "empty"}); };
    const auto call = harness_->send("PUT", "/upload", {}, "");
    run_until([&] { return call->ended; });
    ASSERT_EQ(requests_.size(), 1U);
    EXPECT_FALSE(requests_[0].body_follows);
}

// What is on its way comes first: until it is read TCP does not tell of the end behind it.
TEST_P(ServerConformance, AHangUpDuringAClaimedBodyIsNoticed) {
    const auto call = harness_->send("PUT", "/upload", {}, std::string(upload_bytes_max, 'x'));
    run_until([&] { return outstanding_ == body_window_bytes; });
    const RequestId id = requests_[0].id;
    harness_->hang_up(*call);
    run_until([&] {
        server().consume_body(id, std::exchange(outstanding_, 0));
        return !gone_.empty();
    });
    EXPECT_EQ(gone_, std::vector<RequestId>{id});
    server().consume_body(id, body_window_bytes);
    settle();
    EXPECT_EQ(gone_.size(), 1U);
    EXPECT_TRUE(whole_.empty());
}

TEST_P(ServerConformance, FilesGoOutInWholeAndInPart) {
    const TestFile file(long_text());
    const auto served = ServedFile::open(file.path());
    ASSERT_TRUE(served);
    act_ = [&](const Request& r) {
        answer_with_file(server(), r, *served, "abc", {{"content-type", "text/x"}});
    };
    const auto get = [&](const std::string& method, const Headers& headers) {
        const auto call = harness_->send(method, "/file", headers, "");
        EXPECT_TRUE(harness_->run_until([&] { return call->ended; }));
        EXPECT_TRUE(call->complete);
        EXPECT_EQ(call->headers["etag"], "\"abc\"");
        return call;
    };
    const std::string& text = file.text();
    const auto whole = get("GET", {});
    EXPECT_EQ(whole->status, 200);
    EXPECT_EQ(whole->headers["content-type"], "text/x");
    EXPECT_EQ(whole->headers["content-length"], std::to_string(text.size()));
    EXPECT_TRUE(whole->body == text);
    const auto part = get("GET", {{"range", "bytes=1000000-1999999"}});
    EXPECT_EQ(part->status, 206);
    EXPECT_EQ(part->headers["content-range"],
              "bytes 1000000-1999999/" + std::to_string(text.size()));
    EXPECT_TRUE(part->body == text.substr(1'000'000, 1'000'000));
    const auto head = get("HEAD", {{"range", "bytes=5-"}});
    EXPECT_EQ(head->status, 206);
    EXPECT_EQ(head->headers["content-length"], std::to_string(text.size() - 5));
    EXPECT_EQ(head->body, "");
    EXPECT_EQ(get("GET", {{"range", "bytes=99999999-"}})->status, 416);
    EXPECT_EQ(get("GET", {{"range", "bytes=5-"}, {"if-range", "\"old\""}})->status, 200);
    EXPECT_EQ(get("GET", {{"if-none-match", "\"abc\""}})->status, 304);
    settle();
    EXPECT_TRUE(gone_.empty());
    EXPECT_TRUE(written_.empty());
}

TEST_P(ServerConformance, AFileThatHasBecomeShorterBreaksTheAnswerOff) {
    const TestFile file(long_text());
    const auto served = ServedFile::open(file.path());
    ASSERT_TRUE(served);
    file.shorten(1'000'000);
    act_ = [&](const Request& r) {
        server().respond_file(r.id, {}, {*served, 0, (*served)->bytes()});
    };
    const auto call = harness_->send("GET", "/file", {}, "");
    run_until([&] { return call->ended; });
    EXPECT_FALSE(call->complete);
    EXPECT_LE(call->body.size(), 1'000'000U);
}

TEST_P(ServerConformance, ARefusalIsTheApisErrorObject) {
    const auto one = harness_->send("POST", "/", {}, std::string(body_bytes_max + 1, 'x'));
    const auto two = harness_->send("GET", "/" + std::string(target_bytes_max, 'a'), {}, "");
    run_until([&] { return one->ended && two->ended; });
    EXPECT_EQ(one->headers["content-type"], "application/json");
    EXPECT_TRUE(one->body.starts_with("{\"error\":{\"message\":\"The request body is larger"));
    EXPECT_TRUE(
        one->body.ends_with(",\"type\":\"invalid_request_error\",\"param\":null,"
                            "\"code\":\"request_too_large\"}}"))
        << one->body;
    EXPECT_TRUE(two->body.ends_with("\"param\":null,\"code\":null}}")) << two->body;
    EXPECT_TRUE(one->headers["x-request-id"].starts_with("req_"));
    EXPECT_EQ(one->headers["x-request-id"].size(), 28U);
    EXPECT_NE(one->headers["x-request-id"], two->headers["x-request-id"]);
}

INSTANTIATE_TEST_SUITE_P(Memory, ServerConformance, testing::Values(&make_memory_harness));
INSTANTIATE_TEST_SUITE_P(Beast, ServerConformance, testing::Values(&make_beast_harness));
INSTANTIATE_TEST_SUITE_P(Tls, ServerConformance, testing::Values(&make_tls_harness));

}  // namespace
}  // namespace idlewatt::http
