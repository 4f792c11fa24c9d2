// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A spool under the eyes of a checker: tells each record that is put into it.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "spool/spool.hpp"

namespace idlewatt::simulator {

class WatchedSpool final : public spool::Spool {
public:
    using OnPut = std::function<void(std::string_view key, std::string_view value)>;

    WatchedSpool(std::unique_ptr<spool::Spool> below, OnPut on_put)
        : below_(std::move(below)), on_put_(std::move(on_put)) {}

    [[nodiscard]] base::Result<void> put(std::string_view key, std::string_view value) override {
        on_put_(key, value);
        return below_->put(key, value);
    }
    [[nodiscard]] base::Result<void> erase(std::string_view key) override {
        return below_->erase(key);
    }
    [[nodiscard]] base::Result<void> sync() override { return below_->sync(); }
    void sync_soon() override { below_->sync_soon(); }
    [[nodiscard]] std::vector<spool::Record> records() const override { return below_->records(); }

private:
    std::unique_ptr<spool::Spool> below_;
    OnPut on_put_;
};

}  // namespace idlewatt::simulator
