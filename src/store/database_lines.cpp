// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The lines of batches that run, and how they ended.
#include <utility>

#include "base/assert.hpp"
#include "store/row.hpp"

namespace idlewatt::store {

namespace {

constexpr long long no_outcome = 0;
constexpr long long outcome_success = 1;
constexpr long long outcome_failure = 2;

struct LineRow {
    static constexpr const char* table = "batch_line";
    std::string batch, custom_id, error_code, request_id, body;
    long long line = 0;
    long long input_offset = 0;
    long long input_bytes = 0;
    long long outcome = no_outcome;
    long long status_code = 0;
    long long body_bytes = 0;
    long long input_tokens = 0;
    long long cached_tokens = 0;
    long long output_tokens = 0;
    long long reasoning_tokens = 0;

    template <class F>
    void each(F f) {
        f("batch", batch), f("line", line), f("input_offset", input_offset);
        f("input_bytes", input_bytes), f("custom_id", custom_id), f("outcome", outcome);
        f("status_code", status_code), f("error_code", error_code), f("request_id", request_id);
        f("body", body), f("body_bytes", body_bytes), f("input_tokens", input_tokens);
        f("cached_tokens", cached_tokens), f("output_tokens", output_tokens);
        f("reasoning_tokens", reasoning_tokens);
    }
};

// Only what is needed to go on after a restart, without texts.
struct LineState {
    static constexpr const char* table = "batch_line";
    long long line = 0;
    long long input_offset = 0;
    long long input_bytes = 0;
    template <class F>
    void each(F f) {
        f("line", line), f("input_offset", input_offset), f("input_bytes", input_bytes);
    }
};

struct LineSize {
    static constexpr const char* table = "batch_line";
    long long line = 0;
    long long body_bytes = 0;
    template <class F>
    void each(F f) {
        f("line", line), f("body_bytes", body_bytes);
    }
};

BatchLine line_of(long long line, long long offset, long long bytes, const std::string& custom_id) {
    return {static_cast<std::uint32_t>(line), static_cast<std::uint64_t>(offset),
            static_cast<std::uint32_t>(bytes), custom_id};
}

BatchItem item_of(LineRow& row) {
    BatchItem item{line_of(row.line, row.input_offset, row.input_bytes, row.custom_id),
                   std::nullopt};
    if (row.outcome == no_outcome)
        return item;
    item.result = BatchResult{row.batch,
                              item.line.line,
                              row.outcome == outcome_success,
                              static_cast<std::uint32_t>(row.status_code),
                              row.error_code,
                              row.request_id,
                              std::move(row.body),
                              static_cast<std::uint32_t>(row.input_tokens),
                              static_cast<std::uint32_t>(row.cached_tokens),
                              static_cast<std::uint32_t>(row.output_tokens),
                              static_cast<std::uint32_t>(row.reasoning_tokens)};
    return item;
}

// The first result of a line counts.
class SetResult {
public:
    explicit SetResult(soci::session& session) : statement_(session) {
        statement_.exchange(soci::use(outcome_, "outcome"));
        statement_.exchange(soci::use(status_code_, "status_code"));
        statement_.exchange(soci::use(error_code_, "error_code"));
        statement_.exchange(soci::use(request_id_, "request_id"));
        statement_.exchange(soci::use(body_, "body"));
        statement_.exchange(soci::use(body_bytes_, "body_bytes"));
        statement_.exchange(soci::use(input_tokens_, "input_tokens"));
        statement_.exchange(soci::use(cached_tokens_, "cached_tokens"));
        statement_.exchange(soci::use(output_tokens_, "output_tokens"));
        statement_.exchange(soci::use(reasoning_tokens_, "reasoning_tokens"));
        statement_.exchange(soci::use(batch_, "batch"));
        statement_.exchange(soci::use(line_, "line"));
        statement_.alloc();
        statement_.prepare(
            "UPDATE batch_line SET outcome = :outcome, status_code = :status_code,"
            " error_code = :error_code, request_id = :request_id, body = :body,"
            " body_bytes = :body_bytes, input_tokens = :input_tokens,"
            " cached_tokens = :cached_tokens, output_tokens = :output_tokens,"
            " reasoning_tokens = :reasoning_tokens"
            " WHERE batch = :batch AND line = :line AND outcome = 0");
        statement_.define_and_bind();
    }
    SetResult(const SetResult&) = delete;
    SetResult& operator=(const SetResult&) = delete;

    bool operator()(const BatchResult& result) {
        outcome_ = result.succeeded ? outcome_success : outcome_failure;
        status_code_ = result.status_code;
        error_code_ = result.error_code;
        request_id_ = result.request_id;
        body_ = result.body;
        body_bytes_ = static_cast<long long>(result.body.size());
        input_tokens_ = result.input_tokens;
        cached_tokens_ = result.cached_tokens;
        output_tokens_ = result.output_tokens;
        reasoning_tokens_ = result.reasoning_tokens;
        batch_ = result.batch;
        line_ = result.line;
        statement_.execute(true);
        return statement_.get_affected_rows() > 0;
    }

private:
    // Before the statement, which points into them.
    std::string error_code_, request_id_, body_, batch_;
    long long outcome_ = 0;
    long long status_code_ = 0;
    long long body_bytes_ = 0;
    long long input_tokens_ = 0;
    long long cached_tokens_ = 0;
    long long output_tokens_ = 0;
    long long reasoning_tokens_ = 0;
    long long line_ = 0;
    soci::statement statement_;
};

}  // namespace

base::Result<void> Database::add_batch_lines(const std::string& batch,
                                             const std::vector<BatchLine>& lines) {
    return guarded("write lines of a batch", [&] {
        soci::transaction transaction(*session_);
        if (lines.empty() || lines.front().line == 1)
            change(*session_, "DELETE FROM batch_line WHERE batch = :id", soci::use(batch, "id"));
        Insert<LineRow> insert_line(*session_, or_nothing);
        insert_line.row.batch = batch;
        for (const BatchLine& line : lines) {
            insert_line.row.line = line.line;
            insert_line.row.input_offset = static_cast<long long>(line.offset);
            insert_line.row.input_bytes = line.bytes;
            insert_line.row.custom_id = line.custom_id;
            insert_line();
        }
        transaction.commit();
    });
}

base::Result<BatchState> Database::batch_state(const std::string& batch) {
    return guarded("read the lines of a batch", [&] {
        BatchState state;
        for (const LineState& row : select<LineState>(
                 *session_, "WHERE batch = :value AND outcome = 0 ORDER BY line", batch))
            state.open.push_back(line_of(row.line, row.input_offset, row.input_bytes, {}));
        const auto sum = [&](const char* of) {
            long long value = 0;
            // A cast, because PostgreSQL's sum of BIGINT is no BIGINT.
            *session_
                << std::string("SELECT CAST(COALESCE(SUM(") + of +
                       "), 0) AS BIGINT) FROM batch_line WHERE batch = :batch AND outcome > 0",
                soci::into(value), soci::use(batch, "batch");
            return static_cast<std::uint64_t>(value);
        };
        state.tally = {sum("2 - outcome"),   sum("outcome - 1"),   sum("input_tokens"),
                       sum("cached_tokens"), sum("output_tokens"), sum("reasoning_tokens")};
        return state;
    });
}

base::Result<std::vector<std::size_t>> Database::add_batch_results(
    const std::vector<const std::vector<BatchResult>*>& calls) {
    return guarded("write results of a batch", [&] {
        std::vector<std::size_t> added;
        soci::transaction transaction(*session_);
        SetResult set(*session_);
        for (const std::vector<BatchResult>* call : calls) {
            added.push_back(0);
            for (const BatchResult& result : *call)
                added.back() += set(result) ? 1 : 0;
        }
        transaction.commit();
        return added;
    });
}

base::Result<BatchItemPage> Database::batch_items(const std::string& batch, std::uint32_t after,
                                                  std::size_t limit, std::size_t bytes_max) {
    IDLEWATT_ASSERT(limit > 0);
    return guarded("read lines of a batch", [&] {
        const std::string behind = "WHERE batch = :value AND line > " + std::to_string(after);
        const auto sizes = select<LineSize>(
            *session_, behind + " ORDER BY line LIMIT " + std::to_string(limit + 1), batch);
        BatchItemPage page;
        if (sizes.empty())
            return page;
        std::size_t count = 1;
        auto bytes = static_cast<std::size_t>(sizes[0].body_bytes);
        while (count < sizes.size() && count < limit) {
            bytes += static_cast<std::size_t>(sizes[count].body_bytes);
            if (bytes > bytes_max)
                break;
            ++count;
        }
        page.more = count < sizes.size();
        auto rows = select<LineRow>(
            *session_,
            behind + " AND line <= " + std::to_string(sizes[count - 1].line) + " ORDER BY line",
            batch);
        for (LineRow& row : rows)
            page.items.push_back(item_of(row));
        return page;
    });
}

}  // namespace idlewatt::store
