// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The car's words with its coordinator: what am I to hold, and may I have my next credentials. Also
// fetches the model's file and keeps it from being dropped while it is needed. Decides nothing.
//
// Lifecycle: owned by the agent. Threads: the agent's loop; feed never runs inside a call.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/event.hpp"
#include "base/loop.hpp"
#include "blobs/blobs.hpp"
#include "blobs/fetcher.hpp"
#include "bus/bus.hpp"
#include "core/core.hpp"
#include "spool/spool.hpp"
#include "wire/subject.hpp"

namespace idlewatt::agent {

inline constexpr base::Duration coordinator_answer_timeout = base::seconds(5);

// What a car needs beside its engine to be given models and credentials; a car with a fixed model
// and credentials that never end does without.
struct CellParts {
    blobs::Blobs* blobs = nullptr;
    blobs::ByteSource* source = nullptr;
    // Puts the next credentials where the bus finds them; all or nothing.
    std::function<base::Result<void>(const wire::Renewal&)> keep_renewal{};
    std::uint64_t memory_bytes = 0;  // that a model may use
};

class CellLink {
public:
    CellLink(base::Loop& loop, bus::Bus& bus, spool::Spool& spool, CellParts parts,
             wire::Subjects subjects, core::VehicleId vehicle, std::uint64_t seed,
             std::function<void(const Event&)> feed);
    ~CellLink();

    CellLink(const CellLink&) = delete;
    CellLink& operator=(const CellLink&) = delete;

    // Listens for pokes and remembers the last assignment.
    void start();

    void ask_assignment();
    void keep(const core::Assignment& assignment);
    void fetch(const FetchModel& effect);
    void stop_fetch() { fetcher_.reset(); }
    // The fetched file is now the one in use.
    void use(const UseModel& effect);
    // The file that was in use before may go.
    void drop_former() { former_ = {}; }
    void ask_renewal();

private:
    void fetched(const std::string& sha256, const base::Result<blobs::Blob>& result);
    [[nodiscard]] core::Capacity capacity() const;

    base::Loop& loop_;
    bus::Bus& bus_;
    spool::Spool& spool_;
    CellParts parts_;
    wire::Subjects subjects_;
    core::VehicleId vehicle_;
    std::uint64_t seed_;
    std::function<void(const Event&)> feed_;

    std::vector<bus::SubscriptionId> subscriptions_;
    std::unique_ptr<blobs::Fetcher> fetcher_;
    blobs::Pin fetched_;
    blobs::Pin in_use_;
    blobs::Pin former_;  // until the engine was ready with the one in use
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace idlewatt::agent
