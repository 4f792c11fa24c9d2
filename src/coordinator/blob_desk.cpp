// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "coordinator/blob_desk.hpp"

#include <charconv>
#include <utility>

#include "core/model.hpp"
#include "engine/model_header.hpp"
#include "http/file_answer.hpp"

namespace idlewatt::coordinator {

namespace {

using wire::ApiErrorCode;

constexpr const char* offset_header = "upload-offset";

struct Part {
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;
    std::uint64_t total_bytes = 0;
};

std::optional<std::uint64_t> number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size())
        return std::nullopt;
    return value;
}

// Which bytes a PUT brings, by its headers.
std::optional<Part> part_of(const http::Request& request) {
    const auto length = request.headers.find("content-length");
    const auto range = request.headers.find("content-range");
    const auto bytes = length == request.headers.end()
                           ? std::optional<std::uint64_t>(request.body.size())
                           : number(length->second);
    if (!bytes)
        return std::nullopt;
    Part part{0, *bytes, *bytes};
    if (range != request.headers.end()) {
        const auto read = http::read_content_range(range->second);
        if (!read || !read->range || !read->total_bytes || read->range->bytes != *bytes)
            return std::nullopt;
        part = {read->range->offset, *bytes, *read->total_bytes};
    }
    if (part.total_bytes > blobs::blob_bytes_max || part.offset > part.total_bytes ||
        part.bytes > part.total_bytes - part.offset)
        return std::nullopt;
    return part;
}

wire::ApiError error_of(const base::Error& error) {
    switch (error.kind) {
        case base::ErrorKind::bad_input: {
            auto wrong = wire::api_error(ApiErrorCode::invalid_value, error.message, "body");
            wrong.status = 422;
            return wrong;
        }
        case base::ErrorKind::limit_exceeded: {
            auto full = wire::api_error(ApiErrorCode::request_too_large, error.message, "body");
            full.status = 507;
            return full;
        }
        case base::ErrorKind::not_found:
            return wire::api_error(ApiErrorCode::not_found, error.message);
        case base::ErrorKind::unavailable:
            return wire::api_error(ApiErrorCode::conflict, error.message);
        case base::ErrorKind::denied:
        case base::ErrorKind::io:
            break;
    }
    return wire::api_error(ApiErrorCode::internal_error, error.message);
}

}  // namespace

BlobDesk::BlobDesk(base::Loop& loop, http::Server& server, blobs::Blobs& blobs)
    : loop_(loop), server_(server), blobs_(blobs) {}

BlobDesk::~BlobDesk() = default;

std::optional<std::string> BlobDesk::blob_of(std::string_view target) {
    target = target.substr(0, target.find('?'));
    if (!target.starts_with(blobs_path))
        return std::nullopt;
    return std::string(target.substr(blobs_path.size()));
}

bool BlobDesk::has(std::string_view sha256) const {
    return blobs_.find(sha256).has_value();
}

void BlobDesk::check_model(const std::string& sha256,
                           std::function<void(base::Result<void>)> done) {
    blobs_.examine(
        sha256,
        [](const std::string& path) -> base::Result<void> {
            const auto header = engine::read_model_header(path);
            return header ? base::Result<void>{} : tl::unexpected(header.error());
        },
        [alive = std::weak_ptr(alive_), done = std::move(done)](const base::Result<void>& checked) {
            if (!alive.expired())
                done(checked);
        });
}

void BlobDesk::keep(const std::string& name, const std::string& sha256) {
    kept_.insert_or_assign(name, blobs::Pin(blobs_, sha256));
}

void BlobDesk::let_go(const std::string& name) {
    kept_.erase(name);
}

void BlobDesk::refuse(http::RequestId request, const wire::ApiError& error, http::Headers headers) {
    forget(request);
    headers["content-type"] = "application/json";
    server_.respond(request, {error.http_status(), std::move(headers), wire::error_body(error)});
}

// ── down ────────────────────────────────────────────────────────────────────────────────────────

void BlobDesk::serve(const http::Request& request, const std::string& sha256) {
    const auto blob = core::is_sha256(sha256) ? blobs_.find(sha256) : std::nullopt;
    if (!blob) {
        http::Headers headers;
        if (core::is_sha256(sha256))
            headers[offset_header] = std::to_string(blobs_.progress(sha256).bytes);
        return refuse(request.id,
                      wire::api_error(ApiErrorCode::not_found, "No whole file has this hash here."),
                      std::move(headers));
    }
    auto file = http::ServedFile::open(blob->path);
    if (!file)
        return refuse(request.id, error_of(file.error()));
    http::answer_with_file(server_, request, std::move(*file), sha256,
                           {{"content-type", "application/octet-stream"}});
}

void BlobDesk::erase(const http::Request& request, const std::string& sha256) {
    blobs_.erase(sha256, [this, alive = std::weak_ptr(alive_),
                          id = request.id](const base::Result<void>& erased) {
        if (alive.expired())
            return;
        if (!erased)
            return refuse(id, error_of(erased.error()));
        server_.respond(id, {204, {}, {}});
    });
}

// ── up ──────────────────────────────────────────────────────────────────────────────────────────

void BlobDesk::take(const http::Request& request, const std::string& sha256) {
    const auto part = part_of(request);
    if (!core::is_sha256(sha256) || !part) {
        return refuse(request.id,
                      wire::api_error(ApiErrorCode::invalid_value,
                                      "Expected a SHA-256 of 64 hexadecimal digits in the path, "
                                      "content-length, and for a part content-range: bytes "
                                      "A-B/TOTAL."));
    }
    if (uploads_.size() >= uploads_max) {
        return refuse(request.id, wire::api_error(ApiErrorCode::slow_down,
                                                  "Too many files are being sent; try again."));
    }
    const blobs::Progress progress = blobs_.progress(sha256);
    const std::string there = std::to_string(progress.bytes);
    if (progress.complete) {
        forget(request.id);
        return server_.respond(request.id, {201, {{offset_header, there}}, {}});
    }
    if (part->offset != progress.bytes) {
        return refuse(request.id,
                      wire::api_error(ApiErrorCode::conflict,
                                      "There are " + there + " bytes of this file; go on there."),
                      {{offset_header, there}});
    }
    Upload& upload = uploads_[request.id];
    upload.sha256 = sha256;
    upload.total_bytes = part->total_bytes;
    upload.offset = part->offset;
    upload.end = part->offset + part->bytes;
    upload.progress = progress;
    upload.pin = blobs::Pin(blobs_, sha256);
    const auto early = early_.extract(request.id);
    upload.waiting = request.body_follows && early ? early.mapped().bytes : request.body;
    if (!request.body_follows || (early && early.mapped().ended))
        on_body_end(request.id);
    else if (!upload.waiting.empty())
        hand_over(request.id, upload);
}

void BlobDesk::on_body(http::RequestId request, std::string part) {
    if (const auto early = early_.find(request); early != early_.end()) {
        early->second.bytes.append(part);
        return;
    }
    const auto upload = uploads_.find(request);
    if (upload == uploads_.end())
        return;  // it has been answered; nothing more is read
    upload->second.waiting.append(part);
    if (upload->second.waiting.size() >= upload_part_bytes)
        hand_over(request, upload->second);
}

void BlobDesk::on_body_end(http::RequestId request) {
    if (const auto early = early_.find(request); early != early_.end())
        early->second.ended = true;
    const auto upload = uploads_.find(request);
    if (upload == uploads_.end())
        return;
    upload->second.ended = true;
    hand_over(request, upload->second);
}

void BlobDesk::on_gone(http::RequestId request) {
    forget(request);
    const auto upload = uploads_.find(request);
    if (upload == uploads_.end())
        return;
    // What has arrived is worth keeping: the next try begins behind it.
    if (!upload->second.waiting.empty())
        blobs_.put(upload->second.sha256, upload->second.total_bytes, upload->second.offset,
                   std::move(upload->second.waiting), [](const auto&) {});
    uploads_.erase(upload);
}

void BlobDesk::hand_over(http::RequestId request, Upload& upload) {
    std::string bytes = std::exchange(upload.waiting, {});
    const std::uint64_t offset = upload.offset;
    const std::size_t count = bytes.size();
    upload.offset += count;
    ++upload.writes;
    blobs_.put(upload.sha256, upload.total_bytes, offset, std::move(bytes),
               [this, alive = std::weak_ptr(alive_), request,
                count](const base::Result<blobs::Progress>& progress) {
                   if (!alive.expired())
                       written(request, count, progress);
               });
}

void BlobDesk::written(http::RequestId request, std::size_t bytes,
                       const base::Result<blobs::Progress>& progress) {
    const auto found = uploads_.find(request);
    if (found == uploads_.end())
        return;
    if (!progress) {
        const bool busy = progress.error().kind == base::ErrorKind::unavailable;
        uploads_.erase(found);
        return refuse(request, busy ? wire::api_error(ApiErrorCode::slow_down,
                                                      "The disk does not keep up; try again.")
                                    : error_of(progress.error()));
    }
    Upload& upload = found->second;
    upload.progress = *progress;
    --upload.writes;
    server_.consume_body(request, bytes);
    if (upload.ended && upload.writes == 0)
        finish(request);
}

void BlobDesk::finish(http::RequestId request) {
    const auto found = uploads_.find(request);
    const Upload upload = std::move(found->second);
    uploads_.erase(found);
    const std::string there = std::to_string(upload.progress.bytes);
    if (upload.progress.complete) {
        server_.respond(request, {201, {{offset_header, there}}, {}});
        if (on_whole_)
            on_whole_();
    } else if (upload.progress.bytes == upload.end) {
        server_.respond(request, {202, {{offset_header, there}}, {}});
    } else {
        refuse(request,
               wire::api_error(
                   ApiErrorCode::conflict,
                   "Somebody else sends this file, too; there are " + there + " bytes of it."),
               {{offset_header, there}});
    }
}

}  // namespace idlewatt::coordinator
