// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A simulated person at the other end: asks one question after another, some streamed, some with
// pauses in reading, some given up in the middle. Every byte goes to the checker and the story.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/prng.hpp"
#include "simulator/answer_checker.hpp"
#include "simulator/gateway_process.hpp"
#include "simulator/world.hpp"

namespace idlewatt::simulator {

// One question that has ended, or hangs.
struct AskedQuestion {
    std::string name;
    std::string work;
    AnswerEnd end = AnswerEnd::open;
    bool streamed = false;
    std::uint32_t tokens_received = 0;
    std::uint32_t tokens_right = 0;
    std::string error_code;
};

class Client {
public:
    Client(World& world, std::uint32_t number, GatewayProcess& gateway);

    void start();
    [[nodiscard]] bool idle() const { return question_ == nullptr; }
    [[nodiscard]] const std::vector<AskedQuestion>& asked() const { return asked_; }
    // At the end of the run.
    void check_ended();

private:
    struct Question {
        std::uint64_t number = 0;
        std::string name;
        AnswerChecker checker;
        std::uint64_t gateway_life = 0;
        http::RequestId request{};
        bool reading = true;
        base::Instant heard_at;
    };

    void pause();
    void ask();
    struct Composed {
        core::Task task = core::Task::chat;
        bool streamed = false;
        std::string body;
    };
    [[nodiscard]] Composed compose(const std::string& name);
    void plan_habits(std::uint64_t number);
    void hang_up(std::uint64_t number);
    void set_reading(std::uint64_t number, bool reading);
    void on_bytes(std::string_view bytes);
    void on_end(bool complete);
    void close();
    // The question of this number, if it is still the one that is open.
    [[nodiscard]] Question* open(std::uint64_t number);
    // Its server, if that has not been killed since.
    [[nodiscard]] http::MemoryServer* server();

    World& world_;
    std::string name_;
    GatewayProcess& gateway_;
    base::Prng prng_;
    std::uint64_t questions_ = 0;
    std::unique_ptr<Question> question_;
    std::vector<AskedQuestion> asked_;
};

}  // namespace idlewatt::simulator
