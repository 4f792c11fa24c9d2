// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "wire.pb.h"
#include "wire/checks.hpp"
#include "wire/enums.hpp"
#include "wire/wire.hpp"

namespace idlewatt::wire {

namespace {

constexpr Bounds receipt_bounds{"Receipt", receipt_bytes_max, 32};
constexpr Bounds receipt_batch_bounds{"ReceiptBatch", 1024 * 1024, receipts_per_batch_max};
constexpr Bounds receipts_answer_bounds{"ReceiptsAnswer", 64 * 1024, 2 * receipts_per_batch_max};
constexpr Bounds totals_bounds{"Totals", 256, 8};

template <class Ids>
void read_receipt_ids(Ids& in, std::string_view field, std::vector<core::ReceiptId>& out,
                      Checks& checks) {
    checks.number(field, static_cast<std::size_t>(in.size()), 0, receipts_per_batch_max);
    out.reserve(static_cast<std::size_t>(in.size()));
    for (std::string& id : in) {
        checks.id(field, id);
        out.emplace_back(std::move(id));
    }
}

}  // namespace

std::string encode(const core::Receipt& receipt) {
    v1::Receipt out;
    out.set_id(receipt.id.value);
    out.set_vehicle(receipt.vehicle.value);
    out.set_gateway(receipt.gateway.value);
    out.set_work(receipt.work.value);
    out.set_attempt(receipt.attempt.value);
    out.set_model(receipt.model);
    out.set_end(to_wire(receipt.end));
    out.set_prompt_tokens(receipt.prompt_tokens);
    out.set_generated_tokens(receipt.generated_tokens);
    out.set_acknowledged_tokens(receipt.acknowledged_tokens);
    out.set_started_at_us(receipt.started_at.us);
    out.set_duration_ns(receipt.duration.ns);
    out.set_energy_j(receipt.energy_j);
    out.set_energy_estimated(receipt.energy_estimated);
    return out.SerializeAsString();
}

base::Result<core::Receipt> decode_receipt(std::string_view bytes) {
    v1::Receipt in;
    if (base::Result<void> parsed = parse(in, bytes, receipt_bounds); !parsed) {
        return tl::unexpected(parsed.error());
    }
    Checks checks(receipt_bounds.message);
    const std::optional<core::AttemptEnd> end = from_wire(in.end());
    checks.id("id", in.id());
    checks.id("vehicle", in.vehicle());
    checks.id("gateway", in.gateway());
    checks.id("work", in.work());
    checks.id("attempt", in.attempt());
    checks.model("model", in.model());
    checks.that(end.has_value(), "end", "an AttemptEnd of this version");
    checks.number("acknowledged_tokens", in.acknowledged_tokens(), 0, in.generated_tokens());
    checks.that(in.started_at_us() >= 0, "started_at_us", "0 or more");
    checks.that(in.duration_ns() >= 0, "duration_ns", "0 or more");
    checks.real("energy_j", in.energy_j(), 0, 1e12);
    if (!checks.ok())
        return checks.error();

    core::Receipt receipt;
    receipt.id = core::ReceiptId(std::move(*in.mutable_id()));
    receipt.vehicle = core::VehicleId(std::move(*in.mutable_vehicle()));
    receipt.gateway = core::GatewayId(std::move(*in.mutable_gateway()));
    receipt.work = core::WorkId(std::move(*in.mutable_work()));
    receipt.attempt = core::AttemptId(std::move(*in.mutable_attempt()));
    receipt.model = std::move(*in.mutable_model());
    receipt.end = *end;
    receipt.prompt_tokens = in.prompt_tokens();
    receipt.generated_tokens = in.generated_tokens();
    receipt.acknowledged_tokens = in.acknowledged_tokens();
    receipt.started_at.us = in.started_at_us();
    receipt.duration.ns = in.duration_ns();
    receipt.energy_j = in.energy_j();
    receipt.energy_estimated = in.energy_estimated();
    return receipt;
}

std::string encode(const std::vector<core::SignedReceipt>& batch) {
    v1::ReceiptBatch out;
    for (const core::SignedReceipt& receipt : batch) {
        v1::SignedReceipt& message = *out.add_receipts();
        message.set_id(receipt.id.value);
        message.set_payload(receipt.payload);
        message.set_signature(receipt.signature);
    }
    return out.SerializeAsString();
}

base::Result<std::vector<core::SignedReceipt>> decode_receipts(std::string_view bytes) {
    v1::ReceiptBatch in;
    if (base::Result<void> parsed = parse(in, bytes, receipt_batch_bounds); !parsed) {
        return tl::unexpected(parsed.error());
    }
    Checks checks(receipt_batch_bounds.message);
    std::vector<core::SignedReceipt> batch;
    batch.reserve(static_cast<std::size_t>(in.receipts_size()));
    for (v1::SignedReceipt& message : *in.mutable_receipts()) {
        checks.id("receipts.id", message.id());
        checks.number("receipts.payload's length", message.payload().size(), 1, receipt_bytes_max);
        checks.number("receipts.signature's length", message.signature().size(), 0,
                      signature_bytes_max);
        batch.push_back({core::ReceiptId(std::move(*message.mutable_id())),
                         std::move(*message.mutable_payload()),
                         std::move(*message.mutable_signature())});
    }
    if (!checks.ok())
        return checks.error();
    return batch;
}

std::string encode(const ReceiptsAnswer& answer) {
    v1::ReceiptsAnswer out;
    for (const core::ReceiptId& id : answer.committed)
        out.add_committed(id.value);
    for (const core::ReceiptId& id : answer.refused)
        out.add_refused(id.value);
    return out.SerializeAsString();
}

base::Result<ReceiptsAnswer> decode_receipts_answer(std::string_view bytes) {
    v1::ReceiptsAnswer in;
    if (base::Result<void> parsed = parse(in, bytes, receipts_answer_bounds); !parsed) {
        return tl::unexpected(parsed.error());
    }
    Checks checks(receipts_answer_bounds.message);
    ReceiptsAnswer answer;
    read_receipt_ids(*in.mutable_committed(), "committed", answer.committed, checks);
    read_receipt_ids(*in.mutable_refused(), "refused", answer.refused, checks);
    if (!checks.ok())
        return checks.error();
    return answer;
}

std::string encode(const Totals& totals) {
    v1::Totals out;
    out.set_receipts(totals.receipts);
    out.set_generated_tokens(totals.generated_tokens);
    out.set_acknowledged_tokens(totals.acknowledged_tokens);
    return out.SerializeAsString();
}

base::Result<Totals> decode_totals(std::string_view bytes) {
    v1::Totals in;
    if (base::Result<void> parsed = parse(in, bytes, totals_bounds); !parsed) {
        return tl::unexpected(parsed.error());
    }
    return Totals{in.receipts(), in.generated_tokens(), in.acknowledged_tokens()};
}

}  // namespace idlewatt::wire
