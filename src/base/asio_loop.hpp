// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The real loop: one thread that runs Boost.Asio's io_context and the machine's clocks. Edges that
// wait for sockets or processes take the context; roles see only base::Loop.
#pragma once

#include <memory>

#include <boost/asio/io_context.hpp>

#include "base/loop.hpp"

namespace idlewatt::base {

class AsioLoop final : public Loop {
public:
    AsioLoop();
    ~AsioLoop() override;

    AsioLoop(const AsioLoop&) = delete;
    AsioLoop& operator=(const AsioLoop&) = delete;

    // Runs tasks on the calling thread until stop(). May be called again afterwards.
    void run();
    // Runs until the time has passed or stop() was called; for tests and tools.
    void run_for(Duration limit);
    // Any thread.
    void stop();

    [[nodiscard]] boost::asio::io_context& context();

    [[nodiscard]] Instant now() const override;
    [[nodiscard]] WallTime wall_now() const override;
    void post(Task task) override;
    TimerId after(Duration delay, Task task) override;
    void cancel(TimerId timer) override;

private:
    struct Implementation;
    std::unique_ptr<Implementation> impl_;
};

}  // namespace idlewatt::base
