// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Where a NATS server is said to be. Pure. Internal to the module.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace idlewatt::bus {

inline constexpr std::string_view nats_port = "4222";

struct NatsAddress {
    std::string host;  // an IPv6 address without its brackets
    std::string port;  // digits
    bool tls = false;  // asked for by the address

    [[nodiscard]] std::string shown() const { return host + ':' + port; }

    friend bool operator==(const NatsAddress&, const NatsAddress&) = default;
};

// nats://host:port, tls://host:port or host:port; without a port, NATS's own. Names and passwords
// are refused (bad_input): who we are stands in a credentials file, where no process list shows it.
[[nodiscard]] base::Result<NatsAddress> parse_nats_address(std::string_view url);

}  // namespace idlewatt::bus
