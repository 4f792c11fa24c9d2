// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// How a car gets its place in a cell: told by hand, or by enrolling with a one-time token.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/enrolment.hpp"
#include "agent_options.hpp"
#include "base/asio_loop.hpp"
#include "base/result.hpp"
#include "identity/identity.hpp"

namespace idlewatt {

// Asks the coordinator once and keeps its answer in the state folder. denied: the token is wrong,
// used or too old.
[[nodiscard]] base::Result<agent::Enrolment> enrol(base::AsioLoop& loop, const CarOptions& options);

// Where the car belongs and what it shows for it.
struct Place {
    std::string vehicle;
    std::string cell;
    std::vector<std::string> nats_urls;
    std::string credentials_file;
    identity::KeyPair key;
    std::string membership{};
    std::optional<agent::CredentialsLife> life{};
    bool enrolled = false;  // not told by hand
};

// By hand, by a former enrolment, or by enrolling now if there is a token.
[[nodiscard]] base::Result<Place> find_place(base::AsioLoop& loop, const CarOptions& options);

}  // namespace idlewatt
