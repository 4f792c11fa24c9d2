// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The real HTTP server.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/asio_loop.hpp"
#include "base/result.hpp"
#include "http/http.hpp"

namespace idlewatt::http {

struct ListenOptions {
    std::string address = "127.0.0.1";
    std::uint16_t port = 0;  // 0: any free one
};

struct Listening {
    std::unique_ptr<Server> server;
    std::uint16_t port = 0;
};

[[nodiscard]] base::Result<Listening> listen(base::AsioLoop& loop, const ListenOptions& options);

}  // namespace idlewatt::http
