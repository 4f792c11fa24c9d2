// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Results of batches' lines on their way from gateways into the store: puts the parts of a body
// together, looks whether it is an answer, and answers the gateway when the core says so.
// Threads: the loop's.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <tuple>

#include "base/loop.hpp"
#include "bus/bus.hpp"
#include "coordinator/batch_event.hpp"
#include "store/store.hpp"
#include "wire/batch.hpp"

namespace idlewatt::coordinator {

// Of bodies of which a part is missing, or which wait for the store. Above it nothing is taken, and
// gateways send it again.
inline constexpr std::size_t intake_bytes_max = 64 * 1024 * 1024;
// A body whose next part does not come for so long is forgotten.
inline constexpr base::Duration intake_part_timeout = base::seconds(60);

class BatchIntake {
public:
    using Feed = std::function<void(const BatchEvent&)>;

    BatchIntake(base::Loop& loop, bus::Bus& bus, store::Store& store, const std::string& cell,
                Feed feed);
    ~BatchIntake();

    BatchIntake(const BatchIntake&) = delete;
    BatchIntake& operator=(const BatchIntake&) = delete;

    // Effects of the core.
    void commit(BatchQuestion question);
    void answer(BatchQuestion question, wire::BatchResultState state);

private:
    using Source = std::tuple<core::GatewayId, std::string, std::uint32_t>;  // batch and line
    struct Staged {
        std::uint64_t lease = 0;
        std::uint32_t parts = 0;
        std::uint32_t next = 0;
        std::string body{};
        base::Instant heard_at{};
    };
    struct Waiting {
        bus::Message request;  // without its payload: where to answer
        store::BatchResult result;
        bool committing = false;
    };

    void on_message(const bus::Message& message);
    // The body, if this was its last part.
    [[nodiscard]] std::optional<std::string> stage(const bus::Message& message,
                                                   const Source& source, wire::BatchResult& part);
    void offer(const bus::Message& message, const wire::BatchResult& part, std::string body);
    void reply(const bus::Message& message, wire::BatchResultState state);
    void drop(std::map<Source, Staged>::iterator staged);
    void drop_old();

    base::Loop& loop_;
    bus::Bus& bus_;
    store::Store& store_;
    Feed feed_;
    bus::SubscriptionId subscription_{};
    std::map<Source, Staged> staged_;
    std::map<BatchQuestion, Waiting> waiting_;
    BatchQuestion next_question_ = 1;
    std::size_t bytes_ = 0;  // of staged and waiting bodies
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace idlewatt::coordinator
