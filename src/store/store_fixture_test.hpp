// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Receipts, waiting and a folder for the store's tests.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/asio_loop.hpp"
#include "store/store.hpp"

namespace idlewatt::store {

inline StoredReceipt sample_receipt(const std::string& vehicle, std::uint64_t number) {
    StoredReceipt stored;
    const std::string digits = std::to_string(1'000'000'000 + number);
    stored.receipt.id = core::ReceiptId("r" + digits);
    stored.receipt.vehicle = core::VehicleId(vehicle);
    stored.receipt.gateway = core::GatewayId("gw");
    stored.receipt.work = core::WorkId("w" + digits);
    stored.receipt.attempt = core::AttemptId("a" + digits);
    stored.receipt.model = "tiny";
    stored.receipt.generated_tokens = 10;
    stored.receipt.acknowledged_tokens = 7;
    stored.receipt.started_at.us = 1'790'000'000'000'000;
    stored.receipt.energy_j = 12.5;
    stored.signed_receipt = {stored.receipt.id, std::string(250, '\xf0'), std::string(64, '\0')};
    return stored;
}

inline std::vector<StoredReceipt> sample_receipts(const std::string& vehicle, std::uint64_t first,
                                                  std::uint64_t count) {
    std::vector<StoredReceipt> receipts;
    for (std::uint64_t i = 0; i < count; ++i)
        receipts.push_back(sample_receipt(vehicle, first + i));
    return receipts;
}

// Runs the loop until the call has answered.
template <class T>
base::Result<T> wait_for(base::AsioLoop& loop,
                         const std::function<void(Store::Callback<T>)>& call) {
    base::Result<T> result =
        base::fail(base::ErrorKind::unavailable, "the store did not answer in time");
    bool answered = false;
    call([&](base::Result<T> got) {
        result = std::move(got);
        answered = true;
        loop.stop();
    });
    if (!answered)
        loop.run_for(base::seconds(120));
    return result;
}

inline base::Result<std::size_t> add(base::AsioLoop& loop, Store& store,
                                     std::vector<StoredReceipt> receipts) {
    return wait_for<std::size_t>(
        loop, [&](auto done) { store.add_receipts(std::move(receipts), std::move(done)); });
}

inline base::Result<ReceiptTotals> totals(base::AsioLoop& loop, Store& store) {
    return wait_for<ReceiptTotals>(loop, [&](auto done) { store.receipt_totals(std::move(done)); });
}

class TemporaryFolder {
public:
    TemporaryFolder() {
        std::string pattern = std::filesystem::temp_directory_path() / "idlewatt store XXXXXX";
        path_ = ::mkdtemp(pattern.data());
    }
    ~TemporaryFolder() { std::filesystem::remove_all(path_); }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }

private:
    std::string path_;
};

}  // namespace idlewatt::store
