// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Tells the NATS servers whom they must not believe any more: the account's JWT with the list, on
// the connection with the system credentials. The list is the store's; it is told again after every
// reconnect and restart, and now and then, until the JWTs have ended.
//
// Lifecycle: the list is given by update() whenever it has changed. Threads: the loop's.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/loop.hpp"
#include "bus/bus.hpp"
#include "coordinator/credentials.hpp"

namespace idlewatt::coordinator {

inline constexpr base::Duration push_timeout = base::seconds(5);
inline constexpr base::Duration push_retry = base::seconds(2);
// For a server that has joined the cluster with another list.
inline constexpr base::Duration push_period = base::minutes(10);

class RevocationDesk {
public:
    RevocationDesk(base::Loop& loop, bus::Bus& bus, const Credentials& credentials);
    ~RevocationDesk();

    RevocationDesk(const RevocationDesk&) = delete;
    RevocationDesk& operator=(const RevocationDesk&) = delete;

    // All who are revoked. Nothing is pushed while nobody has ever been.
    void update(std::vector<store::Vehicle> revoked);
    // The connection is there (again).
    void connected();

    // The servers have the list as it is.
    [[nodiscard]] bool settled() const { return !dirty_ && !pushing_; }

private:
    void push();
    void push_after(base::Duration delay);

    base::Loop& loop_;
    bus::Bus& bus_;
    const Credentials& credentials_;
    std::vector<store::Vehicle> revoked_;
    bool dirty_ = false;
    bool pushing_ = false;
    base::TimerId timer_{};
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace idlewatt::coordinator
