// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "coordinator/file_desk.hpp"

#include <charconv>
#include <utility>

#include "base/log.hpp"
#include "http/file_answer.hpp"
#include "wire/batch_object.hpp"

namespace idlewatt::coordinator {

namespace {

using wire::ApiErrorCode;

constexpr std::size_t file_list_max = 10'000;
constexpr base::Duration load_again_after = base::seconds(1);

wire::FileObject object_of(const store::File& file) {
    return {file.id, file.bytes, file.created_at, file.expires_at, file.filename, file.purpose};
}

std::string_view path_in(std::string_view target) {
    std::string_view path = target.substr(0, target.find('?'));
    while (path.ends_with('/'))
        path.remove_suffix(1);
    return path;
}

// 0: it does not say.
std::uint64_t length_of(const http::Request& request) {
    const auto found = request.headers.find("content-length");
    const std::string said = found == request.headers.end() ? std::string() : found->second;
    std::uint64_t bytes = 0;
    std::from_chars(said.data(), said.data() + said.size(), bytes);
    return bytes;
}

bool reads_only(const http::Request& request) {
    return request.method == "GET" || request.method == "HEAD";
}

}  // namespace

FileDesk::FileDesk(base::Loop& loop, store::Store& store, blobs::Blobs& blobs, ClientDoor& door)
    : loop_(loop), store_(store), blobs_(blobs), door_(door) {}

FileDesk::~FileDesk() {
    loop_.cancel(timer_);
}

void FileDesk::start() {
    load();
}

void FileDesk::load() {
    store_.list_files(
        [this, alive = std::weak_ptr(alive_)](const base::Result<std::vector<store::File>>& files) {
            if (alive.expired())
                return;
            if (!files) {
                base::log_warning("coordinator", files.error().message);
                timer_ = loop_.after(load_again_after, [this] { load(); });
                return;
            }
            for (const store::File& file : *files)
                adopt(file, blobs::Pin(blobs_, file.sha256));
            loaded_ = true;
            tick();
        });
}

void FileDesk::adopt(const store::File& file, blobs::Pin pin) {
    book_.put(file);
    pins_.insert_or_assign(file.id, std::move(pin));
}

void FileDesk::tick() {
    timer_ = loop_.after(file_expiry_period, [this] { tick(); });
    for (const auto& [sha256, tries] : std::exchange(unerased_, {}))
        erase_blob(sha256, tries);
    for (const store::File& file : book_.expired(loop_.wall_now()))
        drop(file);
}

void FileDesk::drop(const store::File& file) {
    if (in_use_ && in_use_(file.id))
        return;
    erase(file, [](const base::Result<void>& erased) {
        if (!erased)
            base::log_warning("coordinator", erased.error().message);
    });
}

// ── requests ────────────────────────────────────────────────────────────────────────────────────

bool FileDesk::is_upload(const http::Request& head) {
    return head.method == "POST" && path_in(head.target) == files_path;
}

void FileDesk::serve(const http::Request& request, const core::KeyId& key) {
    if (!loaded_) {
        return door_.refuse(request.id, ApiErrorCode::store_unavailable,
                            "The files are not read from the database yet. Try again soon.");
    }
    std::string_view path = path_in(request.target);
    path.remove_prefix(files_path.size());
    if (path.empty()) {
        if (request.method == "POST")
            return take(request, key);
        if (reads_only(request))
            return list(request, key);
        return door_.refuse(request.id, ApiErrorCode::method_not_allowed, "Use GET or POST here.");
    }
    path.remove_prefix(1);
    const std::size_t slash = path.find('/');
    const std::string_view verb =
        slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
    const store::File* const file = book_.find(std::string(path.substr(0, slash)), key);
    if (file == nullptr) {
        return door_.refuse(request.id, ApiErrorCode::not_found, "You have no file of this id.");
    }
    if (verb == "content" && reads_only(request))
        return send(request, *file);
    if (!verb.empty() && verb != "content") {
        return door_.refuse(request.id, ApiErrorCode::unknown_path, "There is nothing here.");
    }
    if (verb.empty() && reads_only(request))
        return door_.respond(request.id, 200, wire::file_body(object_of(*file)));
    if (!verb.empty() || request.method != "DELETE") {
        return door_.refuse(request.id, ApiErrorCode::method_not_allowed,
                            "Use GET or DELETE here.");
    }
    if (in_use_ && in_use_(file->id)) {
        return door_.refuse(request.id, ApiErrorCode::conflict,
                            "A batch that runs uses this file. Cancel it, or wait for its end.",
                            "id");
    }
    erase(*file, [this, alive = std::weak_ptr(alive_), request = request.id,
                  id = file->id](const base::Result<void>& erased) {
        if (alive.expired())
            return;
        if (!erased)
            return door_.refuse_later(request, erased.error());
        door_.respond(request, 200, wire::file_deleted_body(id));
    });
}

void FileDesk::list(const http::Request& request, const core::KeyId& key) {
    const auto query = wire::parse_list_query(request.target, file_list_max, file_list_max);
    if (!query)
        return door_.refuse(request.id, query.error());
    const FilePage page =
        book_.page(key, {query->after, query->purpose, query->limit, query->ascending});
    std::vector<wire::FileObject> objects;
    for (const store::File& file : page.files)
        objects.push_back(object_of(file));
    door_.respond(request.id, 200, wire::file_list_body(objects, page.more));
}

void FileDesk::send(const http::Request& request, const store::File& file) {
    const auto blob = blobs_.find(file.sha256);
    if (!blob) {
        base::log_error("coordinator",
                        "the bytes of " + file.id + " are gone: blob " + file.sha256);
        return door_.refuse(request.id, ApiErrorCode::internal_error,
                            "The bytes of this file are gone.");
    }
    if (blob->path.empty())
        return send_without_a_file(request.id, *blob);
    auto bytes = http::ServedFile::open(blob->path);
    if (!bytes)
        return door_.refuse_later(request.id, bytes.error());
    http::answer_with_file(door_.server(), request, std::move(*bytes), file.sha256,
                           door_.headers({{"content-type", "application/octet-stream"}}));
}

// A store in memory has no files; what it holds is small.
void FileDesk::send_without_a_file(Id request, const blobs::Blob& blob) {
    blobs_.read(
        blob.sha256, 0, blobs::part_bytes_max,
        [this, alive = std::weak_ptr(alive_), request](const base::Result<std::string>& read) {
            if (alive.expired())
                return;
            if (!read)
                return door_.refuse_later(request, read.error());
            door_.server().respond(
                request,
                {200, door_.headers({{"content-type", "application/octet-stream"}}), *read});
        });
}

void FileDesk::erase(const store::File& file, std::function<void(base::Result<void>)> done) {
    store_.erase_file(file.id, [this, alive = std::weak_ptr(alive_), file,
                                done = std::move(done)](const base::Result<void>& erased) {
        if (alive.expired())
            return;
        const bool gone = erased || erased.error().kind == base::ErrorKind::not_found;
        if (!gone)
            return done(erased);
        book_.erase(file.id);
        pins_.erase(file.id);
        erase_blob(file.sha256, blob_erase_tries);
        done({});
    });
}

// Others may hold the same bytes, a model even: then they stay. An upload that ends just then may
// hold up any, so it is tried again.
void FileDesk::erase_blob(const std::string& sha256, std::uint32_t tries) {
    if (book_.has_blob(sha256))
        return;
    blobs_.erase(sha256, [this, alive = std::weak_ptr(alive_), sha256,
                          tries](const base::Result<void>& erased) {
        if (alive.expired())
            return;
        if (!erased && tries > 1 && unerased_.size() < unerased_blobs_max)
            unerased_.emplace(sha256, tries - 1);
    });
}

// ── uploads ─────────────────────────────────────────────────────────────────────────────────────

void FileDesk::take(const http::Request& request, const core::KeyId& key) {
    const Id id = request.id;
    const auto type = request.headers.find("content-type");
    const auto boundary =
        type == request.headers.end() ? std::nullopt : http::multipart_boundary(type->second);
    if (!boundary) {
        return door_.refuse(id, ApiErrorCode::invalid_value,
                            "A file is sent as multipart/form-data with the parts 'file' and "
                            "'purpose'.",
                            "file");
    }
    if (uploads_.size() >= file_uploads_max) {
        return door_.refuse(id, ApiErrorCode::slow_down,
                            "Too many files are being sent; try again.");
    }
    if (book_.count() >= files_max) {
        return door_.refuse(id, ApiErrorCode::insufficient_quota,
                            "There are too many files. Delete some.");
    }
    // Without a length, what comes is counted at the end.
    if (const auto error = no_room_for(key, length_of(request)))
        return door_.refuse(id, *error);
    FileUpload::Told told;
    told.consumed = [this, id](std::size_t bytes) { door_.server().consume_body(id, bytes); };
    told.failed = [this, id](const wire::ApiError& error) {
        drop_upload(id);
        door_.refuse(id, error);
    };
    told.received = [this, id, key](FileUpload::Received& got) { received(id, key, got); };
    const auto early = early_.extract(id);
    FileUpload& upload =
        *uploads_.emplace(id, std::make_unique<FileUpload>(blobs_, *boundary, std::move(told)))
             .first->second;
    const std::string& bytes = request.body_follows && early ? early.mapped().bytes : request.body;
    const bool ended = !request.body_follows || (early && early.mapped().ended);
    if (!bytes.empty())
        upload.feed(bytes);
    if (ended)
        upload.end();
}

std::optional<wire::ApiError> FileDesk::no_room_for(const core::KeyId& key,
                                                    std::uint64_t bytes) const {
    const std::uint64_t share = blobs_.bytes_limit() / file_keys_per_folder;
    auto [files, there] = book_.share_of(key);
    for (auto [one, end] = adding_.equal_range(key); one != end; ++one) {
        ++files;
        there += one->second;
    }
    if (files >= files_max / file_keys_per_folder) {
        return wire::api_error(ApiErrorCode::insufficient_quota,
                               "You have " + std::to_string(files) +
                                   " files, which is the most that a key may have. Delete files "
                                   "that you do not need.",
                               "file");
    }
    if (there <= share && bytes <= share - there)
        return std::nullopt;
    return wire::api_error(ApiErrorCode::insufficient_quota,
                           "Your files have " + std::to_string(there) + " bytes, and " +
                               std::to_string(bytes) + " more are above the " +
                               std::to_string(share) +
                               " bytes that a key may have. Delete files that you do not need.",
                           "file");
}

void FileDesk::received(Id request, const core::KeyId& key, FileUpload::Received& received) {
    store::File file = received.file;
    file.id = door_.fresh_id("file-");
    file.key = key;
    file.created_at = loop_.wall_now();
    if (received.expires_after)
        file.expires_at = file.created_at + *received.expires_after;
    auto pin = std::make_shared<blobs::Pin>(std::move(received.pin));
    drop_upload(request);
    if (const auto error = no_room_for(key, file.bytes))
        return door_.refuse(request, *error);
    const auto adding = adding_.emplace(key, file.bytes);
    store_.add_file(file, [this, alive = std::weak_ptr(alive_), request, file, pin,
                           adding](const base::Result<void>& added) {
        if (alive.expired())
            return;
        adding_.erase(adding);
        if (!added)
            return door_.refuse_later(request, added.error());
        adopt(file, std::move(*pin));
        door_.respond(request, 200, wire::file_body(object_of(file)));
    });
}

// Later: it is in the middle of telling us.
void FileDesk::drop_upload(Id request) {
    const auto found = uploads_.find(request);
    if (found == uploads_.end())
        return;
    ended_uploads_.push_back(std::move(found->second));
    uploads_.erase(found);
    loop_.post([this, alive = std::weak_ptr(alive_)] {
        if (!alive.expired())
            ended_uploads_.clear();
    });
}

void FileDesk::on_body(Id request, const std::string& part) {
    if (const auto early = early_.find(request); early != early_.end()) {
        early->second.bytes.append(part);
        return;
    }
    if (const auto upload = uploads_.find(request); upload != uploads_.end())
        upload->second->feed(part);
}

void FileDesk::on_body_end(Id request) {
    if (const auto early = early_.find(request); early != early_.end())
        early->second.ended = true;
    else if (const auto upload = uploads_.find(request); upload != uploads_.end())
        upload->second->end();
}

void FileDesk::on_gone(Id request) {
    forget(request);
    drop_upload(request);
}

}  // namespace idlewatt::coordinator
