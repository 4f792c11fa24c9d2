// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "wire/batch.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "wire.pb.h"
#include "wire/checks.hpp"

namespace idlewatt::wire {

namespace {

constexpr Bounds batch_ask_bounds{"BatchAsk", batch_leases_max * 10 + 64, batch_leases_max + 8};
constexpr Bounds batch_result_bounds{"BatchResult", batch_part_bytes_max + 1024, 16};
constexpr Bounds batch_answer_bounds{"BatchResultAnswer", 64, 8};
constexpr std::size_t item_bytes_min = 32;  // its endpoint and what else it cannot be without

void check_leases(Checks& checks, const google::protobuf::RepeatedField<std::uint64_t>& leases) {
    checks.number("the number of leases", static_cast<std::size_t>(leases.size()), 0,
                  batch_leases_max);
}

BatchItem read_item(v1::BatchItem& in, Checks& checks) {
    checks.that(in.lease() != 0, "items.lease", "not 0");
    checks.id("items.batch_id", in.batch_id());
    checks.number("items.line", in.line(), 1, batch_lines_max);
    checks.id("items.key_id", in.key_id());
    checks.that(std::ranges::find(batch_endpoints, in.endpoint()) != batch_endpoints.end(),
                "items.endpoint", "an endpoint of batches");
    checks.number("items.body's length", in.body().size(), 1, batch_body_bytes_max);
    if (!checks.ok())
        return {};
    return {in.lease(),
            std::move(*in.mutable_batch_id()),
            in.line(),
            core::KeyId(std::move(*in.mutable_key_id())),
            std::move(*in.mutable_endpoint()),
            std::move(*in.mutable_body())};
}

v1::BatchResultState state_to_wire(BatchResultState state) {
    switch (state) {
        case BatchResultState::part_taken:
            return v1::BATCH_RESULT_STATE_PART_TAKEN;
        case BatchResultState::committed:
            return v1::BATCH_RESULT_STATE_COMMITTED;
        case BatchResultState::send_again:
            return v1::BATCH_RESULT_STATE_SEND_AGAIN;
        case BatchResultState::refused:
            break;
    }
    return v1::BATCH_RESULT_STATE_REFUSED;
}

std::optional<BatchResultState> state_from_wire(v1::BatchResultState state) {
    switch (state) {
        case v1::BATCH_RESULT_STATE_PART_TAKEN:
            return BatchResultState::part_taken;
        case v1::BATCH_RESULT_STATE_COMMITTED:
            return BatchResultState::committed;
        case v1::BATCH_RESULT_STATE_SEND_AGAIN:
            return BatchResultState::send_again;
        case v1::BATCH_RESULT_STATE_REFUSED:
            return BatchResultState::refused;
        default:
            return std::nullopt;
    }
}

}  // namespace

std::string encode(const BatchAsk& ask) {
    v1::BatchAsk out;
    out.set_items_max(ask.items_max);
    out.mutable_running_leases()->Add(ask.running_leases.begin(), ask.running_leases.end());
    out.set_lacks_key_book(ask.lacks_key_book);
    out.set_lacks_static_key(ask.lacks_static_key);
    return out.SerializeAsString();
}

base::Result<BatchAsk> decode_batch_ask(std::string_view bytes) {
    v1::BatchAsk in;
    if (base::Result<void> parsed = parse(in, bytes, batch_ask_bounds); !parsed)
        return tl::unexpected(parsed.error());
    Checks checks(batch_ask_bounds.message);
    checks.number("items_max", in.items_max(), 0, batch_items_max);
    check_leases(checks, in.running_leases());
    if (!checks.ok())
        return checks.error();
    return BatchAsk{in.items_max(),
                    {in.running_leases().begin(), in.running_leases().end()},
                    in.lacks_key_book(),
                    in.lacks_static_key()};
}

std::string encode(const BatchWork& work) {
    v1::BatchWork out;
    for (const BatchItem& item : work.items) {
        v1::BatchItem& message = *out.add_items();
        message.set_lease(item.lease);
        message.set_batch_id(item.batch_id);
        message.set_line(item.line);
        message.set_key_id(item.key.value);
        message.set_endpoint(item.endpoint);
        message.set_body(item.body);
    }
    out.mutable_ended_leases()->Add(work.ended_leases.begin(), work.ended_leases.end());
    return out.SerializeAsString();
}

base::Result<BatchWork> decode_batch_work(std::string_view bytes) {
    // Empty items would cost memory before they are refused.
    const std::size_t items_max =
        std::min<std::size_t>(batch_items_max, bytes.size() / item_bytes_min);
    const Bounds bounds{"BatchWork", batch_work_bytes_max, items_max + batch_leases_max + 8};
    v1::BatchWork in;
    if (base::Result<void> parsed = parse(in, bytes, bounds); !parsed)
        return tl::unexpected(parsed.error());
    Checks checks(bounds.message);
    checks.number("the number of items", static_cast<std::size_t>(in.items_size()), 0, items_max);
    check_leases(checks, in.ended_leases());
    BatchWork work;
    for (v1::BatchItem& item : *in.mutable_items()) {
        if (!checks.ok())
            break;
        work.items.push_back(read_item(item, checks));
    }
    if (!checks.ok())
        return checks.error();
    work.ended_leases.assign(in.ended_leases().begin(), in.ended_leases().end());
    return work;
}

std::string encode(const BatchResult& result) {
    v1::BatchResult out;
    out.set_lease(result.lease);
    out.set_batch_id(result.batch_id);
    out.set_line(result.line);
    out.set_status_code(result.status_code);
    out.set_request_id(result.request_id);
    out.set_part(result.part);
    out.set_parts(result.parts);
    out.set_body(result.body);
    return out.SerializeAsString();
}

base::Result<BatchResult> decode_batch_result(std::string_view bytes) {
    v1::BatchResult in;
    if (base::Result<void> parsed = parse(in, bytes, batch_result_bounds); !parsed)
        return tl::unexpected(parsed.error());
    Checks checks(batch_result_bounds.message);
    checks.that(in.lease() != 0, "lease", "not 0");
    checks.id("batch_id", in.batch_id());
    checks.number("line", in.line(), 1, batch_lines_max);
    if (in.status_code() != 0)
        checks.number("status_code", in.status_code(), 200, 599);
    checks.text("request_id", in.request_id(), batch_request_id_bytes_max);
    checks.number("parts", in.parts(), 1, batch_parts_max);
    checks.that(in.part() < in.parts(), "part", "below parts");
    checks.number("body's length", in.body().size(), 0, batch_part_bytes_max);
    if (!checks.ok())
        return checks.error();
    return BatchResult{in.lease(),       std::move(*in.mutable_batch_id()),   in.line(),
                       in.status_code(), std::move(*in.mutable_request_id()), in.part(),
                       in.parts(),       std::move(*in.mutable_body())};
}

std::string encode(const BatchResultAnswer& answer) {
    v1::BatchResultAnswer out;
    out.set_state(state_to_wire(answer.state));
    return out.SerializeAsString();
}

base::Result<BatchResultAnswer> decode_batch_result_answer(std::string_view bytes) {
    v1::BatchResultAnswer in;
    if (base::Result<void> parsed = parse(in, bytes, batch_answer_bounds); !parsed)
        return tl::unexpected(parsed.error());
    Checks checks(batch_answer_bounds.message);
    const std::optional<BatchResultState> state = state_from_wire(in.state());
    checks.that(state.has_value(), "state", "a state of a result");
    if (!checks.ok())
        return checks.error();
    return BatchResultAnswer{*state};
}

}  // namespace idlewatt::wire
