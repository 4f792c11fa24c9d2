// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Files of clients over HTTP. Who asks is checked before; a key sees its own files only.
//
//   POST   /v1/files                  multipart/form-data: file, purpose, expires_after
//   GET    /v1/files                  ?purpose&limit&order&after
//   GET    /v1/files/ID
//   GET    /v1/files/ID/content       Range and ETag as in RFC 9110
//   DELETE /v1/files/ID               409 while a batch that runs uses it
//
// Bytes are blobs, pinned for as long as a file of theirs is in the store; several files may share
// a blob. Threads: the loop's.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/loop.hpp"
#include "blobs/blobs.hpp"
#include "coordinator/client_door.hpp"
#include "coordinator/file_book.hpp"
#include "coordinator/file_upload.hpp"
#include "http/http.hpp"
#include "store/store.hpp"

namespace idlewatt::coordinator {

inline constexpr std::string_view files_path = "/v1/files";
// At a time; more are sent away.
inline constexpr std::size_t file_uploads_max = 16;
// The files of one key may take the folder's room, and be as many as files_max, divided by this;
// what batches of it bring is never turned away, but counts.
inline constexpr std::uint64_t file_keys_per_folder = 4;
// Files whose time is over are looked for so often.
inline constexpr base::Duration file_expiry_period = base::seconds(30);
// Bytes of deleted files that something holds up are tried so often, so many at a time; the folder
// drops the rest when it needs room.
inline constexpr std::uint32_t blob_erase_tries = 3;
inline constexpr std::size_t unerased_blobs_max = 1000;

class FileDesk {
public:
    FileDesk(base::Loop& loop, store::Store& store, blobs::Blobs& blobs, ClientDoor& door);
    ~FileDesk();

    FileDesk(const FileDesk&) = delete;
    FileDesk& operator=(const FileDesk&) = delete;

    // Reads the files' rows, until it succeeds.
    void start();
    // Whether a batch that runs needs the file.
    void set_in_use(std::function<bool(const std::string& file)> in_use) {
        in_use_ = std::move(in_use);
    }

    [[nodiscard]] static bool is_upload(const http::Request& head);
    void serve(const http::Request& request, const core::KeyId& key);

    // As in blob_desk.hpp. The body of such a request comes here.
    [[nodiscard]] bool takes(http::RequestId request) const {
        return early_.contains(request) || uploads_.contains(request);
    }
    void expect(http::RequestId request) { early_.try_emplace(request); }
    void forget(http::RequestId request) { early_.erase(request); }
    void on_body(http::RequestId request, const std::string& part);
    void on_body_end(http::RequestId request);
    void on_gone(http::RequestId request);

    [[nodiscard]] bool loaded() const { return loaded_; }
    [[nodiscard]] const FileBook& book() const { return book_; }
    // They are in the store already; the pin is taken over.
    void adopt(const store::File& file, blobs::Pin pin);
    // Erases it, unless a batch that runs needs it or the store is away.
    void drop(const store::File& file);

private:
    using Id = http::RequestId;
    struct Early {
        std::string bytes;
        bool ended = false;
    };

    void load();
    void tick();
    void take(const http::Request& request, const core::KeyId& key);
    // Nothing: there is room for so many bytes more.
    [[nodiscard]] std::optional<wire::ApiError> no_room_for(const core::KeyId& key,
                                                            std::uint64_t bytes) const;
    void received(Id request, const core::KeyId& key, FileUpload::Received& received);
    void list(const http::Request& request, const core::KeyId& key);
    void send(const http::Request& request, const store::File& file);
    void send_without_a_file(Id request, const blobs::Blob& blob);
    void erase(const store::File& file, std::function<void(base::Result<void>)> done);
    void erase_blob(const std::string& sha256, std::uint32_t tries);
    void drop_upload(Id request);

    base::Loop& loop_;
    store::Store& store_;
    blobs::Blobs& blobs_;
    ClientDoor& door_;
    FileBook book_;
    std::map<std::string, blobs::Pin> pins_;  // by the file's id
    // Bytes of files on their way into the store.
    std::multimap<core::KeyId, std::uint64_t> adding_;
    std::map<Id, std::unique_ptr<FileUpload>> uploads_;
    std::vector<std::unique_ptr<FileUpload>> ended_uploads_;
    std::map<Id, Early> early_;
    std::map<std::string, std::uint32_t> unerased_;  // blobs, and how often they are tried again
    std::function<bool(const std::string&)> in_use_;
    bool loaded_ = false;
    base::TimerId timer_{};
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace idlewatt::coordinator
