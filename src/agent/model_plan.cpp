// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "agent/model_plan.hpp"

#include <algorithm>

namespace idlewatt::agent {

ModelPlan::ModelPlan(const std::string& fixed_model, std::uint64_t seed)
    : fixed_(!fixed_model.empty()), prng_(seed) {
    if (fixed_)
        told_ = File{fixed_model, {}, {}};
}

void ModelPlan::ask_now(base::Instant now) {
    ask_at_ = now;
    ask_again_ = asking_;
}

void ModelPlan::answered(const std::optional<core::Assignment>& assignment, base::Instant now,
                         Effects& effects) {
    asking_ = false;
    if (assignment && take(*assignment))
        effects.emplace_back(KeepAssignment{*assignment});
    const base::Duration period = assignment ? assignment_period : ask_retry_;
    ask_retry_ = assignment ? assignment_retry_min : std::min(ask_retry_ * 2, assignment_period);
    // A little apart from the other cars, which began to ask when this one did.
    ask_at_ = now + period + base::from_seconds(period.seconds() * 0.2 * prng_.unit());
    if (ask_again_)
        ask_at_ = now;
    ask_again_ = false;
}

void ModelPlan::remember(const core::Assignment& assignment) {
    if (!assignment_)
        take(assignment);
}

bool ModelPlan::take(const core::Assignment& assignment) {
    if (fixed_ || assignment == assignment_ ||
        (assignment_ && assignment.version < assignment_->version)) {
        return false;
    }
    const std::optional<Fetch> before = wanted_fetch();
    assignment_ = assignment;
    if (wanted_fetch() != before) {
        fetch_at_ = {};
        fetch_retry_ = fetch_again_min;
    }
    const auto& model = assignment.model;
    old_serves_ = old_serves_ && model;
    if (!model)
        worked_.reset();
    if (!model || model->sha256 != unfit_sha256_)
        unfit_sha256_.clear();
    if (!model || !file_ || file_->sha256 != model->sha256) {
        file_.reset();
        old_must_go_ = false;
    } else {
        file_->name = model->name;
    }
    return true;
}

std::optional<ModelPlan::Fetch> ModelPlan::wanted_fetch() const {
    if (!assignment_ || !assignment_->model || file_)
        return std::nullopt;
    return Fetch{assignment_->model->sha256, assignment_->blob_url};
}

void ModelPlan::fetched(const ModelFetched& event) {
    if (!fetching_ || fetching_->sha256 != event.sha256)
        return;
    fetching_.reset();
    old_must_go_ = false;
    fetch_retry_ = fetch_again_min;
    file_ = File{assignment_->model->name, event.sha256, event.path};
}

void ModelPlan::fetch_failed(const ModelFetchFailed& event, base::Instant now) {
    if (!fetching_ || fetching_->sha256 != event.sha256)
        return;
    fetching_.reset();
    fetch_at_ = now + fetch_retry_;
    fetch_retry_ = std::min(fetch_retry_ * 2, fetch_again_max);
    if (event.error.kind == base::ErrorKind::limit_exceeded && told_)
        old_must_go_ = true;
}

void ModelPlan::steer(base::Instant now, bool may_work, bool connected, Effects& effects) {
    if (fixed_)
        return;
    if (connected && !asking_ && now >= ask_at_) {
        asking_ = true;
        effects.emplace_back(AskAssignment{});
    }
    const std::optional<Fetch> wanted = may_work ? wanted_fetch() : std::nullopt;
    if (fetching_ && fetching_ != wanted) {
        fetching_.reset();
        effects.emplace_back(StopFetch{});
    }
    if (!wanted || fetching_)
        return;
    // Room has just been made.
    const bool room_made = old_must_go_ && !loaded_;
    if (now < fetch_at_ && !room_made)
        return;
    if (room_made) {
        old_must_go_ = false;
        told_.reset();
        worked_.reset();
    }
    fetching_ = wanted;
    effects.emplace_back(FetchModel{*assignment_->model, wanted->url, room_made});
}

// The new one when it is there and can be loaded; until then the old one is better than none.
std::optional<ModelPlan::File> ModelPlan::to_load() const {
    if (fixed_)
        return told_;
    if (file_ && worked_ && file_->sha256 == unfit_sha256_)
        return worked_;
    const bool old = !file_ && assignment_ && assignment_->model && old_serves_ && !old_must_go_;
    return old ? told_ : file_;
}

void ModelPlan::load(Effects& effects) {
    const std::optional<File> next = to_load();
    if (told_ != next) {
        told_ = next;
        loads_failed_ = 0;
        effects.emplace_back(UseModel{told_->sha256, {told_->name, told_->path}});
    }
    loaded_ = told_;
    old_serves_ = true;
}

void ModelPlan::engine_ready(Effects& effects) {
    if (fixed_ || !loaded_ || worked_ == loaded_)
        return;
    worked_ = loaded_;
    effects.emplace_back(DropFormerModel{});
}

bool ModelPlan::engine_failed(const std::string& failure, Effects& effects) {
    if (fixed_ || !loaded_ || loaded_ != file_ || !worked_ || worked_->sha256 == file_->sha256 ||
        ++loads_failed_ < model_loads_max)
        return false;
    unfit_sha256_ = file_->sha256;
    effects.emplace_back(ReportUnfitModel{file_->name, worked_->name, failure});
    return true;
}

std::optional<core::Reason> ModelPlan::hold() const {
    if (fixed_ || !assignment_)
        return std::nullopt;
    if (assignment_->paused)
        return core::Reason::paused_by_operator;
    if (assignment_->draining)
        return core::Reason::draining;
    const std::optional<File> next = to_load();
    const bool another = loaded_ && (!assignment_->model || (next && *next != *loaded_));
    if (another || (loaded_ && old_must_go_))
        return core::Reason::draining;
    return std::nullopt;
}

const std::string& ModelPlan::loaded_name() const {
    static const std::string none;
    return loaded_ ? loaded_->name : none;
}

}  // namespace idlewatt::agent
