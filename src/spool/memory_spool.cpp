// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "spool/memory_spool.hpp"

#include <utility>

#include "base/assert.hpp"
#include "spool/live_records.hpp"

namespace idlewatt::spool {

struct MemoryDisk::State {
    LiveRecords written;
    LiveRecords synced;
    bool changed = false;  // since the last sync
    bool full = false;
    bool open = false;
};

MemoryDisk::MemoryDisk() : state_(std::make_unique<State>()) {}
MemoryDisk::~MemoryDisk() = default;

void MemoryDisk::set_full(bool full) {
    state_->full = full;
}

void MemoryDisk::cut_power() {
    IDLEWATT_ASSERT(!state_->open);
    state_->written = state_->synced;
    state_->changed = false;
}

std::vector<Record> MemoryDisk::records() const {
    return state_->written.all();
}

class MemorySpool final : public Spool {
public:
    explicit MemorySpool(std::shared_ptr<MemoryDisk> disk)
        : disk_(std::move(disk)), state_(*disk_->state_) {
        state_.open = true;
    }
    ~MemorySpool() override { state_.open = false; }

    MemorySpool(const MemorySpool&) = delete;
    MemorySpool& operator=(const MemorySpool&) = delete;

    [[nodiscard]] static bool in_use(const MemoryDisk& disk) { return disk.state_->open; }

    base::Result<void> put(std::string_view key, std::string_view value) override {
        if (base::Result<void> fits = state_.written.check_put(key, value); !fits)
            return fits;
        if (state_.full)
            return no_space();
        state_.written.put(key, value);
        state_.changed = true;
        return {};
    }

    base::Result<void> erase(std::string_view key) override {
        if (!state_.written.has(key))
            return {};
        // The last record can go without room, as in the file.
        if (state_.full && state_.written.count() > 1)
            return no_space();
        state_.written.erase(key);
        state_.changed = true;
        return {};
    }

    base::Result<void> sync() override {
        if (state_.changed)
            state_.synced = state_.written;
        state_.changed = false;
        return {};
    }

    void sync_soon() override { (void)sync(); }

    [[nodiscard]] std::vector<Record> records() const override { return state_.written.all(); }

private:
    static tl::unexpected<base::Error> no_space() {
        return base::fail(base::ErrorKind::io, "spool in memory: No space left on device");
    }

    std::shared_ptr<MemoryDisk> disk_;
    MemoryDisk::State& state_;
};

base::Result<std::unique_ptr<Spool>> open_memory_spool(std::shared_ptr<MemoryDisk> disk) {
    if (MemorySpool::in_use(*disk)) {
        return base::fail(base::ErrorKind::unavailable,
                          "spool in memory: another spool is open on this disk");
    }
    return std::make_unique<MemorySpool>(std::move(disk));
}

}  // namespace idlewatt::spool
