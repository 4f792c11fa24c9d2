// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "wire/batch_object.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "wire/admin_json.hpp"

namespace idlewatt::wire {

namespace {

std::int64_t whole_seconds(base::WallTime time) {
    return time.us / 1'000'000;
}

RequestJson seconds_or_null(const std::optional<base::WallTime>& time) {
    return time ? RequestJson(whole_seconds(*time)) : RequestJson(nullptr);
}

// Text that this program wrote itself, or checked.
RequestJson json_or_null(const std::string& text) {
    return text.empty() ? RequestJson(nullptr) : RequestJson::parse(text, nullptr, false);
}

RequestJson file_object(const FileObject& file) {
    RequestJson json{{"id", file.id},
                     {"object", "file"},
                     {"bytes", file.bytes},
                     {"created_at", whole_seconds(file.created_at)},
                     {"filename", file.filename},
                     {"purpose", file.purpose},
                     {"status", "processed"}};
    if (file.expires_at)
        json["expires_at"] = whole_seconds(*file.expires_at);
    return json;
}

RequestJson batch_object(const BatchObject& batch) {
    RequestJson json{{"id", batch.id}, {"object", "batch"}, {"endpoint", batch.endpoint}};
    if (!batch.model.empty())
        json["model"] = batch.model;
    json["errors"] = nullptr;
    if (!batch.errors_json.empty())
        json["errors"] = {{"object", "list"}, {"data", json_or_null(batch.errors_json)}};
    json["input_file_id"] = batch.input_file_id;
    json["completion_window"] = "24h";
    json["status"] = batch.status;
    json["output_file_id"] = text_or_null(batch.output_file_id);
    json["error_file_id"] = text_or_null(batch.error_file_id);
    json["created_at"] = whole_seconds(batch.created_at);
    json["in_progress_at"] = seconds_or_null(batch.in_progress_at);
    json["expires_at"] = whole_seconds(batch.expires_at);
    json["finalizing_at"] = seconds_or_null(batch.finalizing_at);
    json["completed_at"] = seconds_or_null(batch.completed_at);
    json["failed_at"] = seconds_or_null(batch.failed_at);
    json["expired_at"] = seconds_or_null(batch.expired_at);
    json["cancelling_at"] = seconds_or_null(batch.cancelling_at);
    json["cancelled_at"] = seconds_or_null(batch.cancelled_at);
    json["request_counts"] = {
        {"total", batch.total}, {"completed", batch.completed}, {"failed", batch.failed}};
    json["usage"] = {{"input_tokens", batch.input_tokens},
                     {"input_tokens_details", {{"cached_tokens", batch.cached_tokens}}},
                     {"output_tokens", batch.output_tokens},
                     {"output_tokens_details", {{"reasoning_tokens", batch.reasoning_tokens}}},
                     {"total_tokens", batch.input_tokens + batch.output_tokens}};
    json["metadata"] = json_or_null(batch.metadata_json);
    return json;
}

template <class Object, class ToJson>
std::string list_body(const std::vector<Object>& objects, bool has_more, ToJson to_json) {
    RequestJson data = RequestJson::array();
    for (const Object& one : objects)
        data.push_back(to_json(one));
    RequestJson json{{"object", "list"}, {"data", std::move(data)}};
    json["first_id"] = objects.empty() ? RequestJson(nullptr) : RequestJson(objects.front().id);
    json["last_id"] = objects.empty() ? RequestJson(nullptr) : RequestJson(objects.back().id);
    json["has_more"] = has_more;
    return dump(json);
}

Objection read_metadata(const RequestJson& document, BatchOrder& order) {
    const RequestJson* metadata = field(document, "metadata");
    if (metadata == nullptr)
        return std::nullopt;
    if (!metadata->is_object() || metadata->size() > metadata_pairs_max)
        return wrong("metadata", "an object of at most 16 strings", metadata);
    for (const auto& [name, value] : metadata->items()) {
        if (name.size() > metadata_key_bytes_max || !value.is_string() ||
            value.get_ref<const std::string&>().size() > metadata_value_bytes_max) {
            return api_error(ApiErrorCode::invalid_value,
                             "'metadata' must hold strings of at most 512 characters under names "
                             "of at most 64.",
                             "metadata");
        }
    }
    order.metadata_json = dump(*metadata);
    const RequestJson* deadline = field(*metadata, "x_deadline");
    if (deadline == nullptr)
        return std::nullopt;
    const auto& text = deadline->get_ref<const std::string&>();
    std::int64_t seconds = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    constexpr std::int64_t seconds_max = 100'000'000'000;
    if (error != std::errc{} || end != text.data() + text.size() || seconds <= 0 ||
        seconds > seconds_max)
        return wrong("metadata.x_deadline", "seconds since 1970, as a string", deadline);
    order.deadline = base::WallTime{seconds * 1'000'000};
    return std::nullopt;
}

Objection read_output_expiry(const RequestJson& document, BatchOrder& order) {
    const RequestJson* expiry = field(document, "output_expires_after");
    if (expiry == nullptr)
        return std::nullopt;
    const RequestJson* anchor = expiry->is_object() ? field(*expiry, "anchor") : nullptr;
    const RequestJson* seconds = expiry->is_object() ? field(*expiry, "seconds") : nullptr;
    if (anchor == nullptr || *anchor != "created_at")
        return wrong("output_expires_after.anchor", "\"created_at\"", anchor);
    if (seconds == nullptr || !is_whole(*seconds, expires_after_min.ns / 1'000'000'000,
                                        expires_after_max.ns / 1'000'000'000))
        return wrong("output_expires_after.seconds", "3600 to 2592000", seconds);
    order.output_expires_after = base::seconds(seconds->get<std::int64_t>());
    return std::nullopt;
}

// nullopt: a percent sign without two hexadecimal digits.
std::optional<std::string> unescape(std::string_view text) {
    const auto digit = [](char c) -> int {
        if (c >= '0' && c <= '9')
            return c - '0';
        if (c >= 'a' && c <= 'f')
            return c - 'a' + 10;
        return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    };
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i] == '+' ? ' ' : text[i];
            continue;
        }
        if (i + 2 >= text.size() || digit(text[i + 1]) < 0 || digit(text[i + 2]) < 0)
            return std::nullopt;
        out += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
        i += 2;
    }
    return out;
}

}  // namespace

std::string file_body(const FileObject& file) {
    return dump(file_object(file));
}

std::string file_list_body(const std::vector<FileObject>& files, bool has_more) {
    return list_body(files, has_more, file_object);
}

std::string file_deleted_body(std::string_view id) {
    return dump({{"id", id}, {"object", "file"}, {"deleted", true}});
}

tl::expected<BatchOrder, ApiError> parse_batch_order(std::string_view body) {
    const auto tree = parse_request_tree(body);
    if (!tree)
        return tl::unexpected(tree.error());
    BatchOrder order;
    const RequestJson* file = field(*tree, "input_file_id");
    if (file == nullptr || !file->is_string())
        return tl::unexpected(wrong("input_file_id", "the id of a file", file));
    order.input_file_id = file->get<std::string>();
    const RequestJson* endpoint = field(*tree, "endpoint");
    if (endpoint == nullptr || !is_one_of(*endpoint, batch_endpoints)) {
        return tl::unexpected(
            wrong("endpoint", "/v1/chat/completions, /v1/completions or /v1/embeddings", endpoint));
    }
    order.endpoint = endpoint->get<std::string>();
    const RequestJson* window = field(*tree, "completion_window");
    if (window == nullptr || *window != "24h")
        return tl::unexpected(wrong("completion_window", "\"24h\"", window));
    if (Objection objection = read_metadata(*tree, order))
        return tl::unexpected(std::move(*objection));
    if (Objection objection = read_output_expiry(*tree, order))
        return tl::unexpected(std::move(*objection));
    return order;
}

std::string batch_faults_json(const std::vector<BatchFault>& faults) {
    RequestJson data = RequestJson::array();
    for (const BatchFault& fault : faults) {
        data.push_back({{"code", fault.code},
                        {"message", fault.message},
                        {"param", text_or_null(fault.param)},
                        {"line", fault.line ? RequestJson(*fault.line) : RequestJson(nullptr)}});
    }
    return dump(data);
}

std::string batch_body(const BatchObject& batch) {
    return dump(batch_object(batch));
}

std::string batch_list_body(const std::vector<BatchObject>& batches, bool has_more) {
    return list_body(batches, has_more, batch_object);
}

tl::expected<ListQuery, ApiError> parse_list_query(std::string_view target, std::size_t limit_max,
                                                   std::size_t limit_default) {
    ListQuery query;
    query.limit = limit_default;
    const auto refuse = [](const char* param, const std::string& expected) {
        return tl::unexpected(api_error(ApiErrorCode::invalid_value,
                                        "'" + std::string(param) + "' must be " + expected + ".",
                                        param));
    };
    const std::size_t mark = target.find('?');
    std::string_view rest =
        mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
    while (!rest.empty()) {
        const std::string_view pair = rest.substr(0, rest.find('&'));
        rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
        const std::size_t equals = pair.find('=');
        const std::string_view name = pair.substr(0, equals);
        const auto value = unescape(equals == std::string_view::npos ? std::string_view()
                                                                     : pair.substr(equals + 1));
        if (name == "limit") {
            const std::string& text = value ? *value : std::string();
            const auto [end, error] =
                std::from_chars(text.data(), text.data() + text.size(), query.limit);
            if (error != std::errc{} || end != text.data() + text.size() || query.limit < 1 ||
                query.limit > limit_max)
                return refuse("limit", "1 to " + std::to_string(limit_max));
        } else if (name == "after") {
            if (!value || !core::is_id(*value))
                return refuse("after", "an id");
            query.after = *value;
        } else if (name == "purpose") {
            query.purpose = value.value_or("");
        } else if (name == "order") {
            if (value != "asc" && value != "desc")
                return refuse("order", "asc or desc");
            query.ascending = value == "asc";
        }
    }
    return query;
}

}  // namespace idlewatt::wire
