// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "test_process.hpp"

#include <fstream>
#include <iterator>
#include <utility>

#include <gtest/gtest.h>

namespace idlewatt::test {

namespace {

constexpr base::Duration loop_step = base::milliseconds(2);

}  // namespace

std::string built_program(const std::string& name) {
    return std::string(IDLEWATT_BINARY_DIR) + "/bin/" + name;
}

TestProcess::TestProcess(base::AsioLoop& loop, base::SpawnOptions options)
    : loop_(loop), output_file_(options.output_file) {
    auto child = base::ChildProcess::spawn(loop_, options, [this](int code) { code_ = code; });
    EXPECT_TRUE(child) << child.error().message;
    if (child)
        process_ = std::move(*child);
    else
        code_ = -1;
}

std::string TestProcess::output() const {
    std::ifstream file(output_file_);
    return {std::istreambuf_iterator<char>(file), {}};
}

bool TestProcess::wait(base::Duration limit) {
    return run_loop_until(
        loop_, [this] { return ended(); }, limit);
}

bool TestProcess::end(int signal, base::Duration limit) {
    if (process_)
        process_->signal(signal);
    return wait(limit);
}

bool run_loop_until(base::AsioLoop& loop, const std::function<bool()>& condition,
                    base::Duration limit) {
    const base::Instant end = loop.now() + limit;
    while (!condition()) {
        if (loop.now() > end)
            return false;
        loop.run_for(loop_step);
    }
    return true;
}

}  // namespace idlewatt::test
