// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The way to a blob's bytes over HTTP(S), for blobs::Fetcher: one ranged request at a time, with
// the car's JWT as its ticket.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/asio_loop.hpp"
#include "blobs/fetcher.hpp"

namespace idlewatt {

class HttpByteSource final : public blobs::ByteSource {
public:
    // The ticket is asked for anew at each request, since it is renewed.
    HttpByteSource(base::AsioLoop& loop, std::string ca_file, std::function<std::string()> ticket)
        : loop_(loop), ca_file_(std::move(ca_file)), ticket_(std::move(ticket)) {}

    [[nodiscard]] std::unique_ptr<blobs::Transfer> get(const std::string& url, std::uint64_t offset,
                                                       std::uint64_t count,
                                                       blobs::ByteHandler handler) override;

private:
    base::AsioLoop& loop_;
    std::string ca_file_;
    std::function<std::string()> ticket_;
};

}  // namespace idlewatt
