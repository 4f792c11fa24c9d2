// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The registry of models, and which car is to hold which.
#include "store/row.hpp"

namespace idlewatt::store {

namespace {

struct ModelRow {
    static constexpr const char* table = "model";
    std::string name, sha256, architecture, quantization;
    long long bytes = 0;
    long long parameters = 0;
    long long context_tokens = 0;
    long long replicas_min = 0;
    long long added_at_us = 0;

    template <class F>
    void each(F f) {
        f("name", name), f("sha256", sha256), f("bytes", bytes), f("architecture", architecture);
        f("quantization", quantization), f("parameters", parameters);
        f("context_tokens", context_tokens), f("replicas_min", replicas_min);
        f("added_at_us", added_at_us);
    }
};

struct AssignmentRow {
    static constexpr const char* table = "assignment";
    std::string vehicle, model;
    long long version = 0;

    template <class F>
    void each(F f) {
        f("vehicle", vehicle), f("version", version), f("model", model);
    }
};

}  // namespace

base::Result<void> Database::put_model(const core::Model& model) {
    return guarded("write a model", [&] {
        ModelRow row;
        row.name = model.name;
        row.sha256 = model.sha256;
        row.architecture = model.architecture;
        row.quantization = model.quantization;
        row.bytes = static_cast<long long>(model.bytes);
        row.parameters = static_cast<long long>(model.parameters);
        row.context_tokens = model.context_tokens;
        row.replicas_min = model.replicas_min;
        row.added_at_us = model.added_at.us;
        insert(*session_, row, or_replace<ModelRow>());
    });
}

base::Result<void> Database::erase_model(const std::string& name) {
    return guarded("remove a model", [&]() -> base::Result<void> {
        if (change(*session_, "DELETE FROM model WHERE name = :name", soci::use(name, "name")) == 0)
            return base::fail(base::ErrorKind::not_found, "no model has this name");
        return {};
    });
}

base::Result<std::vector<core::Model>> Database::list_models() {
    return guarded("list the models", [this] {
        std::vector<core::Model> all;
        for (const ModelRow& row : select<ModelRow>(*session_, "ORDER BY name")) {
            all.push_back(
                {row.name, row.sha256, static_cast<std::uint64_t>(row.bytes), row.architecture,
                 row.quantization, static_cast<std::uint64_t>(row.parameters),
                 static_cast<std::uint32_t>(row.context_tokens),
                 static_cast<std::uint32_t>(row.replicas_min), base::WallTime{row.added_at_us}});
        }
        return all;
    });
}

base::Result<void> Database::put_assignments(const std::vector<VehicleAssignment>& assignments) {
    return guarded("write assignments", [&] {
        soci::transaction transaction(*session_);
        Insert<AssignmentRow> put(*session_, or_replace<AssignmentRow>());
        for (const VehicleAssignment& one : assignments) {
            put.row.vehicle = one.vehicle.value;
            put.row.version = static_cast<long long>(one.version);
            put.row.model = one.model;
            put();
        }
        transaction.commit();
    });
}

base::Result<std::vector<VehicleAssignment>> Database::list_assignments() {
    return guarded("list the assignments", [this] {
        std::vector<VehicleAssignment> all;
        for (const AssignmentRow& row : select<AssignmentRow>(*session_, "ORDER BY vehicle")) {
            all.push_back(
                {core::VehicleId(row.vehicle), static_cast<std::uint64_t>(row.version), row.model});
        }
        return all;
    });
}

}  // namespace idlewatt::store
