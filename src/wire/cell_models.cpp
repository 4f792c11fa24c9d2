// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "wire.pb.h"
#include "wire/cell.hpp"
#include "wire/checks.hpp"

namespace idlewatt::wire {

namespace {

constexpr Bounds capacity_bounds{"Capacity", 32 * 1024, core::cached_blobs_max + 8};
constexpr Bounds assignment_bounds{"Assignment", 4096, 16};
constexpr Bounds demands_bounds{"ModelDemands", 256 * 1024, demands_max + 8};
constexpr double tokens_per_second_max = 1e9;

void write(const core::Model& model, v1::Model& out) {
    out.set_name(model.name);
    out.set_sha256(model.sha256);
    out.set_bytes(model.bytes);
    out.set_architecture(model.architecture);
    out.set_quantization(model.quantization);
    out.set_parameters(model.parameters);
    out.set_context_tokens(model.context_tokens);
    out.set_replicas_min(model.replicas_min);
    out.set_added_at_us(model.added_at.us);
}

core::Model read(v1::Model& in, Checks& checks) {
    checks.model("model.name", in.name());
    checks.sha256("model.sha256", in.sha256());
    checks.text("model.architecture", in.architecture(), model_word_bytes_max);
    checks.text("model.quantization", in.quantization(), model_word_bytes_max);
    checks.that(in.added_at_us() >= 0, "model.added_at_us", "0 or more");
    core::Model model;
    model.name = std::move(*in.mutable_name());
    model.sha256 = std::move(*in.mutable_sha256());
    model.bytes = in.bytes();
    model.architecture = std::move(*in.mutable_architecture());
    model.quantization = std::move(*in.mutable_quantization());
    model.parameters = in.parameters();
    model.context_tokens = in.context_tokens();
    model.replicas_min = in.replicas_min();
    model.added_at.us = in.added_at_us();
    return model;
}

}  // namespace

std::string encode(const core::Capacity& capacity) {
    v1::Capacity out;
    out.set_memory_bytes(capacity.memory_bytes);
    out.set_cache_bytes(capacity.cache_bytes);
    for (const std::string& sha256 : capacity.cached_sha256)
        out.add_cached_sha256(sha256);
    return out.SerializeAsString();
}

base::Result<core::Capacity> decode_capacity(std::string_view bytes) {
    v1::Capacity in;
    if (base::Result<void> parsed = parse(in, bytes, capacity_bounds); !parsed) {
        return tl::unexpected(parsed.error());
    }
    Checks checks(capacity_bounds.message);
    checks.number("the number of blobs", static_cast<std::size_t>(in.cached_sha256_size()), 0,
                  core::cached_blobs_max);
    core::Capacity capacity{in.memory_bytes(), in.cache_bytes(), {}};
    capacity.cached_sha256.reserve(static_cast<std::size_t>(in.cached_sha256_size()));
    for (std::string& sha256 : *in.mutable_cached_sha256()) {
        checks.sha256("cached_sha256", sha256);
        capacity.cached_sha256.push_back(std::move(sha256));
    }
    if (!checks.ok())
        return checks.error();
    return capacity;
}

std::string encode(const core::Assignment& assignment) {
    v1::Assignment out;
    out.set_version(assignment.version);
    if (assignment.model)
        write(*assignment.model, *out.mutable_model());
    out.set_blob_url(assignment.blob_url);
    out.set_paused(assignment.paused);
    out.set_draining(assignment.draining);
    return out.SerializeAsString();
}

base::Result<core::Assignment> decode_assignment(std::string_view bytes) {
    v1::Assignment in;
    if (base::Result<void> parsed = parse(in, bytes, assignment_bounds); !parsed) {
        return tl::unexpected(parsed.error());
    }
    Checks checks(assignment_bounds.message);
    core::Assignment assignment;
    assignment.version = in.version();
    if (in.has_model())
        assignment.model = read(*in.mutable_model(), checks);
    checks.text("blob_url", in.blob_url(), blob_url_bytes_max);
    assignment.blob_url = std::move(*in.mutable_blob_url());
    assignment.paused = in.paused();
    assignment.draining = in.draining();
    if (!checks.ok())
        return checks.error();
    return assignment;
}

std::string encode(const std::vector<core::ModelDemand>& demands) {
    v1::ModelDemands out;
    for (const core::ModelDemand& demand : demands) {
        v1::ModelDemand& message = *out.add_models();
        message.set_model(demand.model);
        message.set_waiting(demand.waiting);
        message.set_running(demand.running);
        message.set_tokens_per_second(demand.tokens_per_second);
    }
    return out.SerializeAsString();
}

base::Result<std::vector<core::ModelDemand>> decode_demands(std::string_view bytes) {
    v1::ModelDemands in;
    if (base::Result<void> parsed = parse(in, bytes, demands_bounds); !parsed) {
        return tl::unexpected(parsed.error());
    }
    Checks checks(demands_bounds.message);
    checks.number("the number of models", static_cast<std::size_t>(in.models_size()), 0,
                  demands_max);
    std::vector<core::ModelDemand> demands;
    demands.reserve(static_cast<std::size_t>(in.models_size()));
    for (v1::ModelDemand& message : *in.mutable_models()) {
        checks.model("models.model", message.model());
        checks.real("models.tokens_per_second", message.tokens_per_second(), 0,
                    tokens_per_second_max);
        demands.push_back({std::move(*message.mutable_model()), message.waiting(),
                           message.running(), message.tokens_per_second()});
    }
    if (!checks.ok())
        return checks.error();
    return demands;
}

}  // namespace idlewatt::wire
