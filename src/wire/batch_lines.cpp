// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "wire/batch_lines.hpp"

#include <algorithm>
#include <utility>

#include "wire/chat_text.hpp"
#include "wire/request_checks.hpp"

namespace idlewatt::wire {

namespace {

bool is_blank(std::string_view text) {
    return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

std::string text_member(const RequestJson& object, const char* name) {
    const RequestJson* found = field(object, name);
    return found != nullptr && found->is_string() ? found->get<std::string>() : std::string();
}

// A list of numbers is one input; any other list is as many as it has.
std::uint32_t inputs_of(const RequestJson& body) {
    const RequestJson* input = field(body, "input");
    if (input == nullptr || !input->is_array() || input->empty() || input->front().is_number())
        return 1;
    return static_cast<std::uint32_t>(input->size());
}

// Finds the numbers of the top-level "usage" without building a tree.
class UsageReader final : public nlohmann::json_sax<nlohmann::json> {
public:
    [[nodiscard]] const BatchUsage& usage() const { return usage_; }
    [[nodiscard]] bool is_object() const { return is_object_; }

    bool null() override { return value(); }
    bool boolean(bool) override { return value(); }
    bool number_integer(number_integer_t) override { return value(); }
    bool number_unsigned(number_unsigned_t number) override {
        const auto count = static_cast<std::uint32_t>(std::min<std::uint64_t>(number, UINT32_MAX));
        if (depth_ == 2 && in_usage_) {
            if (name_ == "prompt_tokens")
                usage_.input_tokens = count;
            else if (name_ == "completion_tokens")
                usage_.output_tokens = count;
        } else if (depth_ == 3 && in_usage_) {
            if (name_ == "cached_tokens")
                usage_.cached_tokens = count;
            else if (name_ == "reasoning_tokens")
                usage_.reasoning_tokens = count;
        }
        return value();
    }
    bool number_float(number_float_t, const string_t&) override { return value(); }
    bool string(string_t&) override { return value(); }
    bool binary(binary_t&) override { return value(); }
    bool start_object(std::size_t) override {
        is_object_ = is_object_ || depth_ == 0;
        ++depth_;
        return true;
    }
    bool key(string_t& name) override {
        if (depth_ == 1)
            in_usage_ = name == "usage";
        name_ = name;
        return true;
    }
    bool end_object() override { return leave(); }
    bool start_array(std::size_t) override {
        ++depth_;
        return true;
    }
    bool end_array() override { return leave(); }
    bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override {
        return false;
    }

private:
    bool value() { return true; }
    bool leave() {
        --depth_;
        name_.clear();
        return true;
    }

    BatchUsage usage_;
    std::size_t depth_ = 0;
    bool is_object_ = false;
    bool in_usage_ = false;
    std::string name_;
};

void append_line_head(std::string& out, std::string_view id, std::string_view custom_id) {
    out += R"({"id":)";
    append_json_string(out, id);
    out += R"(,"custom_id":)";
    append_json_string(out, custom_id);
}

}  // namespace

tl::expected<BatchRequestLine, BatchFault> read_batch_line(std::string_view text,
                                                           std::string_view endpoint,
                                                           std::uint32_t line) {
    const auto fault = [&](const char* code, std::string message, const char* param = "") {
        return tl::unexpected(BatchFault{code, std::move(message), param, line});
    };
    if (is_blank(text))
        return fault("blank_line", "The line is empty. Each line is one JSON object.");
    if (text.size() > batch_line_bytes_max) {
        return fault("line_too_long",
                     "The line is longer than " + std::to_string(batch_line_bytes_max) + " bytes.");
    }
    const auto tree = parse_request_tree(text);
    if (!tree) {
        return fault("invalid_json_line",
                     "This line is not a JSON object that can be read: " + tree.error().message);
    }
    BatchRequestLine read;
    read.custom_id = text_member(*tree, "custom_id");
    if (read.custom_id.empty())
        return fault("missing_custom_id", "'custom_id' must be a string that names the line.",
                     "custom_id");
    const bool plain = std::ranges::none_of(
        read.custom_id, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
    if (read.custom_id.size() > custom_id_bytes_max || !plain) {
        return fault("invalid_custom_id",
                     "'custom_id' has at most 256 bytes and no control "
                     "characters.",
                     "custom_id");
    }
    if (text_member(*tree, "method") != "POST")
        return fault("invalid_method", "'method' must be \"POST\".", "method");
    if (text_member(*tree, "url") != endpoint) {
        return fault("mismatched_url",
                     "'url' must be the batch's endpoint, " + std::string(endpoint) + ".", "url");
    }
    const RequestJson* body = field(*tree, "body");
    if (body == nullptr || !body->is_object())
        return fault("missing_body", "'body' must be an object: the request.", "body");
    if (is_true(*body, "stream"))
        return fault("stream_not_supported", "A batch has no streams. Leave out 'stream'.",
                     "body.stream");
    read.model = text_member(*body, "model");
    if (read.model.empty())
        return fault("missing_model", "'model' must be a string that names a model.", "body.model");
    read.inputs = endpoint == batch_endpoints[2] ? inputs_of(*body) : 1;
    read.body = dump(*body);
    if (read.body.size() > batch_body_bytes_max) {
        return fault(
            "line_too_long",
            "The request is longer than " + std::to_string(batch_body_bytes_max) + " bytes.",
            "body");
    }
    return read;
}

std::optional<BatchUsage> read_batch_usage(std::string_view body) {
    UsageReader reader;
    bool good = false;
    try {
        good = nlohmann::json::sax_parse(body.begin(), body.end(), &reader);
    } catch (const nlohmann::json::exception&) {
        return std::nullopt;
    }
    if (!good || !reader.is_object())
        return std::nullopt;
    return reader.usage();
}

// In JSON these bytes stand between values only: within a string they would be escaped.
std::string on_one_line(std::string body) {
    std::ranges::replace_if(
        body, [](char c) { return c == '\n' || c == '\r'; }, ' ');
    return body;
}

std::string batch_answer_line(std::string_view id, std::string_view custom_id,
                              std::uint32_t status_code, std::string_view request_id,
                              std::string_view body) {
    std::string out;
    out.reserve(body.size() + custom_id.size() + 256);
    append_line_head(out, id, custom_id);
    out += R"(,"response":{"status_code":)" + std::to_string(status_code) + R"(,"request_id":)";
    append_json_string(out, request_id);
    out.append(R"(,"body":)").append(body).append("},\"error\":null}\n");
    return out;
}

std::string batch_error_line(std::string_view id, std::string_view custom_id, std::string_view code,
                             std::string_view message) {
    std::string out;
    append_line_head(out, id, custom_id);
    out += R"(,"response":null,"error":{"code":)";
    append_json_string(out, code);
    out += R"(,"message":)";
    append_json_string(out, message);
    out += "}}\n";
    return out;
}

}  // namespace idlewatt::wire
