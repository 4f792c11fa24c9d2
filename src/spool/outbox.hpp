// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Signed records on their way to somebody who commits them: kept in a spool until they are
// settled, sent in batches, oldest first, again and again while nobody answers. What is refused
// for good is set aside in the spool (refused/ID), since it is somebody's claim.
//
// Lifecycle: takes up what a former life left under its prefix; deliver_now() or add() begins the
// sending. Destruction syncs what is unsynced; an answer under way has no effect any more.
// Threads: the loop's. Errors of the disk are logged; a record that it refuses lives in memory.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/loop.hpp"
#include "spool/spool.hpp"

namespace idlewatt::spool {

struct Parcel {
    std::string id;
    std::string payload;
    std::string signature;  // 64 bytes
};

// What the receiver says of a batch; ids that it does not name are sent again.
struct Settlement {
    std::vector<std::string> committed;
    std::vector<std::string> refused;
};

struct OutboxOptions {
    std::string prefix;      // of the keys in the spool: "receipt/"
    std::string log_area;    // "receipts"
    std::string if_refused;  // a sentence for the log: what may be the cause
    std::size_t batch_max = 1;
    base::Duration gather;  // what comes within this time goes out together
    base::Duration retry_first = base::seconds(1);
    base::Duration retry_max = base::seconds(30);
};

class Outbox {
public:
    // Called exactly once for each batch; nothing: there was no answer.
    using Answer = std::function<void(std::optional<Settlement>)>;
    using Send = std::function<void(std::vector<Parcel> batch, Answer answer)>;

    Outbox(base::Loop& loop, Spool& spool, OutboxOptions options, Send send);
    ~Outbox();

    Outbox(const Outbox&) = delete;
    Outbox& operator=(const Outbox&) = delete;

    // With the operating system when it returns (survives kill -9), on its way to the disk after
    // sync_soon() or within `gather`. False: the disk refuses.
    bool add(Parcel parcel);
    void sync_soon();
    // After a reconnect: no need to wait for the next try.
    void deliver_now();

    [[nodiscard]] std::size_t size() const { return parcels_.size(); }
    [[nodiscard]] bool holds(const std::string& id) const;

private:
    void recover();
    void deliver_after(base::Duration delay);
    void deliver();
    void settle(const Settlement& settlement);
    void set_aside(const std::string& id);
    void drop(const std::string& id);
    bool kept(const base::Result<void>& result) const;

    base::Loop& loop_;
    Spool& spool_;
    OutboxOptions options_;
    Send send_;
    std::deque<Parcel> parcels_;
    bool unsynced_ = false;
    bool asking_ = false;
    std::optional<base::TimerId> timer_;
    base::Duration retry_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace idlewatt::spool
