// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The coordinator and its PostgreSQL are killed under load, and come back: no client notices, keys
// go on to work, and what was done meanwhile is in the database once. Three gateways, eight cars,
// real engines, TLS. IDLEWATT_OUTAGE_S says for how long; 10 seconds unless said.
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include <gtest/gtest.h>

#include "cli/traffic.hpp"
#include "running_cell.hpp"

namespace idlewatt::test {
namespace {

constexpr std::size_t gateways = 3;
constexpr std::uint32_t clients_per_gateway = 2;  // of 16 slots: below what the cars can do
constexpr base::Duration calm = base::seconds(3);
// Cars and gateways ask a coordinator that was away ever more rarely, up to every 30 s.
constexpr base::Duration settling_max = base::seconds(90);

base::Duration outage() {
    const char* text = std::getenv("IDLEWATT_OUTAGE_S");
    return base::seconds(text == nullptr ? 10 : std::atoi(text));
}

// What clients have of one answer, by HTTP alone.
struct Had {
    std::uint32_t tokens = 0;
    bool tokens_known = false;
};

class Outage : public testing::Test {
protected:
    void start_clients(std::size_t gateway) {
        cli::TrafficOptions options;
        options.connection = cell.gateway(gateway, keys.at(gateway).secret);
        options.clients = clients_per_gateway;
        options.seed = 1 + traffic.size();
        options.questions.max_tokens_min = 16;
        options.questions.max_tokens_max = 64;
        traffic.push_back(std::make_unique<cli::Traffic>(loop, options));
        traffic.back()->start();
    }
    void end_clients(cli::Traffic& of) {
        bool done = false;
        of.stop(base::seconds(60), [&] { done = true; });
        ASSERT_TRUE(run_loop_until(
            loop, [&] { return done; }, base::seconds(70)));
    }
    // Every answer was whole, and nothing was refused.
    void expect_all_answered() {
        for (const auto& of : traffic) {
            const cli::TrafficCounts& counts = of->counts();
            asked += counts.asked;
            EXPECT_EQ(counts.completed, counts.asked);
            EXPECT_EQ(counts.failed + counts.failed_no_capacity + counts.rejected, 0U);
            EXPECT_EQ(counts.abandoned, 0U);
            for (const cli::AnswerRecord& record : of->records()) {
                EXPECT_EQ(record.protocol_complaint, "");
                if (cli::outcome_of(record) != cli::AnswerOutcome::completed) {
                    ADD_FAILURE() << record.status << ' ' << record.error_code << ' '
                                  << record.error_message << ' ' << record.broken;
                }
                Had& had = answers[std::string(cli::work_id_of(record))];
                had.tokens_known = record.usage.has_value();
                had.tokens = record.usage ? record.usage->completion_tokens : 0;
                longest_pause = std::max(longest_pause, cli::longest_pause_of(record));
            }
        }
        EXPECT_EQ(answers.size(), asked) << "each answer has an id of its own";
    }
    std::set<std::string> in_database(const std::string& table) const {
        const auto rows = cell.query("SELECT id FROM " + table);
        std::set<std::string> ids(rows.begin(), rows.end());
        EXPECT_EQ(ids.size(), rows.size()) << "a row twice in " << table;
        return ids;
    }
    static std::set<std::string> ids_of(const RunningCell::HandedIn& handed_in) {
        std::set<std::string> ids;
        for (const auto& [id, work] : handed_in.work_by_id)
            ids.insert(id);
        return ids;
    }
    std::uint64_t number(const std::string& select) const {
        const auto rows = cell.query(select);
        return rows.size() == 1 ? std::strtoull(rows.front().c_str(), nullptr, 10) : 0;
    }
    std::map<std::string, std::uint64_t> by_work(const std::string& figure,
                                                 const std::string& table) const {
        std::map<std::string, std::uint64_t> figures;
        for (const std::string& row : cell.query("SELECT work || ' ' || (" + figure +
                                                 ")::text FROM " + table + " GROUP BY work")) {
            const std::size_t blank = row.find(' ');
            figures[row.substr(0, blank)] =
                std::strtoull(row.c_str() + std::min(row.size(), blank), nullptr, 10);
        }
        return figures;
    }
    // All answers that clients have are in both books, and nothing that was handed in is missing.
    bool settled() {
        loop.run_for(base::milliseconds(500));
        const auto works = cell.query("SELECT work FROM delivery WHERE is_last = 1");
        const std::set<std::string> delivered(works.begin(), works.end());
        return std::ranges::all_of(
                   answers, [&](const auto& one) { return delivered.contains(one.first); }) &&
               in_database("receipt") == ids_of(cell.receipts_handed_in()) &&
               in_database("delivery") == ids_of(cell.deliveries_handed_in());
    }
    void expect_books_agree();

    base::AsioLoop loop;
    RunningCell cell{loop, {}};
    std::vector<RunningCell::Key> keys;
    std::vector<std::unique_ptr<cli::Traffic>> traffic;
    std::map<std::string, Had> answers;  // by work
    std::uint64_t asked = 0;
    base::Duration longest_pause{};
};

void Outage::expect_books_agree() {
    EXPECT_TRUE(run_loop_until(
        loop, [&] { return settled(); }, settling_max))
        << in_database("receipt").size() << " of " << cell.receipts_handed_in().work_by_id.size()
        << " receipts, " << in_database("delivery").size() << " of "
        << cell.deliveries_handed_in().work_by_id.size() << " delivery records\n"
        << cell.logs();
    // One attempt has one receipt and one delivery record; the sums that are kept beside say so
    // too.
    EXPECT_EQ(number("SELECT COUNT(DISTINCT attempt)::text FROM receipt"),
              in_database("receipt").size());
    EXPECT_EQ(number("SELECT COUNT(DISTINCT attempt)::text FROM delivery"),
              in_database("delivery").size());
    EXPECT_EQ(number("SELECT receipts::text FROM receipt_total"), in_database("receipt").size());
    EXPECT_EQ(number("SELECT deliveries::text FROM delivery_total"),
              in_database("delivery").size());
    EXPECT_EQ(number("SELECT SUM(generated_tokens)::text FROM receipt"),
              number("SELECT generated_tokens::text FROM receipt_total"));
    EXPECT_EQ(number("SELECT SUM(delivered_tokens)::text FROM delivery"),
              number("SELECT delivered_tokens::text FROM delivery_total"));
    // What clients were told that they have used is what was recorded.
    const auto receipts = by_work("COUNT(*)", "receipt");
    const auto ends = by_work("SUM(is_last)", "delivery");
    const auto tokens = by_work("SUM(delivered_tokens)", "delivery");
    for (const auto& [work, had] : answers) {
        EXPECT_TRUE(receipts.contains(work)) << work;
        ASSERT_TRUE(ends.contains(work)) << work;
        EXPECT_EQ(ends.at(work), 1U) << work;
        if (had.tokens_known) {
            EXPECT_EQ(tokens.at(work), had.tokens) << work;
        }
    }
}

TEST_F(Outage, NobodyNoticesThatCoordinatorAndDatabaseAreAway) {
    cell.start();
    if (HasFatalFailure())
        return;
    const RunningCell::Key revoked = cell.create_key("revoked");
    for (std::size_t i = 0; i < gateways; ++i)
        keys.push_back(cell.create_key("client-" + std::to_string(i)));
    for (std::size_t i = 0; i < gateways; ++i) {
        for (const RunningCell::Key& key : {keys[i], revoked}) {
            ASSERT_TRUE(run_loop_until(loop, [&] {
                return cell.status_of_question(i, key.secret) == 200;
            })) << cell.logs();
        }
    }
    cell.revoke_key(revoked.id);
    for (std::size_t i = 0; i < gateways; ++i) {
        EXPECT_TRUE(run_loop_until(
            loop, [&] { return cell.status_of_question(i, revoked.secret) == 401; }));
        start_clients(i);
    }
    loop.run_for(calm);

    const base::Instant killed_at = loop.now();
    const std::size_t receipts_before = cell.receipts_handed_in().work_by_id.size();
    cell.kill_coordinator();
    cell.kill_database();
    loop.run_for(outage() / 2);
    // A gateway that dies now has its keys on its disk. Its clients are gone before, as clients of
    // a load balancer would be.
    end_clients(*traffic.back());
    cell.kill_gateway(gateways - 1);
    cell.start_gateway(gateways - 1);
    EXPECT_EQ(cell.status_of_question(gateways - 1, revoked.secret), 401);
    EXPECT_EQ(cell.status_of_question(0, revoked.secret), 401);
    start_clients(gateways - 1);
    // An init system starts the coordinator again long before its database is there.
    cell.start_coordinator();
    while (loop.now() - killed_at < outage())
        loop.run_for(base::milliseconds(100));
    EXPECT_FALSE(cell.coordinator_ended()) << "it waits for its database";
    EXPECT_FALSE(cell.coordinator_answers());
    const std::size_t receipts_meanwhile =
        cell.receipts_handed_in().work_by_id.size() - receipts_before;
    const double away_s = (loop.now() - killed_at).seconds();
    cell.start_database();
    EXPECT_TRUE(run_loop_until(loop, [&] { return cell.coordinator_answers(); })) << cell.logs();
    loop.run_for(calm);
    for (std::size_t i = 0; i + 1 < traffic.size(); ++i) {
        if (i != gateways - 1)
            end_clients(*traffic[i]);
    }
    end_clients(*traffic.back());

    expect_all_answered();
    expect_books_agree();
    cell.stop_serving();
    EXPECT_EQ(cell.left_in_spools(), std::vector<std::string>{});
    EXPECT_GT(receipts_meanwhile, 0U) << "the load was too small to show anything";
    std::printf(
        "coordinator and database away for %.1f s: %llu requests at 3 gateways, none failed, "
        "longest pause in an answer %.0f ms; %zu receipts and %zu delivery records, handed in %llu "
        "and %llu times, each in the database once\n",
        away_s, static_cast<unsigned long long>(asked), longest_pause.milliseconds(),
        cell.receipts_handed_in().work_by_id.size(), cell.deliveries_handed_in().work_by_id.size(),
        static_cast<unsigned long long>(cell.receipts_handed_in().times),
        static_cast<unsigned long long>(cell.deliveries_handed_in().times));
}

}  // namespace
}  // namespace idlewatt::test
