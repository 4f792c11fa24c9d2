// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What is held back comes in pieces that a message can hold, or is refused: shown with the words of
// an engine that says more than a real one would in a test.
#include "engine/llama_stream.hpp"

#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "engine/engine_json.hpp"
#include "engine/llama_server_fixture_test.hpp"

namespace idlewatt::engine {
namespace {

// Answers requests with these bodies, one after the other.
class ScriptedServer {
public:
    explicit ScriptedServer(std::vector<std::string> bodies) {
        listen();
        thread_ = std::thread([listener = listener_, bodies = std::move(bodies)] {
            for (const std::string& body : bodies)
                answer_next(listener, {"HTTP/1.0 200 OK\r\n\r\n" + body}, -1);
        });
    }
    // Answers one request with these parts, one after the other, and keeps the connection until
    // this end of a pipe is closed.
    ScriptedServer(std::vector<std::string> parts, int closing) {
        listen();
        thread_ = std::thread([listener = listener_, closing, parts = std::move(parts)] {
            answer_next(listener, parts, closing);
        });
    }
    ~ScriptedServer() {
        ::shutdown(listener_, SHUT_RDWR);
        thread_.join();
        ::close(listener_);
        std::filesystem::remove_all(folder_);
    }
    ScriptedServer(const ScriptedServer&) = delete;
    ScriptedServer& operator=(const ScriptedServer&) = delete;

    [[nodiscard]] std::string path() const { return folder_ + "/engine.sock"; }

private:
    void listen() {
        char folder[] = "/tmp/idlewatt-stream-XXXXXX";
        folder_ = ::mkdtemp(folder);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path().copy(address.sun_path, sizeof address.sun_path - 1);
        listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
        EXPECT_EQ(::listen(listener_, 4), 0);
    }

    static void answer_next(int listener, const std::vector<std::string>& parts, int closing) {
        const int client = ::accept(listener, nullptr, nullptr);
        if (client < 0)
            return;  // the test is over
        char request[16 * 1024];
        (void)::recv(client, request, sizeof request, 0);
        for (const std::string& part : parts)
            send_all(client, part);
        if (closing >= 0) {
            [[maybe_unused]] const ssize_t closed = ::read(closing, request, sizeof request);
        }
        ::close(client);
    }

    static void send_all(int client, const std::string& answer) {
        for (std::size_t sent = 0; sent < answer.size();) {
            const auto more =
                ::send(client, answer.data() + sent, answer.size() - sent, MSG_NOSIGNAL);
            if (more <= 0)
                break;  // the stream has ended it
            sent += static_cast<std::size_t>(more);
        }
    }

    std::string folder_;
    int listener_ = -1;
    std::thread thread_;
};

// Until its end, and every piece fits a message.
void answer_with(Answer& answer, std::vector<std::string> bodies, const std::string& request,
                 core::Task task, core::ResumePoint resume = {}, bool gathers = false) {
    const ScriptedServer server(std::move(bodies));
    base::AsioLoop loop;
    const auto stream =
        make_llama_stream({loop, server.path(), nullptr, {}, false, gathers},
                          {request, std::move(resume), "scripted", task}, answer.handler(), [] {});
    stream->begin();
    const base::Instant limit = loop.now() + base::seconds(30);
    while (!answer.end && loop.now() < limit)
        loop.run_for(base::milliseconds(5));
    ASSERT_TRUE(answer.end);
    for (const core::Piece& piece : answer.pieces) {
        std::size_t bytes = piece.text.size() + piece.reasoning.size() + piece.logprobs_json.size();
        for (const core::ToolCall& call : piece.tool_calls)
            bytes += call.name.size() + call.arguments_json.size();
        EXPECT_LE(bytes, core::message_part_bytes_max);
    }
}

std::size_t logprobs_in(const Answer& answer) {
    std::size_t entries = 0;
    for (const core::Piece& piece : answer.pieces) {
        if (piece.logprobs_json.empty())
            continue;
        const Json list = Json::parse(piece.logprobs_json, nullptr, false);
        EXPECT_TRUE(list.is_array());
        entries += list.size();
    }
    return entries;
}

std::string event(const Json& json) {
    return "data: " + dump(json) + "\n\n";
}

// A token with five others beside it.
Json logprob_entry() {
    Json entry = {{"token", " token"}, {"logprob", -0.5}, {"bytes", {32, 116, 111, 107, 101, 110}}};
    entry["top_logprobs"] = Json::array({entry, entry, entry, entry, entry});
    return entry;
}

std::string completion_events(int tokens, const std::string& text) {
    std::string all;
    for (int i = 1; i <= tokens; ++i) {
        all += event({{"content", text},
                      {"tokens", {i}},
                      {"stop", false},
                      {"tokens_predicted", i},
                      {"tokens_evaluated", 3},
                      {"completion_probabilities", Json::array({logprob_entry()})}});
    }
    return all + event({{"content", ""},
                        {"tokens", Json::array()},
                        {"stop", true},
                        {"stop_type", "eos"},
                        {"tokens_predicted", tokens},
                        {"tokens_evaluated", 3}});
}

Json chat_delta(const char* name, const Json& value) {
    return {{"choices", Json::array({{{"index", 0}, {"delta", {{name, value}}}}})}};
}
std::string chat_end(int tokens) {
    return event({{"choices",
                   Json::array(
                       {{{"index", 0}, {"delta", Json::object()}, {"finish_reason", "stop"}}})}}) +
           event({{"choices", Json::array()},
                  {"usage", {{"completion_tokens", tokens}, {"prompt_tokens", 3}}}});
}

const std::string grammar_request =
    R"({"prompt":[1,2,3],"grammar":"root ::= [a-z ]+","logprobs":5,"max_tokens":1000000})";
const std::string form_request =
    R"({"messages":[],"response_format":{"type":"json_object"},"logprobs":true,"top_logprobs":5})";
const std::string tools_request =
    R"({"messages":[],"tools":[{"type":"function","function":{"name":"f"}}]})";

TEST(LlamaStream, AHeldTextComesWholeAndItsManyProbabilitiesBehindIt) {
    Answer answer;
    answer_with(answer, {completion_events(1000, " token")}, grammar_request,
                core::Task::completion);
    ASSERT_EQ(answer.end->kind, StreamEnd::Kind::finished) << answer.end->failure;
    EXPECT_EQ(answer.end->finished.generated_tokens, 1000U);
    ASSERT_GT(answer.pieces.size(), 4U);
    EXPECT_EQ(answer.pieces[0].text.size(), 6000U);
    EXPECT_EQ(answer.pieces[0].token_count, 1000U);
    EXPECT_EQ(answer.text.size(), 6000U);
    EXPECT_EQ(logprobs_in(answer), 1000U);
}

TEST(LlamaStream, AHeldTextThatNoPieceHoldsIsTheClientsError) {
    Answer answer;
    answer_with(answer, {completion_events(300, std::string(1024, 'x'))}, grammar_request,
                core::Task::completion);
    EXPECT_EQ(answer.end->kind, StreamEnd::Kind::rejected) << answer.end->failure;
    EXPECT_EQ(answer.end->rejected.http_status, 400U);
    EXPECT_TRUE(answer.pieces.empty());
}

TEST(LlamaStream, ProbabilitiesOfThoughtsDoNotPileOntoTheText) {
    std::string events;
    for (int i = 0; i < 1000; ++i) {
        Json thought = chat_delta("reasoning_content", std::string(100, 'h'));
        thought["choices"][0]["logprobs"] = {{"content", Json::array({logprob_entry()})}};
        events += event(thought);
    }
    events += event(chat_delta("content", std::string(300'000, 't')));
    Answer answer;
    answer_with(answer, {events + chat_end(1002)}, form_request, core::Task::chat);
    ASSERT_EQ(answer.end->kind, StreamEnd::Kind::finished) << answer.end->failure;
    EXPECT_EQ(answer.resume.reasoning.size(), 100'000U);
    EXPECT_EQ(answer.text, std::string(300'000, 't'));
    EXPECT_EQ(logprobs_in(answer), 1000U);
}

TEST(LlamaStream, ThoughtsWithoutEndAreTheClientsError) {
    std::string events;
    for (int i = 0; i < 3; ++i)
        events += event(chat_delta("reasoning_content", std::string(1024 * 1024, 'h')));
    Answer answer;
    answer_with(answer, {events + chat_end(9)}, form_request, core::Task::chat);
    EXPECT_EQ(answer.end->kind, StreamEnd::Kind::rejected) << answer.end->failure;
    EXPECT_TRUE(answer.pieces.empty());
}

TEST(LlamaStream, ACallThatNoPieceHoldsIsTheClientsError) {
    const auto calling = [](std::size_t bytes) {
        const std::string arguments = dump({{"a", std::string(bytes, 'x')}});
        return event(
            chat_delta("tool_calls",
                       Json::array({{{"index", 0},
                                     {"id", "c"},
                                     {"function", {{"name", "f"}, {"arguments", arguments}}}}})));
    };
    Answer fits;
    answer_with(fits, {calling(150'000) + chat_end(9)}, tools_request, core::Task::chat);
    EXPECT_EQ(fits.end->kind, StreamEnd::Kind::finished) << fits.end->failure;
    EXPECT_EQ(fits.calls.size(), 1U);
    Answer large;
    answer_with(large, {calling(250'000) + chat_end(9)}, tools_request, core::Task::chat);
    EXPECT_EQ(large.end->kind, StreamEnd::Kind::rejected) << large.end->failure;
    EXPECT_TRUE(large.pieces.empty());
}

TEST(LlamaStream, DemandedArgumentsThatAreNoObjectAreTheClientsError) {
    const std::string request =
        R"({"messages":[],"tool_choice":"required","tools":[{"type":"function","function":)"
        R"({"name":"f","parameters":{"enum":["text"]}}}]})";
    const std::string prompt = R"({"prompt":"p"})";
    Answer other;
    answer_with(other, {prompt, completion_events(1, R"([{"name":"f","arguments":"text"}])")},
                request, core::Task::chat);
    EXPECT_EQ(other.end->kind, StreamEnd::Kind::rejected) << other.end->failure;
    Answer later;
    answer_with(later,
                {prompt, completion_events(1, R"([{"name":"f","arguments":{}},)"
                                              R"({"name":"f","arguments":"text"}])")},
                request, core::Task::chat);
    EXPECT_EQ(later.end->kind, StreamEnd::Kind::rejected) << "one of two calls is not the answer";
    EXPECT_TRUE(later.calls.empty());
    Answer none;
    answer_with(none, {prompt, completion_events(1, "Hello.")}, request, core::Task::chat);
    EXPECT_EQ(none.end->kind, StreamEnd::Kind::engine_failed);
    Answer called;
    answer_with(called, {prompt, completion_events(1, R"([{"name":"f","arguments":{"a":1}}])")},
                request, core::Task::chat);
    EXPECT_EQ(called.end->kind, StreamEnd::Kind::finished) << called.end->failure;
    EXPECT_EQ(called.calls.size(), 1U);
}

core::ResumePoint said_before() {
    core::ResumePoint resume;
    resume.append({}, "five tokens of an answer", 5);
    return resume;
}

TEST(LlamaStream, AnAnswerAtItsLimitStillKnowsItsPrompt) {
    const std::vector<std::string> counting = {R"({"prompt":"p"})", R"({"tokens":[1,2,3,4]})"};
    const std::string plain = R"({"messages":[],"max_tokens":5})";
    const std::string own_syntax =
        R"({"messages":[],"max_tokens":5,"response_format":{"type":"json_object"}})";
    for (const std::string& request : {plain, own_syntax}) {
        Answer answer;
        answer_with(answer, counting, request, core::Task::chat, said_before());
        ASSERT_EQ(answer.end->kind, StreamEnd::Kind::finished) << answer.end->failure;
        EXPECT_EQ(answer.end->finished.reason, core::FinishReason::length);
        EXPECT_EQ(answer.end->finished.prompt_tokens, 4U) << request;
    }
    Answer ids;
    answer_with(ids, {}, R"({"prompt":[1,2,3],"max_tokens":5})", core::Task::completion,
                said_before());
    EXPECT_EQ(ids.end->finished.prompt_tokens, 3U);
}

TEST(LlamaStream, AResumedAnswerToPicturesKnowsItsPrompt) {
    Json words = chat_delta("content", "words");
    words["timings"] = {{"prompt_n", 290}, {"cache_n", 10}, {"predicted_n", 1}};
    Json end = chat_delta("content", ".");
    end["choices"][0]["finish_reason"] = "stop";
    const Json usage = {{"choices", Json::array()},
                        {"usage", {{"completion_tokens", 1}, {"prompt_tokens", 300}}}};
    Answer answer;
    answer_with(answer, {event(words) + event(end) + event(usage)},
                R"({"messages":[{"role":"user","content":[{"type":"image_url"}]}]})",
                core::Task::chat, said_before());
    ASSERT_EQ(answer.end->kind, StreamEnd::Kind::finished) << answer.end->failure;
    EXPECT_EQ(answer.end->finished.prompt_tokens, 295U);
    ASSERT_FALSE(answer.pieces.empty());
    EXPECT_EQ(answer.pieces[0].prompt_tokens, 295U) << "known from the first word on";
}

std::string plain_tokens(int tokens) {
    std::string all;
    for (int i = 1; i <= tokens; ++i) {
        all += event({{"content", " t" + std::to_string(i)},
                      {"tokens", {i}},
                      {"stop", false},
                      {"tokens_predicted", i},
                      {"tokens_evaluated", 3}});
    }
    return all;
}

const std::string plain_request = R"({"prompt":[1,2,3]})";

TEST(LlamaStream, QuickTokensAreSaidTogether) {
    constexpr int tokens = 2000;
    const std::string end = event({{"content", ""}, {"stop", true}, {"tokens_predicted", tokens}});
    Answer gathered;
    Answer single;
    for (Answer* answer : {&gathered, &single}) {
        answer_with(*answer, {plain_tokens(tokens) + end}, plain_request, core::Task::completion,
                    {}, answer == &gathered);
        ASSERT_EQ(answer->end->kind, StreamEnd::Kind::finished) << answer->end->failure;
        EXPECT_EQ(answer->end->finished.generated_tokens, static_cast<std::uint32_t>(tokens));
    }
    EXPECT_EQ(single.pieces.size(), static_cast<std::size_t>(tokens));
    EXPECT_LT(gathered.pieces.size(), single.pieces.size() / 4);
    EXPECT_EQ(gathered.text, single.text);
    EXPECT_EQ(gathered.resume, single.resume) << "the ids of all tokens are there";
}

// Else a client would wait for the last words of an engine that has come to a stop.
TEST(LlamaStream, TokensThatWaitForOthersDoNotWaitForTheEnd) {
    constexpr std::uint32_t tokens = 50;
    int ends[2] = {-1, -1};
    std::vector<std::string> parts{"HTTP/1.0 200 OK\r\n\r\n"};
    for (std::uint32_t i = 1; i <= tokens; ++i) {
        parts.push_back(event({{"content", " t"}, {"tokens", {i}}, {"tokens_predicted", i}}));
    }
    ASSERT_EQ(::pipe(ends), 0);
    Answer answer;
    {
        const ScriptedServer server(std::move(parts), ends[0]);
        base::AsioLoop loop;
        const auto stream = make_llama_stream(
            {loop, server.path(), nullptr, {}, false, true},
            {plain_request, {}, "scripted", core::Task::completion}, answer.handler(), [] {});
        stream->begin();
        const base::Instant limit = loop.now() + base::seconds(30);
        while (answer.resume.tokens < tokens && !answer.end && loop.now() < limit)
            loop.run_for(base::milliseconds(5));
        EXPECT_EQ(answer.resume.tokens, tokens);
        EXPECT_FALSE(answer.end) << answer.end->failure;
        ::close(ends[1]);
    }
    ::close(ends[0]);
}

const std::string chat_request = R"({"messages":[{"role":"user","content":"Hello"}]})";

std::string rendering(const std::string& prompt) {
    return dump({{"prompt", prompt}});
}

// The engine's connections are taken one after the other: the answer's first.
TEST(LlamaStream, AGuessedPromptIsAskedAtOnceAndChecked) {
    const std::string words = plain_tokens(20) + event({{"stop", true}, {"tokens_predicted", 20}});
    for (const bool right : {true, false}) {
        const auto templates = std::make_shared<TemplateGuesses>();
        const auto lesson = templates->lesson(chat_request);
        ASSERT_TRUE(lesson);
        templates->learn(chat_request, "<user>Qx0xQ</user>");
        const std::string others = plain_tokens(3) + event({{"stop", true}});
        std::vector<std::string> bodies{right ? words : others,
                                        rendering(right ? "<user>Hello</user>" : "something else")};
        if (!right)
            bodies.push_back(words);
        const ScriptedServer server(std::move(bodies));
        base::AsioLoop loop;
        Answer answer;
        const auto stream = make_llama_stream(
            {loop, server.path(), nullptr, {}, false, false, templates},
            {chat_request, {}, "scripted", core::Task::chat}, answer.handler(), [] {});
        stream->begin();
        const base::Instant limit = loop.now() + base::seconds(30);
        while (!answer.end && loop.now() < limit)
            loop.run_for(base::milliseconds(5));
        ASSERT_TRUE(answer.end);
        ASSERT_EQ(answer.end->kind, StreamEnd::Kind::finished) << answer.end->failure;
        EXPECT_EQ(answer.resume.tokens, 20U) << "nothing of a wrong guess is said";
        EXPECT_EQ(answer.end->finished.generated_tokens, 20U);
    }
}

// The server has one answer only: whoever asked for a rendering as well would get none.
TEST(LlamaStream, APromptThatIsSureIsNotChecked) {
    const auto templates = std::make_shared<TemplateGuesses>(
        "{% for message in messages %}<{{ message.role }}>{{ message.content }}"
        "</{{ message.role }}>{% endfor %}",
        TemplateGuesses::Ends{});
    templates->learn(chat_request, "<user>Qx0xQ</user>");
    const ScriptedServer server(
        {plain_tokens(20) + event({{"stop", true}, {"tokens_predicted", 20}})});
    base::AsioLoop loop;
    Answer answer;
    const auto stream = make_llama_stream(
        {loop, server.path(), nullptr, {}, false, false, templates},
        {chat_request, {}, "scripted", core::Task::chat}, answer.handler(), [] {});
    stream->begin();
    const base::Instant limit = loop.now() + base::seconds(30);
    while (!answer.end && loop.now() < limit)
        loop.run_for(base::milliseconds(5));
    ASSERT_TRUE(answer.end);
    ASSERT_EQ(answer.end->kind, StreamEnd::Kind::finished) << answer.end->failure;
    EXPECT_EQ(answer.resume.tokens, 20U);
}

}  // namespace
}  // namespace idlewatt::engine
