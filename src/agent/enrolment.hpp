// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What an enrolled car keeps in its state folder, all readable by its owner alone:
//
//   car.seed         its secret key, made before the coordinator hears of it
//   car.creds        NATS credentials: the user JWT of hours, and the key again
//   membership       proof of the fleet that it belongs to; empty: of none
//   enrolment.json   vehicle, cell, NATS servers, coordinator; written last: it means "enrolled"
//
// A car that dies in the middle of enrolling goes on with the same key. Blocks for the disk; any
// thread. Errors: io, limit_exceeded (disk full), bad_input (a file that cannot be read).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/event.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "core/id.hpp"
#include "identity/identity.hpp"
#include "wire/admin.hpp"
#include "wire/cell.hpp"

namespace idlewatt::agent {

struct Enrolment {
    core::VehicleId vehicle;
    std::string cell;
    std::vector<std::string> nats_urls;
    std::string coordinator_url;
    std::string account_public_key;
    friend bool operator==(const Enrolment&, const Enrolment&) = default;
};

class EnrolmentFolder {
public:
    explicit EnrolmentFolder(std::string path) : path_(std::move(path)) {}

    // Nothing: the car has not enrolled.
    [[nodiscard]] base::Result<std::optional<Enrolment>> read() const;
    // Made and kept at the first call.
    [[nodiscard]] base::Result<identity::KeyPair> key() const;
    [[nodiscard]] base::Result<void> keep(const wire::EnrolAnswer& answer,
                                          const std::string& coordinator_url) const;
    [[nodiscard]] base::Result<void> keep(const wire::Renewal& renewal) const;

    [[nodiscard]] std::string credentials_path() const { return path_ + "/car.creds"; }
    // The JWT alone: what the car shows when it fetches a model.
    [[nodiscard]] base::Result<std::string> user_jwt() const;
    [[nodiscard]] std::string membership() const;
    // denied: the credentials have ended, or are not of this account.
    [[nodiscard]] base::Result<std::optional<CredentialsLife>> life(const Enrolment& enrolment,
                                                                    base::WallTime now) const;

private:
    [[nodiscard]] base::Result<void> keep_credentials(const std::string& user_jwt,
                                                      const std::string& membership) const;
    std::string path_;
};

}  // namespace idlewatt::agent
