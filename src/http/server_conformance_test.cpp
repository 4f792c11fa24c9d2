// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What every Server keeps, run on the real one and on its twin.
#include <vector>

#include <gtest/gtest.h>

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

    std::unique_ptr<Harness> harness_;
    std::function<void(const Request&)> act_;
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

INSTANTIATE_TEST_SUITE_P(Memory, ServerConformance, testing::Values(&make_memory_harness));
INSTANTIATE_TEST_SUITE_P(Beast, ServerConformance, testing::Values(&make_beast_harness));

}  // namespace
}  // namespace idlewatt::http
