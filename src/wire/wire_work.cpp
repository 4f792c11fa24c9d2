// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "wire.pb.h"
#include "wire/checks.hpp"
#include "wire/enums.hpp"
#include "wire/plain_proto.hpp"
#include "wire/wire.hpp"

namespace idlewatt::wire {

namespace {

constexpr std::size_t work_overhead_expected = 64;  // of tags, lengths and numbers

constexpr Bounds work_bounds{"Work", core::work_bytes_max, resume_segments_max + 8};

core::ResumePoint read_resume(v1::Work& in, Checks& checks) {
    core::ResumePoint resume;
    std::uint64_t ids = 0;
    checks.number("resume_tokens", in.resume_tokens(), 0, resume_tokens_max);
    checks.number("the number of resume segments", static_cast<std::size_t>(in.resume_size()), 0,
                  resume_segments_max);
    if (!checks.ok())
        return resume;
    resume.tokens = in.resume_tokens();
    checks.number("resume_reasoning's length", in.resume_reasoning().size(), 0,
                  resume_reasoning_bytes_max);
    resume.reasoning = std::move(*in.mutable_resume_reasoning());
    resume.segments.reserve(static_cast<std::size_t>(in.resume_size()));
    for (v1::ResumeSegment& segment : *in.mutable_resume()) {
        const bool has_ids = segment.ids_size() > 0;
        checks.that(has_ids != !segment.text().empty(), "resume", "either ids or text");
        ids += static_cast<std::uint64_t>(segment.ids_size());
        if (!checks.ok() || ids > resume.tokens)
            break;
        if (has_ids) {
            resume.segments.emplace_back(
                core::TokenIds(segment.ids().begin(), segment.ids().end()));
        } else {
            resume.segments.emplace_back(std::move(*segment.mutable_text()));
        }
    }
    checks.number("the number of resume ids", ids, 0, resume.tokens);
    return resume;
}

std::string segment_bytes(const core::ResumePoint::Segment& segment) {
    std::string out;
    if (const auto* ids = std::get_if<core::TokenIds>(&segment)) {
        std::string packed;
        packed.reserve(ids->size() * 4);
        for (const std::int32_t id : *ids) {
            // As protobuf does it: a negative one as if it had 64 bits.
            plain::append_varint(packed, static_cast<std::uint64_t>(std::int64_t{id}));
        }
        plain::append_bytes(out, v1::ResumeSegment::kIdsFieldNumber, packed);
    } else {
        plain::append_bytes(out, v1::ResumeSegment::kTextFieldNumber,
                            std::get<std::string>(segment));
    }
    return out;
}

}  // namespace

std::string encode(const core::Work& work) {
    return encode_work(work.id, work.model, work.request_json, work.resume, work.task);
}

std::string encode_work(const core::WorkId& id, std::string_view model,
                        std::string_view request_json, const core::ResumePoint& resume,
                        core::Task task) {
    std::string out;
    out.reserve(id.value.size() + model.size() + request_json.size() + resume.reasoning.size() +
                work_overhead_expected);
    plain::append_bytes(out, v1::Work::kIdFieldNumber, id.value);
    plain::append_bytes(out, v1::Work::kModelFieldNumber, model);
    plain::append_bytes(out, v1::Work::kRequestJsonFieldNumber, request_json);
    for (const core::ResumePoint::Segment& segment : resume.segments)
        plain::append_message(out, v1::Work::kResumeFieldNumber, segment_bytes(segment));
    plain::append_number(out, v1::Work::kResumeTokensFieldNumber, resume.tokens);
    plain::append_number(out, v1::Work::kTaskFieldNumber,
                         static_cast<std::uint64_t>(to_wire(task)));
    plain::append_bytes(out, v1::Work::kResumeReasoningFieldNumber, resume.reasoning);
    return out;
}

base::Result<core::Work> decode_work(std::string_view bytes) {
    v1::Work in;
    if (base::Result<void> parsed = parse(in, bytes, work_bounds); !parsed) {
        return tl::unexpected(parsed.error());
    }
    Checks checks(work_bounds.message);
    checks.id("id", in.id());
    checks.model("model", in.model());
    checks.number("request_json's length", in.request_json().size(), 1, core::request_bytes_max);
    const std::optional<core::Task> task = from_wire(in.task());
    checks.that(task.has_value(), "task", "chat, completion or embedding");
    core::ResumePoint resume = read_resume(in, checks);
    if (!checks.ok())
        return checks.error();
    return core::Work{core::WorkId(std::move(*in.mutable_id())), std::move(*in.mutable_model()),
                      std::move(*in.mutable_request_json()), std::move(resume), *task};
}

}  // namespace idlewatt::wire
