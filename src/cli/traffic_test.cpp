// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/traffic.hpp"

#include <atomic>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/assert.hpp"
#include "cli/fake_gateway_test.hpp"

namespace idlewatt::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string event(const std::string& id, const Json& delta, const Json& finish) {
    const Json json = {{"id", id}, {"choices", {{{"delta", delta}, {"finish_reason", finish}}}}};
    return "data: " + json.dump() + "\n\n";
}

// An honest small gateway.
void answer_well(http::Server& server, const http::Request& request) {
    static std::atomic<int> number{0};
    const std::string id = "chatcmpl-" + std::to_string(++number);
    const Json asked = Json::parse(request.body);
    if (!asked.value("stream", false)) {
        const Json body = {{"id", id},
                           {"choices",
                            {{{"message", {{"role", "assistant"}, {"content", "one two"}}},
                              {"finish_reason", "stop"}}}}};
        server.respond(request.id, {200, {{"content-type", "application/json"}}, body.dump()});
        return;
    }
    server.begin(request.id, {200, {{"content-type", "text/event-stream"}}, ""});
    server.write(request.id, event(id, {{"content", "one "}}, nullptr));
    server.write(request.id, event(id, {{"content", "two"}}, nullptr));
    server.write(request.id, event(id, Json::object(), "stop") + "data: [DONE]\n\n");
    server.end(request.id);
}

TrafficOptions options_for(FakeGateway& gateway) {
    TrafficOptions options;
    options.connection = gateway.connection();
    options.clients = 4;
    options.think_time = base::milliseconds(2);
    return options;
}

void run_until(base::AsioLoop& loop, const std::function<bool()>& condition) {
    for (int i = 0; i < 2000 && !condition(); ++i)
        loop.run_for(base::milliseconds(10));
    ASSERT_TRUE(condition());
}

TEST(Traffic, AsksAndKeepsWhatItGets) {
    FakeGateway gateway(answer_well);
    base::AsioLoop loop;
    Traffic traffic(loop, options_for(gateway));
    traffic.start();
    run_until(loop, [&] { return traffic.counts().completed >= 60; });
    bool done = false;
    traffic.stop(base::seconds(20), [&] { done = true; });
    run_until(loop, [&] { return done; });

    const TrafficCounts& counts = traffic.counts();
    EXPECT_EQ(counts.running, 0U);
    EXPECT_EQ(counts.completed, counts.asked);
    EXPECT_EQ(traffic.records().size(), counts.completed);
    std::size_t streamed = 0;
    for (const AnswerRecord& record : traffic.records()) {
        EXPECT_EQ(record.text, "one two");
        EXPECT_EQ(record.protocol_complaint, "");
        EXPECT_FALSE(record.prompt.empty());
        streamed += record.streamed ? 1 : 0;
    }
    EXPECT_GT(streamed, counts.completed / 2);
    EXPECT_LT(streamed, counts.completed);
    const http::Request asked = gateway.requests().front();
    EXPECT_EQ(asked.target, "/v1/chat/completions");
    EXPECT_EQ(asked.headers.at("authorization"), "Bearer secret");
    const Json body = Json::parse(asked.body);
    EXPECT_GE(body["max_tokens"].get<int>(), 24);
    EXPECT_EQ(body["temperature"] == 0.7, body.contains("seed"));
}

// Answers every second question right; to find out, it asks the same lessons as the traffic will.
class Pupil {
public:
    explicit Pupil(std::uint64_t seed) {
        base::Prng clients(seed);
        base::Prng prng(clients.next());  // of the first and only client
        TrafficQuestionOptions options;
        options.subject = TrafficSubject::lessons;
        for (int i = 0; i < 200; ++i) {
            lessons_.push_back(*make_traffic_question(options, prng).lesson);
            prng.unit();  // the client's thinking
        }
    }
    void operator()(http::Server& server, const http::Request& request) {
        const lessons::Lesson& lesson = lessons_.at(asked_);
        const Json body = Json::parse(request.body);
        well_asked_ = well_asked_ && body["messages"].size() == lesson.turns.size() &&
                      body["messages"].back()["content"] == lesson.turns.back() &&
                      body["temperature"] == 0 && body["max_tokens"] == lesson_answer_tokens_max;
        const std::string said = asked_++ % 2 == 0 ? lesson.answer : lesson.answer + " Or not.";
        const std::string id = "chatcmpl-" + std::to_string(asked_);
        if (body.value("stream", false)) {
            server.begin(request.id, {200, {{"content-type", "text/event-stream"}}, ""});
            server.write(request.id, event(id, {{"content", said.substr(0, 2)}}, nullptr) +
                                         event(id, {{"content", said.substr(2)}}, nullptr) +
                                         event(id, Json::object(), "stop") + "data: [DONE]\n\n");
            server.end(request.id);
            return;
        }
        const Json answer = {{"id", id},
                             {"choices",
                              {{{"message", {{"role", "assistant"}, {"content", said}}},
                                {"finish_reason", "stop"}}}}};
        server.respond(request.id, {200, {{"content-type", "application/json"}}, answer.dump()});
    }
    [[nodiscard]] bool well_asked() const { return well_asked_; }

private:
    std::vector<lessons::Lesson> lessons_;
    std::atomic<std::size_t> asked_{0};
    std::atomic<bool> well_asked_{true};
};

TEST(Traffic, ChecksAnswersToLessons) {
    Pupil pupil(1);
    FakeGateway gateway(
        [&](http::Server& server, const http::Request& request) { pupil(server, request); });
    base::AsioLoop loop;
    TrafficOptions options = options_for(gateway);
    options.clients = 1;
    options.questions.subject = TrafficSubject::lessons;
    Traffic traffic(loop, options);
    traffic.start();
    run_until(loop, [&] { return traffic.counts().completed >= 60; });
    const TrafficCounts counts = traffic.counts();
    EXPECT_TRUE(pupil.well_asked());
    EXPECT_EQ(counts.checked, counts.completed);
    EXPECT_EQ(counts.correct, (counts.checked + 1) / 2);
    ASSERT_EQ(traffic.wrong_answers().size(), counts.checked / 2);
    const WrongAnswer& wrong = traffic.wrong_answers().front();
    EXPECT_EQ(wrong.answered, wrong.right + " Or not.");
    EXPECT_EQ(wrong.question, traffic.records().at(1).prompt);
}

TEST(Traffic, ChecksNothingThatHasNoRightAnswer) {
    FakeGateway gateway(answer_well);
    base::AsioLoop loop;
    Traffic traffic(loop, options_for(gateway));
    traffic.start();
    run_until(loop, [&] { return traffic.counts().completed >= 10; });
    EXPECT_EQ(traffic.counts().checked, 0U);
    EXPECT_TRUE(traffic.wrong_answers().empty());
}

TEST(Traffic, EverybodyAsksInARush) {
    FakeGateway gateway(answer_well);
    base::AsioLoop loop;
    TrafficOptions options = options_for(gateway);
    options.clients = 1;
    options.rush_clients = 3;
    options.think_time = base::minutes(60);
    Traffic traffic(loop, options);
    traffic.start();
    // Nobody: the only client that asks at other times thinks for an hour after its first question.
    run_until(loop, [&] { return traffic.counts().completed == 1; });
    traffic.rush(base::seconds(60));
    EXPECT_EQ(traffic.counts().running, 4U);
    run_until(loop, [&] { return traffic.counts().completed >= 100; });
    bool done = false;
    traffic.stop(base::seconds(20), [&] { done = true; });
    run_until(loop, [&] { return done; });
    EXPECT_EQ(traffic.counts().completed, traffic.counts().asked);
}

TEST(Traffic, ARushEnds) {
    FakeGateway gateway(answer_well);
    base::AsioLoop loop;
    TrafficOptions options = options_for(gateway);
    options.clients = 0;
    options.rush_clients = 3;
    Traffic traffic(loop, options);
    traffic.start();
    traffic.rush(base::milliseconds(20));
    const base::Instant begun = loop.now();
    run_until(loop, [&] {
        return traffic.counts().running == 0 && loop.now() - begun > base::milliseconds(20);
    });
    const std::uint64_t asked = traffic.counts().asked;
    EXPECT_GE(asked, 3U);
    loop.run_for(base::milliseconds(50));
    EXPECT_EQ(traffic.counts().asked, asked);
}

TEST(Traffic, WaitsAfterARefusalAndRetriesNothing) {
    FakeGateway gateway([](http::Server& server, const http::Request& request) {
        server.respond(request.id, {429,
                                    {{"content-type", "application/json"}, {"retry-after", "20"}},
                                    R"({"error":{"message":"m","code":"fleet_busy"}})"});
    });
    base::AsioLoop loop;
    Traffic traffic(loop, options_for(gateway));
    traffic.start();
    run_until(loop, [&] { return traffic.counts().rejected == 4; });
    traffic.rush(base::seconds(60));
    loop.run_for(base::milliseconds(700));
    EXPECT_EQ(traffic.counts().asked, 4U);
}

TEST(Traffic, HangsUpAtTheLimit) {
    FakeGateway gateway([](http::Server& server, const http::Request& request) {
        server.begin(request.id, {200, {{"content-type", "text/event-stream"}}, ""});
        server.write(request.id, event("chatcmpl-x", {{"content", "and so on "}}, nullptr));
    });
    base::AsioLoop loop;
    TrafficOptions options = options_for(gateway);
    options.questions.streamed_share = 1.0;
    Traffic traffic(loop, options);
    traffic.start();
    run_until(loop, [&] { return traffic.counts().pieces == 4; });
    bool done = false;
    traffic.stop(base::milliseconds(50), [&] { done = true; });
    run_until(loop, [&] { return done; });
    EXPECT_EQ(traffic.counts().abandoned, 4U);
    EXPECT_EQ(traffic.records().at(0).text, "and so on ");
    run_until(loop, [&] { return gateway.gone() == 4; });
}

TEST(Traffic, CountsABrokenConnectionAsFailed) {
    FakeGateway gateway([](http::Server& server, const http::Request& request) {
        server.begin(request.id, {200, {{"content-type", "text/event-stream"}}, ""});
        server.write(request.id, event("chatcmpl-x", {{"content", "half"}}, nullptr));
        server.abort(request.id);
    });
    base::AsioLoop loop;
    Traffic traffic(loop, options_for(gateway));
    traffic.start();
    run_until(loop, [&] { return traffic.counts().failed >= 4; });
    EXPECT_NE(traffic.records().at(0).broken, "");
    EXPECT_EQ(traffic.counts().completed, 0U);
}

}  // namespace
}  // namespace idlewatt::cli
