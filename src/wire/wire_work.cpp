// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "wire.pb.h"
#include "wire/checks.hpp"
#include "wire/enums.hpp"
#include "wire/wire.hpp"

namespace idlewatt::wire {

namespace {

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

}  // namespace

std::string encode(const core::Work& work) {
    v1::Work out;
    out.set_id(work.id.value);
    out.set_model(work.model);
    out.set_request_json(work.request_json);
    for (const core::ResumePoint::Segment& segment : work.resume.segments) {
        v1::ResumeSegment& message = *out.add_resume();
        if (const auto* ids = std::get_if<core::TokenIds>(&segment)) {
            message.mutable_ids()->Add(ids->begin(), ids->end());
        } else {
            message.set_text(std::get<std::string>(segment));
        }
    }
    out.set_resume_tokens(work.resume.tokens);
    out.set_resume_reasoning(work.resume.reasoning);
    out.set_task(to_wire(work.task));
    return out.SerializeAsString();
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
