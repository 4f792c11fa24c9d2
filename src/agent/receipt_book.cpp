// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "agent/receipt_book.hpp"

#include "base/fault_point.hpp"
#include "base/log.hpp"

namespace idlewatt::agent {

namespace {

constexpr std::string_view draft_prefix = "draft/";
constexpr std::string_view receipt_prefix = "receipt/";

std::string draft_key(const core::AttemptId& attempt) {
    return std::string(draft_prefix) + attempt.value;
}

spool::OutboxOptions outbox_options() {
    spool::OutboxOptions options;
    options.prefix = receipt_prefix;
    options.log_area = "receipts";
    options.if_refused = "is this car enrolled with another key?";
    options.batch_max = wire::receipts_per_batch_max;
    options.gather = receipt_gather;
    return options;
}

std::vector<std::string> texts(const std::vector<core::ReceiptId>& ids) {
    std::vector<std::string> values;
    for (const core::ReceiptId& id : ids)
        values.push_back(id.value);
    return values;
}

void report(const base::Result<void>& result) {
    if (!result)
        base::log_error("receipts", result.error().message);
}

}  // namespace

ReceiptBook::ReceiptBook(base::Loop& loop, bus::Bus& bus, spool::Spool& spool,
                         const identity::KeyPair& key, wire::Subjects subjects,
                         core::VehicleId vehicle, std::uint64_t seed)
    : loop_(loop),
      bus_(bus),
      spool_(spool),
      key_(key),
      subjects_(std::move(subjects)),
      vehicle_(std::move(vehicle)),
      prng_(seed),
      outbox_(loop, spool, outbox_options(),
              [this](const std::vector<spool::Parcel>& batch, const spool::Outbox::Answer& answer) {
                  send(batch, answer);
              }) {
    recover_drafts();
}

void ReceiptBook::recover_drafts() {
    for (const spool::Record& record : spool_.records()) {
        if (!record.key.starts_with(draft_prefix))
            continue;
        auto draft = wire::decode_receipt(record.value);
        if (draft && outbox_.holds(draft->id.value)) {
            report(spool_.erase(record.key));
        } else if (draft) {
            close(std::move(*draft));
        } else {
            base::log_warning("receipts", "dropped an unreadable draft: " + draft.error().message);
            report(spool_.erase(record.key));
        }
    }
}

void ReceiptBook::keep_draft(const core::Receipt& draft) {
    core::Receipt kept = draft;
    kept.id = draft_ids_.try_emplace(draft.attempt, id_for(draft)).first->second;
    kept.vehicle = vehicle_;
    report(spool_.put(draft_key(draft.attempt), wire::encode(kept)));
}

void ReceiptBook::close(core::Receipt receipt) {
    receipt.id = id_for(receipt);
    receipt.vehicle = vehicle_;
    draft_ids_.erase(receipt.attempt);
    spool::Parcel made{receipt.id.value, wire::encode(receipt), {}};
    made.signature = key_.sign(made.payload);
    if (base::fault_point("agent.lose_receipt"))
        return;
    if (outbox_.add(std::move(made)))
        report(spool_.erase(draft_key(receipt.attempt)));
    outbox_.sync_soon();
}

core::ReceiptId ReceiptBook::id_for(const core::Receipt& receipt) {
    if (!receipt.id.value.empty())
        return receipt.id;
    const auto drafted = draft_ids_.find(receipt.attempt);
    if (drafted != draft_ids_.end())
        return drafted->second;
    return core::ReceiptId(core::make_time_ordered_id(loop_.wall_now(), prng_));
}

void ReceiptBook::send(const std::vector<spool::Parcel>& batch,
                       const spool::Outbox::Answer& answer) {
    std::vector<core::SignedReceipt> receipts;
    for (const spool::Parcel& parcel : batch)
        receipts.push_back({core::ReceiptId(parcel.id), parcel.payload, parcel.signature});
    bus_.request(subjects_.receipts(vehicle_), wire::encode(receipts), receipt_answer_timeout,
                 [answer](bus::ReplyStatus status, const bus::Message& message) {
                     if (status != bus::ReplyStatus::answered)
                         return answer(std::nullopt);
                     const auto said = wire::decode_receipts_answer(message.payload);
                     if (!said)
                         return answer(std::nullopt);
                     answer(spool::Settlement{texts(said->committed), texts(said->refused)});
                 });
}

}  // namespace idlewatt::agent
