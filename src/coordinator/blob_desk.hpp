// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Model files over HTTP, by the SHA-256 of their bytes. Who may ask is checked before.
//
//   GET, HEAD /blobs/sha256/<hex>   the bytes; Range as in RFC 9110. 404 while it is not whole,
//   with
//                                   upload-offset: how many bytes are there
//   PUT       /blobs/sha256/<hex>   the whole of it, or with content-range: bytes A-B/TOTAL the
//   part
//                                   that begins at upload-offset. 201: whole and verified; 202: go
//                                   on at upload-offset; 409: not the offset at which to go on;
//                                   422: all bytes are there and are not what their name says
//   DELETE    /blobs/sha256/<hex>   whole or in part
//
// Threads: the loop's. What an upload holds in memory is bounded by http::body_window_bytes.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/loop.hpp"
#include "blobs/blobs.hpp"
#include "http/http.hpp"
#include "wire/api_error.hpp"

namespace idlewatt::coordinator {

inline constexpr std::string_view blobs_path = "/blobs/sha256/";
// At a time.
inline constexpr std::size_t uploads_max = 16;
// Handed to the folder at a time.
inline constexpr std::size_t upload_part_bytes = 256 * 1024;

class BlobDesk {
public:
    BlobDesk(base::Loop& loop, http::Server& server, blobs::Blobs& blobs);
    ~BlobDesk();

    BlobDesk(const BlobDesk&) = delete;
    BlobDesk& operator=(const BlobDesk&) = delete;

    // The hash in a target below blobs_path; nullopt: another target.
    [[nodiscard]] static std::optional<std::string> blob_of(std::string_view target);

    void serve(const http::Request& request, const std::string& sha256);
    void take(const http::Request& request, const std::string& sha256);
    void erase(const http::Request& request, const std::string& sha256);

    // A body comes while it is still being found out who sends it: what arrives is kept (no more
    // than http::body_window_bytes) until take(), or until forget() when it is sent away.
    void expect(http::RequestId request) { early_.try_emplace(request); }
    void forget(http::RequestId request) { early_.erase(request); }

    // Of the server's handler, for uploads under way.
    void on_body(http::RequestId request, std::string part);
    void on_body_end(http::RequestId request);
    void on_gone(http::RequestId request);

    [[nodiscard]] bool has(std::string_view sha256) const;
    // Whether an engine could make sense of its head, and all of its tensors are there.
    void check_model(const std::string& sha256, std::function<void(base::Result<void>)> done);
    // These are not dropped to make room for others.
    void keep(const std::string& name, const std::string& sha256);
    void let_go(const std::string& name);
    // Called for each that has become whole.
    void on_whole(std::function<void()> whole) { on_whole_ = std::move(whole); }

private:
    struct Upload {
        std::string sha256;
        std::uint64_t total_bytes = 0;
        std::uint64_t offset = 0;  // of the next byte to hand over
        std::uint64_t end = 0;     // of this request's bytes
        std::string waiting;
        std::size_t writes = 0;
        bool ended = false;  // all of the body is here
        blobs::Progress progress;
        blobs::Pin pin;
    };

    struct Early {
        std::string bytes;
        bool ended = false;
    };

    void hand_over(http::RequestId request, Upload& upload);
    void written(http::RequestId request, std::size_t bytes,
                 const base::Result<blobs::Progress>& progress);
    void finish(http::RequestId request);
    void refuse(http::RequestId request, const wire::ApiError& error, http::Headers headers = {});

    base::Loop& loop_;
    http::Server& server_;
    blobs::Blobs& blobs_;
    std::map<http::RequestId, Upload> uploads_;
    std::map<http::RequestId, Early> early_;
    std::map<std::string, blobs::Pin> kept_;
    std::function<void()> on_whole_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace idlewatt::coordinator
