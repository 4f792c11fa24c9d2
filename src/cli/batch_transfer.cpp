// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/batch_transfer.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

#include "identity/secret.hpp"
#include "wire/batch_lines.hpp"

namespace idlewatt::cli {

namespace {

constexpr std::size_t refusal_bytes_max = 64 * 1024;
// Given to the connection and not yet with the kernel.
constexpr std::uint64_t upload_window_bytes = 1024 * 1024;

std::string form_boundary() {
    std::array<char, 48> text{};
    std::snprintf(text.data(), text.size(), "idlewatt-%016llx%016llx",
                  static_cast<unsigned long long>(identity::random_seed()),
                  static_cast<unsigned long long>(identity::random_seed()));
    return text.data();
}

// What may stand between quotes in a form's header.
std::string quotable(std::string name) {
    for (char& c : name) {
        if (static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\' || c == 0x7F)
            c = '_';
    }
    return name;
}

// A form with one file, given piece by piece.
class FileForm {
public:
    FileForm(std::shared_ptr<const http::ServedFile> file, const std::string& name)
        : file_(std::move(file)), boundary_(form_boundary()) {
        head_ = "--" + boundary_ +
                "\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--" +
                boundary_ + "\r\ncontent-disposition: form-data; name=\"file\"; filename=\"" +
                quotable(name) + "\"\r\ncontent-type: application/jsonl\r\n\r\n";
        tail_ = "\r\n--" + boundary_ + "--\r\n";
    }

    [[nodiscard]] std::string content_type() const {
        return "multipart/form-data; boundary=" + boundary_;
    }
    [[nodiscard]] std::uint64_t bytes() const {
        return head_.size() + file_->bytes() + tail_.size();
    }
    [[nodiscard]] std::uint64_t of_file(std::uint64_t sent) const {
        return std::min(sent - std::min<std::uint64_t>(sent, head_.size()), file_->bytes());
    }
    // Empty: all was given. nullopt: the file has become shorter.
    [[nodiscard]] std::optional<std::string> next() {
        if (!std::exchange(head_given_, true))
            return head_;
        if (offset_ < file_->bytes()) {
            std::string part(static_cast<std::size_t>(std::min<std::uint64_t>(
                                 http::file_part_bytes, file_->bytes() - offset_)),
                             '\0');
            if (file_->read(offset_, part.data(), part.size()) != part.size())
                return std::nullopt;
            offset_ += part.size();
            return part;
        }
        return std::exchange(tail_given_, true) ? std::string() : tail_;
    }

private:
    std::shared_ptr<const http::ServedFile> file_;
    std::string boundary_;
    std::string head_;
    std::string tail_;
    std::uint64_t offset_ = 0;
    bool head_given_ = false;
    bool tail_given_ = false;
};

// An answer as it comes.
struct Coming {
    http::Response response;
    std::optional<base::Result<void>> end;

    [[nodiscard]] http::CallHandler handler() {
        http::CallHandler made;
        made.on_head = [this](int status, const http::Headers& headers) {
            response.status = status;
            response.headers = headers;
        };
        made.on_body = [this](std::string_view bytes) {
            response.body.append(bytes.substr(0, refusal_bytes_max - response.body.size()));
        };
        made.on_end = [this](base::Result<void> result) { end = std::move(result); };
        return made;
    }
    [[nodiscard]] base::Result<http::Response> conclude(const Connection& connection) {
        if (end && !*end)
            return tl::unexpected(not_reached(connection, end->error()));
        return std::move(response);
    }
};

}  // namespace

base::Result<http::Response> upload_batch_file(base::AsioLoop& loop, const Connection& connection,
                                               const std::string& path, Progress& progress) {
    auto file = http::ServedFile::open(path);
    if (!file)
        return tl::unexpected(file.error());
    FileForm form(*file, std::filesystem::path(path).filename());
    http::Call call = call_to(connection, "POST", "/v1/files");
    call.headers["content-type"] = form.content_type();
    call.body_stream = http::Call::BodyStream{form.bytes()};
    call.silence_timeout = batch_silence_max;
    Coming coming;
    std::uint64_t given = 0;
    std::uint64_t sent = 0;
    bool ended = false;
    http::CallHandler handler = coming.handler();
    handler.on_sent = [&](std::uint64_t bytes) {
        sent = bytes;
        progress.update(form.of_file(sent), loop.now());
    };
    progress.begin(0, loop.now());
    const auto exchange = http::call(loop, std::move(call), std::move(handler));
    while (!coming.end) {
        while (!ended && given - sent < upload_window_bytes) {
            const auto part = form.next();
            if (!part)
                return base::fail(base::ErrorKind::io, path + " has become shorter meanwhile");
            given += part->size();
            ended = part->empty();
            if (ended)
                exchange->end_body();
            else
                exchange->send(*part);
        }
        loop.run_for(base::milliseconds(5));
    }
    if (*coming.end && coming.response.status < 300)
        progress.finish(loop.now());
    return coming.conclude(connection);
}

base::Result<http::Response> download(base::AsioLoop& loop, const Connection& connection,
                                      const std::string& path,
                                      const std::function<bool(std::string_view bytes)>& take) {
    http::Call call = call_to(connection, "GET", path);
    call.silence_timeout = batch_silence_max;
    Coming coming;
    bool taken = true;
    http::CallHandler handler = coming.handler();
    handler.on_body = [&, keep = std::move(handler.on_body)](std::string_view bytes) {
        if (coming.response.status != 200)
            keep(bytes);
        else
            taken = taken && take(bytes);
    };
    const auto exchange = http::call(loop, std::move(call), std::move(handler));
    while (!coming.end && taken)
        loop.run_for(base::milliseconds(5));
    if (!taken)
        return base::fail(base::ErrorKind::io, "what came could not be written: is the disk full?");
    return coming.conclude(connection);
}

base::Result<std::string> endpoint_in(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file)
        return base::fail_errno("cannot read " + path);
    std::string line;
    for (char c = 0; line.size() < wire::batch_line_bytes_max && file.get(c) && c != '\n';)
        line += c;
    const auto object = nlohmann::json::parse(line, nullptr, false);
    const bool there = object.is_object() && object.contains("url") && object["url"].is_string();
    return there ? object["url"].get<std::string>() : std::string();
}

}  // namespace idlewatt::cli
