// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/batch_status.hpp"

#include <array>

#include <nlohmann/json.hpp>

namespace idlewatt::cli {

namespace {

using BatchJson = nlohmann::json;

// Of a large batch: the first ones say what is wrong with the rest, too.
constexpr std::size_t faults_shown_max = 20;

std::string batch_word(const BatchJson& object, const char* name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::uint64_t batch_count(const BatchJson& object, const char* name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

std::vector<std::string> batch_faults(const BatchJson& object) {
    std::vector<std::string> faults;
    const auto errors = object.find("errors");
    if (errors == object.end() || !errors->is_object() || !errors->contains("data") ||
        !(*errors)["data"].is_array())
        return faults;
    for (const BatchJson& one : (*errors)["data"]) {
        if (!one.is_object())
            continue;
        if (faults.size() == faults_shown_max) {
            faults.push_back("… and more; --json shows all");
            break;
        }
        const std::uint64_t line = batch_count(one, "line");
        faults.push_back((line > 0 ? "line " + std::to_string(line) + ": " : std::string()) +
                         batch_word(one, "message"));
    }
    return faults;
}

base::Result<BatchStatus> batch_in(const BatchJson& object) {
    if (!object.is_object() || batch_word(object, "id").empty() ||
        batch_word(object, "status").empty())
        return base::fail(base::ErrorKind::bad_input, "the answer is no batch");
    BatchStatus batch;
    batch.id = batch_word(object, "id");
    batch.endpoint = batch_word(object, "endpoint");
    batch.status = batch_word(object, "status");
    batch.output_file = batch_word(object, "output_file_id");
    batch.error_file = batch_word(object, "error_file_id");
    batch.created_at_s = static_cast<std::int64_t>(batch_count(object, "created_at"));
    if (const auto counts = object.find("request_counts");
        counts != object.end() && counts->is_object()) {
        batch.total = batch_count(*counts, "total");
        batch.completed = batch_count(*counts, "completed");
        batch.failed = batch_count(*counts, "failed");
    }
    batch.faults = batch_faults(object);
    return batch;
}

}  // namespace

bool BatchStatus::ended() const {
    constexpr std::array<std::string_view, 4> last{"completed", "failed", "expired", "cancelled"};
    for (const std::string_view one : last) {
        if (status == one)
            return true;
    }
    return false;
}

base::Result<BatchStatus> parse_batch_status(std::string_view body) {
    return batch_in(BatchJson::parse(body, nullptr, false));
}

base::Result<BatchStatuses> parse_batch_statuses(std::string_view body) {
    const BatchJson object = BatchJson::parse(body, nullptr, false);
    if (!object.is_object() || !object.contains("data") || !object["data"].is_array())
        return base::fail(base::ErrorKind::bad_input, "the answer is no list of batches");
    BatchStatuses list;
    for (const BatchJson& one : object["data"]) {
        auto batch = batch_in(one);
        if (!batch)
            return tl::unexpected(batch.error());
        list.batches.push_back(std::move(*batch));
    }
    const auto more = object.find("has_more");
    list.has_more = more != object.end() && more->is_boolean() && more->get<bool>();
    return list;
}

base::Result<std::string> parse_file_id(std::string_view body) {
    const BatchJson object = BatchJson::parse(body, nullptr, false);
    std::string id = object.is_object() ? batch_word(object, "id") : std::string();
    if (id.empty())
        return base::fail(base::ErrorKind::bad_input, "the answer is no file");
    return id;
}

std::string batch_verdict(const BatchStatus& batch) {
    if (batch.status == "failed")
        return "failed: nothing was run";
    const std::uint64_t answered = batch.completed + batch.failed;
    std::string text = batch.status + ": " + std::to_string(batch.completed) + " ok / " +
                       std::to_string(batch.failed) + " failed";
    if (answered < batch.total)
        text += " / " + std::to_string(batch.total - answered) + " not run";
    return text;
}

ExitCode batch_exit_code(const BatchStatus& batch) {
    if (batch.status == "completed" && batch.completed == batch.total)
        return ExitCode::ok;
    return batch.completed > 0 ? ExitCode::partial : ExitCode::failure;
}

}  // namespace idlewatt::cli
