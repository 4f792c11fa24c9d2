// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A file on its way from a client: multipart/form-data, of which the part 'file' comes before its
// purpose, straight into a draft of a blob. Holds no more than http::body_window_bytes and a part.
//
// Threads: the loop's. Destroying it throws away what came.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "blobs/blobs.hpp"
#include "http/multipart.hpp"
#include "store/batch_rows.hpp"
#include "wire/api_error.hpp"

namespace idlewatt::coordinator {

// Handed to the draft at a time.
inline constexpr std::size_t draft_part_bytes = 256 * 1024;

class FileUpload {
public:
    // Of what came: the file without its id, owner and times; expires_after as a time from 0.
    struct Received {
        store::File file;
        std::optional<base::Duration> expires_after;
        blobs::Pin pin;
    };
    struct Told {
        std::function<void(std::size_t bytes)> consumed;  // of the body
        std::function<void(const wire::ApiError&)> failed;
        std::function<void(Received&)> received;
    };

    FileUpload(blobs::Blobs& blobs, std::string_view boundary, Told told);

    FileUpload(const FileUpload&) = delete;
    FileUpload& operator=(const FileUpload&) = delete;

    // Calls back at once or later; after failed() or received() nothing more comes. Must not be
    // destroyed in a callback.
    void feed(std::string_view bytes);
    void end();

private:
    void on_part(const http::MultipartHead& head);
    void on_bytes(std::string_view bytes);
    void write();
    void written(const base::Result<std::uint64_t>& bytes);
    void finish();
    void fail(wire::ApiErrorCode code, std::string message, std::string param = {});
    [[nodiscard]] bool read_fields();

    enum class Field { none, file, purpose, anchor, seconds, other };

    blobs::Blobs& blobs_;
    Told told_;
    http::Multipart multipart_;
    std::unique_ptr<blobs::Draft> draft_;
    Received received_{};
    std::string waiting_;
    std::string purpose_;
    std::string anchor_;
    std::string seconds_;
    std::optional<std::string> filename_;
    Field field_ = Field::none;
    std::size_t unconsumed_ = 0;
    std::size_t writes_ = 0;
    bool ended_ = false;
    bool over_ = false;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace idlewatt::coordinator
