// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Who a connection is: a user's JWT, and the seed with which it signs what the server asks it to,
// from the file that enrolment writes. Internal to the module. Threads: any.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace idlewatt::bus {

class NatsCredentials {
public:
    // Errors: denied (the file holds no credentials), io.
    [[nodiscard]] static base::Result<NatsCredentials> read(const std::string& file);
    ~NatsCredentials();
    NatsCredentials(NatsCredentials&&) noexcept = default;
    NatsCredentials& operator=(NatsCredentials&&) noexcept = default;
    NatsCredentials(const NatsCredentials&) = delete;
    NatsCredentials& operator=(const NatsCredentials&) = delete;

    [[nodiscard]] const std::string& jwt() const { return jwt_; }
    // Ed25519, 64 bytes.
    [[nodiscard]] std::string sign(std::string_view nonce) const;

private:
    NatsCredentials(std::string jwt, std::string secret);

    std::string jwt_;
    std::string secret_;  // Ed25519's seed, 32 bytes
};

}  // namespace idlewatt::bus
