// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Where a call goes, and how its request begins. Pure. Internal to the module.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.hpp"
#include "http/client.hpp"

namespace idlewatt::http {

struct Place {
    bool tls = false;
    std::string host;  // without brackets
    std::uint16_t port = 80;
    std::string authority;
    std::string target;
};

// Of http://host:port/path or https://…; bad_input otherwise.
[[nodiscard]] base::Result<Place> parse_url(const std::string& url);

[[nodiscard]] std::string request_head(const Call& call, const Place& place);

}  // namespace idlewatt::http
