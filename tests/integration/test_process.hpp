// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A program that a test started. What it says is appended to a file. It goes with its owner.
//
// Threads: the loop's; what waits runs the loop.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/asio_loop.hpp"
#include "base/child_process.hpp"

namespace idlewatt::test {

inline constexpr base::Duration test_patience = base::seconds(60);

// One of ours, by its name.
[[nodiscard]] std::string built_program(const std::string& name);

class TestProcess {
public:
    TestProcess(base::AsioLoop& loop, base::SpawnOptions options);

    TestProcess(const TestProcess&) = delete;
    TestProcess& operator=(const TestProcess&) = delete;

    [[nodiscard]] bool ended() const { return code_.has_value(); }
    // As a shell gives it; -1 while it runs.
    [[nodiscard]] int code() const { return code_.value_or(-1); }
    [[nodiscard]] int pid() const { return process_ ? process_->pid() : 0; }
    [[nodiscard]] const std::string& output_file() const { return output_file_; }
    // All that it and its predecessors have said.
    [[nodiscard]] std::string output() const;

    // Returns when it has ended; false: not in time.
    bool wait(base::Duration limit = test_patience);
    bool end(int signal, base::Duration limit = test_patience);

private:
    base::AsioLoop& loop_;
    std::string output_file_;
    std::optional<int> code_;
    std::unique_ptr<base::ChildProcess> process_;
};

// False when the time was over.
[[nodiscard]] bool run_loop_until(base::AsioLoop& loop, const std::function<bool()>& condition,
                                  base::Duration limit = test_patience);

}  // namespace idlewatt::test
