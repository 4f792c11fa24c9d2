// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Joins the mind that runs lines of batches (batch_core.hpp) with the bus and with the gateway's
// own mind, which answers them.
//
// Lifecycle: owned by the gateway; look() once in a while starts and keeps it going. Lines under
// way at destruction are lost here and given to another gateway by the coordinator. Threads: the
// loop's.
#pragma once

#include <functional>
#include <memory>

#include "base/loop.hpp"
#include "bus/bus.hpp"
#include "gateway/batch_core.hpp"
#include "wire/subject.hpp"

namespace idlewatt::gateway {

inline constexpr base::Duration batch_ask_timeout = base::seconds(3);
// Answered after a commit of up to 8 MiB.
inline constexpr base::Duration batch_result_timeout = base::seconds(10);

class BatchRunner {
public:
    // The gateway's mind. Each may call back at once.
    struct Mind {
        std::function<Room()> room;
        std::function<void(BatchAsked)> start;
        std::function<void(http::RequestId)> stop;
        // Whose lines it would only give back.
        bool lacks_key_book = false;
        bool lacks_static_key = false;
    };

    BatchRunner(base::Loop& loop, bus::Bus& bus, wire::Subjects subjects, core::GatewayId gateway,
                Mind mind);
    ~BatchRunner();

    BatchRunner(const BatchRunner&) = delete;
    BatchRunner& operator=(const BatchRunner&) = delete;

    void look();
    void answered(http::RequestId request, http::Response response);
    void deferred(http::RequestId request, bool begun);

    [[nodiscard]] const BatchCore& core() const { return core_; }

private:
    void feed(const BatchEvent& event);
    void look_soon();
    void perform(AskForWork& effect);
    void perform(StartLine& effect);
    void perform(StopLine& effect);
    void perform(SendResult& effect);

    base::Loop& loop_;
    bus::Bus& bus_;
    wire::Subjects subjects_;
    core::GatewayId gateway_;
    Mind mind_;
    BatchCore core_;
    bool look_posted_ = false;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace idlewatt::gateway
