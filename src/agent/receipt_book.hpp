// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The car's receipts from draft to delivery: drafts of running attempts, so that a killed agent
// can still account for them; signed receipts, kept until the coordinator has committed them.
//
// Lifecycle: owned by the agent; the constructor turns the drafts of a former life into receipts
// that end with "interrupted". Threads: the agent's loop.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/loop.hpp"
#include "base/prng.hpp"
#include "bus/bus.hpp"
#include "core/receipt.hpp"
#include "identity/identity.hpp"
#include "spool/outbox.hpp"
#include "spool/spool.hpp"
#include "wire/subject.hpp"
#include "wire/wire.hpp"

namespace idlewatt::agent {

// Receipts gathered for this long go out together.
inline constexpr base::Duration receipt_gather = base::milliseconds(50);
inline constexpr base::Duration receipt_answer_timeout = base::seconds(3);

class ReceiptBook {
public:
    ReceiptBook(base::Loop& loop, bus::Bus& bus, spool::Spool& spool, const identity::KeyPair& key,
                wire::Subjects subjects, core::VehicleId vehicle, std::uint64_t seed);

    ReceiptBook(const ReceiptBook&) = delete;
    ReceiptBook& operator=(const ReceiptBook&) = delete;

    void keep_draft(const core::Receipt& draft);
    // Gives the receipt its id and car, signs it and keeps it. If the disk refuses, the draft stays
    // and the receipt lives in memory until it is delivered.
    void close(core::Receipt receipt);
    // After a reconnect: no need to wait for the next try.
    void deliver_now() { outbox_.deliver_now(); }

    [[nodiscard]] std::size_t undelivered() const { return outbox_.size(); }

private:
    void recover_drafts();
    void send(const std::vector<spool::Parcel>& batch, const spool::Outbox::Answer& answer);
    [[nodiscard]] core::ReceiptId id_for(const core::Receipt& receipt);

    base::Loop& loop_;
    bus::Bus& bus_;
    spool::Spool& spool_;
    const identity::KeyPair& key_;
    wire::Subjects subjects_;
    core::VehicleId vehicle_;
    base::Prng prng_;
    // A draft and the receipt that it becomes have one id: dying between the two writes makes no
    // second receipt for an attempt.
    std::map<core::AttemptId, core::ReceiptId> draft_ids_;
    spool::Outbox outbox_;
};

}  // namespace idlewatt::agent
