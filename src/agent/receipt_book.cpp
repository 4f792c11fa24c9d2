// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "agent/receipt_book.hpp"

#include <algorithm>

#include "base/fault_point.hpp"
#include "base/log.hpp"

namespace idlewatt::agent {

namespace {

constexpr std::string_view draft_prefix = "draft/";
constexpr std::string_view receipt_prefix = "receipt/";
constexpr std::string_view refused_prefix = "refused/";
// A signed receipt in the spool: 64 bytes of signature, then the payload.
constexpr std::size_t signature_bytes = 64;

std::string draft_key(const core::AttemptId& attempt) {
    return std::string(draft_prefix) + attempt.value;
}

std::string receipt_key(const core::ReceiptId& id) {
    return std::string(receipt_prefix) + id.value;
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
      prng_(seed) {
    recover();
}

ReceiptBook::~ReceiptBook() {
    *alive_ = false;
    if (timer_set_)
        loop_.cancel(timer_);
}

void ReceiptBook::recover() {
    for (const spool::Record& record : spool_.records()) {
        if (record.key.starts_with(receipt_prefix) && record.value.size() > signature_bytes) {
            outbox_.push_back({core::ReceiptId(record.key.substr(receipt_prefix.size())),
                               record.value.substr(signature_bytes),
                               record.value.substr(0, signature_bytes)});
        }
    }
    for (const spool::Record& record : spool_.records()) {
        if (!record.key.starts_with(draft_prefix))
            continue;
        auto draft = wire::decode_receipt(record.value);
        if (draft && is_signed(draft->id)) {
            report(spool_.erase(record.key));
        } else if (draft) {
            close(std::move(*draft));
        } else {
            base::log_warning("receipts", "dropped an unreadable draft: " + draft.error().message);
            report(spool_.erase(record.key));
        }
    }
    if (!outbox_.empty())
        deliver_after(receipt_gather);
}

bool ReceiptBook::is_signed(const core::ReceiptId& id) const {
    return std::ranges::find(outbox_, id, &core::SignedReceipt::id) != outbox_.end();
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
    core::SignedReceipt made{receipt.id, wire::encode(receipt), {}};
    made.signature = key_.sign(made.payload);
    const auto kept = spool_.put(receipt_key(made.id), made.signature + made.payload);
    report(kept);
    if (kept)
        report(spool_.erase(draft_key(receipt.attempt)));
    report(spool_.sync());
    if (!base::fault_point("agent.lose_receipt"))
        outbox_.push_back(std::move(made));
    deliver_after(receipt_gather);
}

core::ReceiptId ReceiptBook::id_for(const core::Receipt& receipt) {
    if (!receipt.id.value.empty())
        return receipt.id;
    const auto drafted = draft_ids_.find(receipt.attempt);
    if (drafted != draft_ids_.end())
        return drafted->second;
    return core::ReceiptId(core::make_time_ordered_id(loop_.wall_now(), prng_));
}

void ReceiptBook::deliver_now() {
    retry_ = base::seconds(1);
    deliver();
}

void ReceiptBook::deliver_after(base::Duration delay) {
    if (timer_set_ || asking_)
        return;
    timer_set_ = true;
    timer_ = loop_.after(delay, [this] {
        timer_set_ = false;
        deliver();
    });
}

void ReceiptBook::deliver() {
    if (asking_ || outbox_.empty())
        return;
    const std::size_t count = std::min(outbox_.size(), wire::receipts_per_batch_max);
    const std::vector<core::SignedReceipt> batch(outbox_.begin(),
                                                 outbox_.begin() + static_cast<long>(count));
    asking_ = true;
    bus_.request(subjects_.receipts(vehicle_), wire::encode(batch), receipt_answer_timeout,
                 [this, alive = alive_](bus::ReplyStatus status, const bus::Message& message) {
                     if (!*alive)
                         return;
                     asking_ = false;
                     auto answer = status == bus::ReplyStatus::answered
                                       ? wire::decode_receipts_answer(message.payload)
                                       : base::fail(base::ErrorKind::unavailable, "no answer");
                     if (answer) {
                         retry_ = base::seconds(1);
                         take_answer(*answer);
                         if (!outbox_.empty())
                             deliver_after(receipt_gather);
                     } else {
                         deliver_after(retry_);
                         retry_ = std::min(retry_ * 2, receipt_retry_max);
                     }
                 });
}

void ReceiptBook::take_answer(const wire::ReceiptsAnswer& answer) {
    for (const core::ReceiptId& id : answer.committed)
        drop(id);
    for (const core::ReceiptId& id : answer.refused) {
        base::log_error("receipts", "the coordinator refuses receipt " + id.value +
                                        "; is this car enrolled with another key? It is kept "
                                        "aside in the spool");
        set_aside(id);
    }
}

// Refused for good: not sent again, and not thrown away, since it is the owner's claim.
void ReceiptBook::set_aside(const core::ReceiptId& id) {
    const auto found = std::ranges::find(outbox_, id, &core::SignedReceipt::id);
    if (found == outbox_.end())
        return;
    const auto kept =
        spool_.put(std::string(refused_prefix) + id.value, found->signature + found->payload);
    report(kept);
    if (kept)
        drop(id);
}

void ReceiptBook::drop(const core::ReceiptId& id) {
    const auto found = std::ranges::find(outbox_, id, &core::SignedReceipt::id);
    if (found == outbox_.end())
        return;
    outbox_.erase(found);
    report(spool_.erase(receipt_key(id)));
}

}  // namespace idlewatt::agent
