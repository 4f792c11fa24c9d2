// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/model_upload.hpp"

#include <charconv>
#include <filesystem>
#include <optional>
#include <ostream>

#include "blobs/sha256.hpp"
#include "cli/columns.hpp"
#include "engine/model_header.hpp"
#include "wire/admin.hpp"

namespace idlewatt::cli {

namespace {

// Of what a coordinator says to a file; the rest is not read.
constexpr std::size_t upload_refusal_bytes_max = 64 * 1024;

// Letters that a model's name may have in paths, on command lines and in requests.
std::string fit_name(std::string_view text) {
    std::string name;
    for (const char c : text) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == ':';
        if (plain)
            name += c;
        else if (!name.empty() && !name.ends_with('-'))
            name += '-';
    }
    while (name.ends_with('-'))
        name.pop_back();
    return name;
}

std::string blob_path(const core::Model& model) {
    return "/blobs/sha256/" + model.sha256;
}

std::optional<std::uint64_t> offset_in(const http::Headers& headers) {
    const auto found = headers.find("upload-offset");
    if (found == headers.end())
        return std::nullopt;
    const std::string& text = found->second;
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size())
        return std::nullopt;
    return value;
}

base::Error refused(const http::Response& response, const char* what) {
    return {response.status == 401 || response.status == 403 ? base::ErrorKind::denied
                                                             : base::ErrorKind::bad_input,
            std::string(what) + ": " + refusal_text(response)};
}

// What the coordinator has of the file: whole and verified, or so many bytes.
struct There {
    std::uint64_t bytes = 0;
    bool whole = false;
};

base::Result<There> look_there(base::AsioLoop& loop, const Connection& connection,
                               const core::Model& model) {
    auto response = http::call_and_wait(loop, call_to(connection, "HEAD", blob_path(model)));
    if (!response)
        return tl::unexpected(not_reached(connection, response.error()));
    if (response->status == 200)
        return There{model.bytes, true};
    if (response->status != 404)
        return tl::unexpected(refused(*response, "the coordinator takes no file"));
    const std::uint64_t bytes = offset_in(response->headers).value_or(0);
    if (bytes < model.bytes)
        return There{bytes, false};
    // All of it, but not verified: it died in between. A part that is empty cannot be said.
    const auto dropped = http::call_and_wait(loop, call_to(connection, "DELETE", blob_path(model)));
    if (!dropped)
        return tl::unexpected(not_reached(connection, dropped.error()));
    return There{};
}

// Before anything is sent: another file of this name. What cannot be asked is told at the end.
base::Result<void> name_is_free(base::AsioLoop& loop, const Connection& connection,
                                const core::Model& model) {
    const auto response = http::call_and_wait(loop, call_to(connection, "GET", "/api/v1/models"));
    // Told here: what answers the question for the file has no body that says why.
    if (response && (response->status == 401 || response->status == 403)) {
        base::Error error = refused(*response, "the coordinator takes no file");
        error.message += '\n' + step_after(connection, *response);
        return tl::unexpected(std::move(error));
    }
    if (!response || response->status != 200)
        return {};
    const auto rows = wire::parse_registered_models(response->body);
    if (!rows)
        return {};
    for (const wire::RegisteredModel& row : *rows) {
        if (row.model.name == model.name && row.model.sha256 != model.sha256) {
            return base::fail(base::ErrorKind::bad_input,
                              "the cell has another model of the name '" + model.name +
                                  "'; add this one by another (idlewatt model add FILE --name "
                                  "NAME), or remove that one (idlewatt model rm " +
                                  model.name + ")");
        }
    }
    return {};
}

struct Sent {
    http::Response response;
    base::Result<void> end;
};

// One try; the response is that of the coordinator if it came to that.
Sent send_rest(base::AsioLoop& loop, const Connection& connection, const core::Model& model,
               const std::shared_ptr<const http::ServedFile>& file, std::uint64_t offset,
               Progress& progress) {
    http::Call call = call_to(connection, "PUT", blob_path(model));
    call.headers["content-type"] = "application/octet-stream";
    call.headers["content-range"] = "bytes " + std::to_string(offset) + "-" +
                                    std::to_string(model.bytes - 1) + "/" +
                                    std::to_string(model.bytes);
    call.body_file = {file, offset, model.bytes - offset};
    call.silence_timeout = upload_silence_max;
    Sent sent;
    bool ended = false;
    http::CallHandler handler;
    handler.on_head = [&](int status, const http::Headers& headers) {
        sent.response.status = status;
        sent.response.headers = headers;
    };
    handler.on_body = [&](std::string_view bytes) {
        const std::size_t room = upload_refusal_bytes_max - sent.response.body.size();
        sent.response.body.append(bytes.substr(0, room));
    };
    handler.on_sent = [&](std::uint64_t bytes) { progress.update(offset + bytes, loop.now()); };
    handler.on_end = [&](base::Result<void> end) {
        sent.end = std::move(end);
        ended = true;
    };
    const auto exchange = http::call(loop, std::move(call), std::move(handler));
    while (!ended)
        loop.run_for(base::milliseconds(20));
    return sent;
}

}  // namespace

base::Result<core::Model> describe_model(base::AsioLoop& loop, const std::string& path,
                                         const std::string& name, std::ostream& err,
                                         ProgressStyle style) {
    const auto header = engine::read_model_header(path);
    if (!header)
        return tl::unexpected(header.error());
    std::error_code error;
    const std::uint64_t bytes = std::filesystem::file_size(path, error);
    if (error)
        return base::fail(base::ErrorKind::io, "cannot read " + path + ": " + error.message());
    core::Model model;
    model.name = fit_name(!name.empty()           ? name
                          : !header->name.empty() ? header->name
                                                  : std::filesystem::path(path).stem().string());
    Progress progress(err, style, "hash " + model.name, bytes);
    progress.begin(0, loop.now());
    const auto digest =
        blobs::sha256_of_file(path, [&](std::uint64_t done) { progress.update(done, loop.now()); });
    if (!digest)
        return tl::unexpected(digest.error());
    model.sha256 = digest->sha256;
    model.bytes = digest->bytes;
    model.architecture = header->architecture;
    model.quantization = header->quantization;
    model.parameters = header->parameters;
    model.context_tokens = header->context_tokens;
    return model;
}

base::Result<void> upload_blob(base::AsioLoop& loop, const Connection& connection,
                               const std::string& path, const core::Model& model,
                               Progress& progress) {
    auto file = http::ServedFile::open(path);
    if (!file)
        return tl::unexpected(file.error());
    std::optional<std::uint64_t> best;
    int failures = 0;
    base::Error last{base::ErrorKind::unavailable, "not tried"};
    while (failures < upload_failures_max) {
        const auto there = look_there(loop, connection, model);
        if (!there && there.error().kind != base::ErrorKind::unavailable)
            return tl::unexpected(there.error());
        if (there) {
            if (!best)
                progress.begin(there->bytes, loop.now());
            failures = best && there->bytes <= *best ? failures : 0;
            best = std::max(best.value_or(0), there->bytes);
            if (there->whole) {
                progress.finish(loop.now());
                return {};
            }
            const Sent sent = send_rest(loop, connection, model, *file, there->bytes, progress);
            const int status = sent.response.status;
            if (status == 201) {
                progress.finish(loop.now());
                return {};
            }
            // 202 and 409: go on where it says. The rest is no matter of trying again.
            if (status >= 400 && status < 500 && status != 409 && status != 408 && status != 429)
                return tl::unexpected(refused(sent.response, "the coordinator refused the file"));
            last = status != 0 ? refused(sent.response, "the coordinator did not take the file")
                   : !sent.end ? not_reached(connection, sent.end.error())
                               : last;
        } else {
            last = there.error();
        }
        ++failures;
        loop.run_for(upload_retry);
    }
    return tl::unexpected(last);
}

base::Result<core::Model> add_model(base::AsioLoop& loop, const Connection& connection,
                                    const std::string& path, core::Model model, std::ostream& err,
                                    ProgressStyle style) {
    if (const auto free = name_is_free(loop, connection, model); !free)
        return tl::unexpected(free.error());
    Progress progress(err, style, "send " + model.name, model.bytes);
    auto sent = upload_blob(loop, connection, path, model, progress);
    if (!sent)
        return tl::unexpected(sent.error());
    http::Call call = call_to(connection, "POST", "/api/v1/models");
    call.headers["content-type"] = "application/json";
    call.body = wire::registered_model_body(model);
    const auto response = http::call_and_wait(loop, std::move(call));
    if (!response)
        return tl::unexpected(not_reached(connection, response.error()));
    if (response->status < 200 || response->status > 299)
        return tl::unexpected(refused(*response, "the coordinator refused the model"));
    return wire::parse_registered_model(response->body);
}

}  // namespace idlewatt::cli
