// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Takes gateways' delivery records: who sends them is shown by the gateway's own JWT, each record
// is signed with the key that it names, and what is acknowledged has been committed. A batch that
// cannot be committed gets no answer, and the gateway sends it again.
//
// Threads: the loop's.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/loop.hpp"
#include "bus/bus.hpp"
#include "store/store.hpp"
#include "wire/cell.hpp"
#include "wire/subject.hpp"

namespace idlewatt::coordinator {

// At a time; one of each gateway.
inline constexpr std::size_t delivery_batches_max = 64;

class DeliveryDesk {
public:
    DeliveryDesk(base::Loop& loop, bus::Bus& bus, store::Store& store, const std::string& cell,
                 std::string account_public_key);
    ~DeliveryDesk();

    DeliveryDesk(const DeliveryDesk&) = delete;
    DeliveryDesk& operator=(const DeliveryDesk&) = delete;

    struct Counts {
        std::uint64_t batches = 0;
        std::uint64_t batches_not_taken = 0;  // no room, not readable, or not from that gateway
        std::uint64_t committed = 0;
        std::uint64_t refused = 0;
    };
    [[nodiscard]] const Counts& counts() const { return counts_; }

private:
    struct Batch;

    void on_message(const bus::Message& message);
    void check_some(const std::shared_ptr<Batch>& batch);
    void commit(const std::shared_ptr<Batch>& batch);
    void answer(const Batch& batch);
    void close(const Batch& batch) { busy_.erase(batch_gateway(batch)); }
    static const core::GatewayId& batch_gateway(const Batch& batch);

    base::Loop& loop_;
    bus::Bus& bus_;
    store::Store& store_;
    std::string account_public_key_;
    bus::SubscriptionId subscription_{};
    std::set<core::GatewayId> busy_;
    Counts counts_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace idlewatt::coordinator
