// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What becomes of batches: which lines gateways may run, when a batch is over, and how. Pure.
//
//   validating ─▶ failed
//   validating ─▶ in_progress ─▶ finalizing ─▶ completed | expired
//   any of them ─▶ cancelling ─▶ cancelled
//
// A line is waiting, leased, being committed or ended. A lease that its gateway does not name for
// wire::batch_lease_life is over, and the line waits again; the first result that is committed is
// the line's, from whomever it comes. Leases are known here only: after a restart every line that
// has no result waits. A line whose leases run out time and again, because no car serves its model
// or because it takes gateways along, rests longer and longer in between. No line is leased before
// the store knows that the batch is in progress, since checking it again would begin anew.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "coordinator/batch_event.hpp"

namespace idlewatt::coordinator {

// Of a cell at a time; for more there is a 429.
inline constexpr std::size_t batches_open_max = 64;
// Of these, a key has no more than that.
inline constexpr std::size_t batches_open_per_key_max = 16;
// Lines that run when their batch is cancelled may still end within this time.
inline constexpr base::Duration batch_cancel_grace = base::seconds(60);
// After files that could not be written.
inline constexpr base::Duration batch_finish_retry = base::seconds(5);
// A line waits at once after so many leases that ran out: gateways die. After the next it rests for
// this long, then for twice as long, up to the most, or half of the time that its batch has left.
inline constexpr std::uint8_t batch_lapses_free = 2;
inline constexpr base::Duration batch_rest_first = base::minutes(1);
inline constexpr base::Duration batch_rest_max = base::minutes(30);

class BatchCore {
public:
    // Leases count up from there: not one that was given before a restart may come again.
    explicit BatchCore(std::uint64_t first_lease) : next_lease_(first_lease) {}

    [[nodiscard]] std::vector<BatchEffect> handle(const BatchEvent& event, BatchNow now);

    // Open ones only; nullptr: it has ended, or never was.
    [[nodiscard]] const store::Batch* find(const std::string& batch) const;
    [[nodiscard]] std::size_t open_count() const { return open_.size(); }
    [[nodiscard]] std::size_t open_count(const core::KeyId& key) const;
    [[nodiscard]] bool uses_file(const std::string& file) const;
    [[nodiscard]] std::size_t leases() const { return leases_.size(); }

private:
    enum class LineState : std::uint8_t { ended, waiting, leased, committing };
    struct Line {
        std::uint64_t offset = 0;
        std::uint64_t lease = 0;
        std::uint32_t bytes = 0;
        LineState state = LineState::ended;
        std::uint8_t lapses = 0;
    };
    struct Open {
        store::Batch batch;
        std::vector<Line> lines{};          // line n at n - 1
        std::deque<std::uint32_t> queue{};  // lines that wait, and some that did
        std::multimap<base::Instant, std::uint32_t> resting{};  // until then; likewise
        std::size_t unfinished = 0;
        std::size_t busy = 0;  // leased or being committed
        std::size_t committing = 0;
        std::optional<store::BatchStatus> saved{};
        bool checking = false;
        bool finishing = false;  // no line starts or ends any more
        bool writing = false;    // files, or the end itself
        base::Instant cancelled_at{};
        base::Instant finish_after{};
    };
    struct Lease {
        std::string batch;
        std::uint32_t line = 0;
        core::GatewayId gateway;
        base::Instant named_at{};
    };
    using Effects = std::vector<BatchEffect>;

    void on(const BatchAdded& added, BatchNow now, Effects& effects);
    void on(const BatchResumed& resumed, BatchNow now, Effects& effects);
    void on(const BatchChecked& checked, BatchNow now, Effects& effects);
    void on(const BatchSaved& saved, BatchNow now, Effects& effects);
    void on(const WorkAsked& asked, BatchNow now, Effects& effects);
    void on(const LinesReturned& returned, BatchNow now, Effects& effects);
    void on(const ResultOffered& offered, BatchNow now, Effects& effects);
    void on(const ResultCommitted& committed, BatchNow now, Effects& effects);
    void on(const BatchCancelAsked& asked, BatchNow now, Effects& effects);
    void on(const BatchFilesWritten& written, BatchNow now, Effects& effects);
    void on(const BatchEnded& ended, BatchNow now, Effects& effects);
    void on(const BatchClock&, BatchNow now, Effects& effects);

    void put_lines(Open& open, const std::vector<store::BatchLine>& lines, std::size_t total);
    void wait_again(Open& open, std::uint32_t line);
    void lapsed(Open& open, std::uint32_t line, BatchNow now);
    [[nodiscard]] std::optional<std::uint32_t> next_line(Open& open, base::Instant now);
    void hand_out(const WorkAsked& asked, BatchNow now, HandOut& out);
    void end_leases_of(const std::string& batch, Open& open);
    void end_old_leases(BatchNow now);
    // Goes on to the end when nothing is left to be done, or may be done.
    void advance(const std::string& id, Open& open, BatchNow now, Effects& effects);
    void advance_all(BatchNow now, Effects& effects);

    std::map<std::string, Open> open_;
    std::map<std::uint64_t, Lease> leases_;
    std::uint64_t next_lease_;
    std::string last_served_;  // the next line comes from the batch behind it
};

}  // namespace idlewatt::coordinator
