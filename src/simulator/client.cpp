// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "simulator/client.hpp"

#include <nlohmann/json.hpp>

#include "simulator/fault_plan.hpp"

namespace idlewatt::simulator {

namespace {

constexpr std::size_t long_text_bytes = 300 * 1024;
constexpr std::uint64_t inputs_max = 6;
const Span hang_up_after{base::milliseconds(0), base::seconds(4)};
const Span reads_for{base::milliseconds(50), base::seconds(2)};
// Whoever has seen the beginning of an answer sees at least a comment this often.
constexpr base::Duration silence_limit = gateway::comment_period + base::seconds(2);

std::string path_of(core::Task task) {
    switch (task) {
        case core::Task::chat:
            break;
        case core::Task::completion:
            return "/v1/completions";
        case core::Task::embedding:
            return "/v1/embeddings";
    }
    return "/v1/chat/completions";
}

}  // namespace

Client::Client(World& world, std::uint32_t number, GatewayProcess& gateway)
    : world_(world),
      name_("client-" + std::to_string(number)),
      gateway_(gateway),
      prng_(world.seed_of(10'000 + number)) {}

void Client::start() {
    pause();
}

void Client::pause() {
    world_.loop.after(draw(world_.scenario.clients.pause, prng_), [this] { ask(); });
}

void Client::ask() {
    if (world_.loop.now() - base::Instant{} >= world_.scenario.duration)
        return;
    http::MemoryServer* server = gateway_.server();
    if (server == nullptr) {
        world_.trace.line(name_, "finds no gateway");
        pause();
        return;
    }
    const std::uint64_t number = ++questions_;
    const std::string name = name_ + "/" + std::to_string(number);
    Composed composed = compose(name);
    question_ = std::make_unique<Question>(
        Question{number,
                 name,
                 AnswerChecker(composed.body, composed.streamed, composed.task),
                 gateway_.life(),
                 {},
                 true,
                 world_.loop.now()});
    http::ClientHandler handler;
    handler.on_head = [this, number](int status, const http::Headers& headers) {
        if (Question* question = open(number)) {
            world_.trace.line(question->name, "status " + std::to_string(status));
            question->checker.head(status, headers.contains("retry-after"));
        }
    };
    handler.on_body = [this, number](std::string_view bytes) {
        if (open(number) != nullptr)
            on_bytes(bytes);
    };
    handler.on_end = [this, number](bool complete) {
        if (open(number) != nullptr)
            on_end(complete);
    };
    world_.trace.line(name, composed.streamed ? "asks for a stream" : "asks");
    question_->request =
        server->send("POST", path_of(composed.task), {{"content-type", "application/json"}},
                     std::move(composed.body), std::move(handler));
    plan_habits(number);
}

Client::Composed Client::compose(const std::string& name) {
    const ClientHabits& habits = world_.scenario.clients;
    Composed composed;
    composed.streamed = prng_.chance(habits.streamed);
    std::string text = "Question " + name + " of run " + std::to_string(world_.seed);
    if (prng_.chance(habits.long_text))
        text.append(long_text_bytes, 'x');
    nlohmann::ordered_json body;
    body["model"] = "memory";
    if (prng_.chance(habits.embeddings)) {
        composed.task = core::Task::embedding;
        composed.streamed = false;
        const std::uint64_t inputs = 1 + prng_.below(inputs_max);
        for (std::uint64_t input = 0; input < inputs; ++input)
            body["input"].push_back(text + std::to_string(input));
        body["encoding_format"] = "base64";
        composed.body = body.dump();
        return composed;
    }
    if (prng_.chance(habits.completions)) {
        composed.task = core::Task::completion;
        body["prompt"] = {text, text + "?"};
    } else {
        body["messages"] = {{{"role", "user"}, {"content", std::move(text)}}};
    }
    if (prng_.chance(habits.choices))
        body["n"] = 2 + prng_.below(2);
    if (composed.task == core::Task::chat && prng_.chance(habits.tools)) {
        body["tools"] = {
            {{"type", "function"},
             {"function", {{"name", "unlock"}, {"parameters", {{"type", "object"}}}}}}};
    } else if (composed.task == core::Task::completion || !prng_.chance(habits.endless)) {
        body["max_tokens"] =
            habits.tokens_min + prng_.below(habits.tokens_max - habits.tokens_min + 1);
    }
    if (composed.task == core::Task::chat && prng_.chance(habits.reasoning))
        body["reasoning_effort"] = "low";
    body["stream"] = composed.streamed;
    if (composed.streamed)
        body["stream_options"] = {{"include_usage", true}};
    composed.body = body.dump();
    return composed;
}

void Client::plan_habits(std::uint64_t number) {
    const ClientHabits& habits = world_.scenario.clients;
    if (prng_.chance(habits.hang_up)) {
        world_.loop.after(draw(hang_up_after, prng_), [this, number] { hang_up(number); });
    }
    if (prng_.chance(habits.slow)) {
        const base::Duration stops = draw(reads_for, prng_);
        const base::Duration lasts = draw(habits.slow_for, prng_);
        world_.loop.after(stops, [this, number] { set_reading(number, false); });
        world_.loop.after(stops + lasts, [this, number] { set_reading(number, true); });
    }
}

Client::Question* Client::open(std::uint64_t number) {
    return question_ && question_->number == number ? question_.get() : nullptr;
}

http::MemoryServer* Client::server() {
    return gateway_.life() == question_->gateway_life ? gateway_.server() : nullptr;
}

void Client::hang_up(std::uint64_t number) {
    if (open(number) == nullptr || server() == nullptr)
        return;
    world_.trace.line(question_->name, "hangs up");
    server()->hang_up(question_->request);
    question_->checker.hang_up();
    close();
}

void Client::set_reading(std::uint64_t number, bool reading) {
    if (open(number) == nullptr || server() == nullptr)
        return;
    world_.trace.line(question_->name, reading ? "reads again" : "stops reading");
    question_->reading = reading;
    question_->heard_at = world_.loop.now();
    server()->set_reading(question_->request, reading);
}

void Client::on_bytes(std::string_view bytes) {
    world_.trace.line(question_->name, "gets " + escaped(bytes));
    const base::Duration silence = world_.loop.now() - question_->heard_at;
    const bool first = question_->checker.work().empty();
    question_->heard_at = world_.loop.now();
    const std::size_t before = question_->checker.violations().size();
    question_->checker.body(bytes);
    if (!world_.checks(Check::answers))
        return;
    if (question_->checker.streamed() && !first && silence > silence_limit)
        world_.trace.violation(question_->name, "silence in the middle of an answer");
    for (std::size_t i = before; i < question_->checker.violations().size(); ++i)
        world_.trace.violation(question_->name, question_->checker.violations()[i]);
}

void Client::on_end(bool complete) {
    const std::size_t before = question_->checker.violations().size();
    question_->checker.end(complete);
    const bool killed = server() == nullptr;
    if (world_.checks(Check::answers)) {
        for (std::size_t i = before; i < question_->checker.violations().size(); ++i)
            world_.trace.violation(question_->name, question_->checker.violations()[i]);
        if (question_->checker.ended() == AnswerEnd::broken && !killed)
            world_.trace.violation(question_->name, "the connection broke without need");
    }
    close();
}

void Client::close() {
    const AnswerChecker& checker = question_->checker;
    world_.trace.line(question_->name,
                      "ends: " + std::string(name(checker.ended())) + " " + checker.error_code());
    asked_.push_back({question_->name, checker.work(), checker.ended(), checker.streamed(),
                      checker.tokens_received(), checker.tokens_right(), checker.error_code()});
    question_.reset();
    pause();
}

void Client::check_ended() {
    if (question_)
        world_.trace.violation(question_->name, "hangs: neither answer nor error");
}

}  // namespace idlewatt::simulator
