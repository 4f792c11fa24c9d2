// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "coordinator/file_upload.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "wire/batch_object.hpp"
#include "wire/chat_text.hpp"

namespace idlewatt::coordinator {

namespace {

using wire::ApiErrorCode;

constexpr std::size_t field_bytes_max = 1024;

// What stands behind the last slash, without what a terminal would obey.
std::string plain_filename(std::string_view name) {
    name.remove_prefix(std::min(name.size(), name.find_last_of("/\\") + 1));
    std::string plain;
    for (const char c : name.substr(0, wire::filename_bytes_max))
        plain += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '_' : c;
    if (const auto bad = wire::first_bad_utf8(plain))
        plain.resize(*bad);
    return plain.empty() ? "file" : plain;
}

}  // namespace

FileUpload::FileUpload(blobs::Blobs& blobs, std::string_view boundary, Told told)
    : blobs_(blobs),
      told_(std::move(told)),
      multipart_(boundary, {[this](const http::MultipartHead& head) { on_part(head); },
                            [this](std::string_view bytes) { on_bytes(bytes); },
                            [this] { field_ = Field::none; }}) {}

void FileUpload::feed(std::string_view bytes) {
    if (over_)
        return;
    unconsumed_ += bytes.size();
    const auto fed = multipart_.feed(bytes);
    if (over_)
        return;
    if (!fed)
        return fail(ApiErrorCode::invalid_value,
                    "Cannot read the form: " + fed.error().message + ".", "file");
    if (waiting_.size() >= draft_part_bytes)
        write();
    if (writes_ == 0)
        told_.consumed(std::exchange(unconsumed_, 0));
}

void FileUpload::on_part(const http::MultipartHead& head) {
    if (head.name == "file") {
        if (filename_)
            return fail(ApiErrorCode::invalid_value, "The form has two files. Send one.", "file");
        filename_ = head.filename.value_or("file");
        field_ = Field::file;
        draft_ = blobs_.draft();
    } else if (head.name == "purpose") {
        field_ = Field::purpose;
    } else if (head.name == "expires_after[anchor]") {
        field_ = Field::anchor;
    } else if (head.name == "expires_after[seconds]") {
        field_ = Field::seconds;
    } else {
        field_ = Field::other;
    }
}

void FileUpload::on_bytes(std::string_view bytes) {
    if (over_)
        return;
    if (field_ == Field::file) {
        received_.file.bytes += bytes.size();
        if (received_.file.bytes > wire::file_bytes_max)
            return fail(ApiErrorCode::request_too_large, "A file has at most 512 MB.");
        waiting_.append(bytes);
        return;
    }
    std::string* const text = field_ == Field::purpose   ? &purpose_
                              : field_ == Field::anchor  ? &anchor_
                              : field_ == Field::seconds ? &seconds_
                                                         : nullptr;
    if (text == nullptr)
        return;
    text->append(bytes);
    if (text->size() > field_bytes_max)
        fail(ApiErrorCode::invalid_value, "A field of the form is too long.");
}

void FileUpload::write() {
    ++writes_;
    draft_->append(std::exchange(waiting_, {}),
                   [this, alive = std::weak_ptr(alive_)](const base::Result<std::uint64_t>& bytes) {
                       if (!alive.expired())
                           written(bytes);
                   });
}

void FileUpload::written(const base::Result<std::uint64_t>& bytes) {
    if (over_)
        return;
    --writes_;
    if (!bytes) {
        const bool full = bytes.error().kind == base::ErrorKind::limit_exceeded;
        over_ = true;
        auto error =
            wire::api_error(full ? ApiErrorCode::insufficient_quota : ApiErrorCode::slow_down,
                            full ? "There is no room for this file. Delete others, or ask "
                                   "the operator for more."
                                 : "The disk does not keep up; try again in a moment.",
                            "file");
        return told_.failed(error);
    }
    if (writes_ > 0)
        return;
    if (ended_)
        return finish();
    told_.consumed(std::exchange(unconsumed_, 0));
}

void FileUpload::end() {
    if (over_)
        return;
    if (!multipart_.complete())
        return fail(ApiErrorCode::invalid_value, "The form is cut off.", "file");
    if (!read_fields())
        return;
    ended_ = true;
    if (!waiting_.empty())
        write();
    if (writes_ == 0)
        finish();
}

bool FileUpload::read_fields() {
    const auto refuse = [this](ApiErrorCode code, std::string message, std::string param) {
        fail(code, std::move(message), std::move(param));
        return false;
    };
    if (!filename_)
        return refuse(ApiErrorCode::invalid_value, "The form has no part 'file'.", "file");
    if (std::ranges::find(wire::file_purposes, purpose_) == wire::file_purposes.end()) {
        return refuse(ApiErrorCode::invalid_value,
                      "'purpose' must be batch, fine-tune or user_data.", "purpose");
    }
    if (purpose_ == wire::file_purposes[0] && received_.file.bytes > wire::batch_file_bytes_max)
        return refuse(ApiErrorCode::request_too_large, "A batch's file has at most 200 MB.",
                      "file");
    if (anchor_.empty() && seconds_.empty())
        return true;
    std::int64_t seconds = 0;
    const auto [end, error] =
        std::from_chars(seconds_.data(), seconds_.data() + seconds_.size(), seconds);
    const bool number = error == std::errc{} && end == seconds_.data() + seconds_.size();
    if (anchor_ != "created_at") {
        return refuse(ApiErrorCode::invalid_value, "'expires_after[anchor]' must be created_at.",
                      "expires_after[anchor]");
    }
    if (!number || seconds < wire::expires_after_min.ns / 1'000'000'000 ||
        seconds > wire::expires_after_max.ns / 1'000'000'000) {
        return refuse(ApiErrorCode::invalid_value,
                      "'expires_after[seconds]' must be 3600 to 2592000.",
                      "expires_after[seconds]");
    }
    received_.expires_after = base::seconds(seconds);
    return true;
}

void FileUpload::finish() {
    draft_->finish([this, alive = std::weak_ptr(alive_)](const base::Result<blobs::Blob>& blob) {
        if (alive.expired() || over_)
            return;
        over_ = true;
        if (!blob) {
            return told_.failed(wire::api_error(ApiErrorCode::slow_down,
                                                "The disk refuses this file; try again later."));
        }
        received_.pin = blobs::Pin(blobs_, blob->sha256);
        received_.file.sha256 = blob->sha256;
        received_.file.filename = plain_filename(*filename_);
        received_.file.purpose = purpose_;
        told_.received(received_);
    });
}

void FileUpload::fail(ApiErrorCode code, std::string message, std::string param) {
    if (over_)
        return;
    over_ = true;
    told_.failed(wire::api_error(code, std::move(message), std::move(param)));
}

}  // namespace idlewatt::coordinator
