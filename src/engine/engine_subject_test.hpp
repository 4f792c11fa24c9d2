// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The real engine and its twin behind one face, for the suites that ask both the same.
#pragma once

#include <functional>
#include <memory>

#include "base/simulated_loop.hpp"
#include "engine/llama_server_fixture_test.hpp"
#include "engine/memory_engine.hpp"

namespace idlewatt::engine {

inline constexpr base::Duration subject_patience = base::seconds(60);

// An engine and the means to let time pass.
class Subject {
public:
    virtual ~Subject() = default;
    virtual Engine& engine() = 0;
    virtual bool run_until(const std::function<bool()>& condition,
                           base::Duration limit = subject_patience) = 0;
};

class MemorySubject final : public Subject {
public:
    Engine& engine() override { return engine_; }
    bool run_until(const std::function<bool()>& condition, base::Duration limit) override {
        return loop_.run_while_not(condition, limit);
    }

private:
    base::SimulatedLoop loop_;
    MemoryEngine engine_{loop_, {}};
};

class LlamaServerSubject final : public Subject {
public:
    Engine& engine() override { return *fixture_.engine; }
    bool run_until(const std::function<bool()>& condition, base::Duration limit) override {
        return fixture_.run_until(condition, limit);
    }

private:
    LlamaServerFixture fixture_;
};

using MakeSubject = std::function<std::unique_ptr<Subject>()>;

}  // namespace idlewatt::engine
