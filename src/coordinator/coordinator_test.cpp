// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The whole role on the in-memory twins, and once on SQLite.
#include "coordinator/coordinator.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <set>

#include <gtest/gtest.h>

#include "base/asio_loop.hpp"
#include "base/simulated_loop.hpp"
#include "bus/memory_bus.hpp"
#include "identity/identity.hpp"
#include "store/memory_store.hpp"
#include "store/sqlite_store.hpp"
#include "wire/wire.hpp"

namespace idlewatt::coordinator {
namespace {

using identity::KeyKind;
using identity::KeyPair;

const wire::Subjects subjects{"cell"};

// A car that signs receipts and sends them until all are acknowledged.
class Car {
public:
    Car(base::Loop& loop, bus::MemoryHub& hub, const std::string& id, std::uint64_t number)
        : loop_(loop),
          id_(id),
          key_(KeyPair::for_test(KeyKind::user, number)),
          bus_(hub.connect(id, id + "/1")) {}

    ~Car() { loop_.cancel(next_); }

    Car(const Car&) = delete;
    Car& operator=(const Car&) = delete;

    [[nodiscard]] core::SignedReceipt make(std::uint64_t number) const {
        core::Receipt receipt;
        receipt.id = core::ReceiptId("r" + std::to_string(number));
        receipt.vehicle = id_;
        receipt.gateway = core::GatewayId("gw");
        receipt.work = core::WorkId("w" + std::to_string(number));
        receipt.attempt = core::AttemptId("a" + std::to_string(number));
        receipt.model = "tiny";
        receipt.generated_tokens = 10;
        receipt.acknowledged_tokens = 9;
        core::SignedReceipt made{receipt.id, wire::encode(receipt), {}};
        made.signature = key_.sign(made.payload);
        return made;
    }

    void keep(core::SignedReceipt receipt) { spool.push_back(std::move(receipt)); }

    void send() {
        if (spool.empty())
            return;
        const std::size_t count = std::min(spool.size(), wire::receipts_per_batch_max);
        const std::vector<core::SignedReceipt> batch(
            spool.begin(), spool.begin() + static_cast<std::ptrdiff_t>(count));
        bus_->request(subjects.receipts(id_), wire::encode(batch), answer_timeout,
                      [this](bus::ReplyStatus status, const bus::Message& message) {
                          if (status == bus::ReplyStatus::answered)
                              take(message.payload);
                          next_ = loop_.after(base::microseconds(100), [this] { send(); });
                      });
    }

    [[nodiscard]] const std::string& public_key() const { return key_.public_key(); }
    [[nodiscard]] const core::VehicleId& id() const { return id_; }

    std::vector<core::SignedReceipt> spool;
    std::set<core::ReceiptId> committed;
    std::set<core::ReceiptId> refused;
    int answers = 0;
    base::Duration answer_timeout = base::seconds(1);

private:
    void take(const std::string& payload) {
        const auto answer = wire::decode_receipts_answer(payload);
        ASSERT_TRUE(answer);
        ++answers;
        committed.insert(answer->committed.begin(), answer->committed.end());
        refused.insert(answer->refused.begin(), answer->refused.end());
        std::erase_if(spool, [this](const core::SignedReceipt& one) {
            return committed.contains(one.id) || refused.contains(one.id);
        });
    }

    base::TimerId next_{};  // the loop outlives the car
    base::Loop& loop_;
    core::VehicleId id_;
    KeyPair key_;
    std::unique_ptr<bus::Bus> bus_;
};

class CoordinatorTest : public testing::Test {
protected:
    void open() {
        store = store::open_memory_store(loop, database);
        coordinator.emplace(Parts{loop, *bus, *store}, Options{"cell"});
        coordinator->start();
    }
    void enrol(const Car& car) {
        database->vehicles[car.id()] = {car.id(), car.public_key(), loop.wall_now()};
    }
    bool run_until(const std::function<bool()>& condition) {
        return loop.run_while_not(condition, base::seconds(120));
    }

    base::SimulatedLoop loop;
    bus::MemoryHub hub{loop, 1};
    std::unique_ptr<bus::Bus> bus = hub.connect("coordinator", "coordinator/1");
    std::shared_ptr<store::MemoryDatabase> database = std::make_shared<store::MemoryDatabase>();
    std::unique_ptr<store::Store> store;
    std::optional<Coordinator> coordinator;
};

TEST_F(CoordinatorTest, TakesReceiptsOnceWhateverTheNetworkDoes) {
    hub.set_weather({base::milliseconds(1), base::milliseconds(40), 0.2, 0.2, true});
    std::vector<std::unique_ptr<Car>> cars;
    for (std::uint64_t i = 0; i < 10; ++i) {
        cars.push_back(std::make_unique<Car>(loop, hub, "car-" + std::to_string(i), i));
        enrol(*cars.back());
        for (std::uint64_t n = 0; n < 300; ++n)
            cars.back()->keep(cars.back()->make(n));
        cars.back()->send();
    }
    open();
    ASSERT_TRUE(run_until([&] {
        return std::ranges::all_of(cars, [](const auto& car) { return car->spool.empty(); });
    }));
    EXPECT_EQ(database->receipts.size(), 3000U);
    for (const auto& car : cars)
        EXPECT_TRUE(car->refused.empty());
}

TEST_F(CoordinatorTest, AnswersOnlyWhatTheStoreHas) {
    Car car(loop, hub, "car-1", 1);
    enrol(car);
    open();
    loop.run_for(base::seconds(1));
    database->failing = true;
    car.keep(car.make(1));
    car.send();
    loop.run_for(base::seconds(5));
    EXPECT_EQ(car.answers, 0);
    database->failing = false;
    ASSERT_TRUE(run_until([&] { return car.spool.empty(); }));
    EXPECT_EQ(database->receipts.size(), 1U);
}

TEST_F(CoordinatorTest, ARestartLosesAndRepeatsNothing) {
    Car car(loop, hub, "car-1", 1);
    enrol(car);
    open();
    for (std::uint64_t n = 0; n < 2000; ++n)
        car.keep(car.make(n));
    car.send();
    for (int round = 0; round < 10; ++round) {
        loop.run_for(base::microseconds(700 + 310 * round));
        coordinator.reset();
        store.reset();
        loop.run_for(base::milliseconds(200));
        for (const core::ReceiptId& id : car.committed) {
            ASSERT_TRUE(database->ids.contains({car.id(), id})) << id.value;
        }
        open();
    }
    ASSERT_TRUE(run_until([&] { return car.spool.empty(); }));
    EXPECT_EQ(database->receipts.size(), 2000U);
}

TEST_F(CoordinatorTest, RefusesForgeriesAndStrangers) {
    Car car(loop, hub, "car-1", 1);
    Car stranger(loop, hub, "stranger", 2);
    enrol(car);
    open();
    car.keep(car.make(1));
    core::SignedReceipt inflated = car.make(2);
    core::Receipt changed = *wire::decode_receipt(inflated.payload);
    changed.generated_tokens = 1'000'000;
    inflated.payload = wire::encode(changed);
    car.keep(inflated);
    core::SignedReceipt borrowed = stranger.make(3);  // names the stranger, sent by the car
    car.keep(borrowed);
    core::SignedReceipt garbage = car.make(4);
    garbage.payload = "garbage";
    car.keep(garbage);
    stranger.keep(stranger.make(5));
    car.send();
    stranger.send();
    ASSERT_TRUE(run_until([&] { return car.spool.empty() && stranger.spool.empty(); }));
    EXPECT_EQ(car.committed, std::set{core::ReceiptId("r1")});
    EXPECT_EQ(car.refused.size(), 3U);
    EXPECT_EQ(stranger.refused.size(), 1U);
    ASSERT_EQ(database->receipts.size(), 1U);
    EXPECT_EQ(database->receipts[0].receipt.generated_tokens, 10U);
}

TEST_F(CoordinatorTest, GarbageIsNotAnswered) {
    open();
    auto stranger = hub.connect("x", "x/1");
    bus::ReplyStatus status = bus::ReplyStatus::answered;
    stranger->request(subjects.receipts(core::VehicleId("x")), "\xff\xff garbage", base::seconds(1),
                      [&](bus::ReplyStatus got, const auto&) { status = got; });
    loop.run_for(base::seconds(3));
    EXPECT_EQ(status, bus::ReplyStatus::timed_out);
    EXPECT_EQ(coordinator->counts().batches_not_taken, 1U);
}

TEST_F(CoordinatorTest, EnrolsAndTells) {
    open();
    Car car(loop, hub, "car-1", 1);
    bool enrolled = false;
    coordinator->enrol(car.id(), car.public_key(), [&](auto done) { enrolled = done.has_value(); });
    ASSERT_TRUE(run_until([&] { return enrolled; }));
    EXPECT_EQ(database->vehicles.at(car.id()).public_key, car.public_key());
    for (std::uint64_t n = 0; n < 3; ++n)
        car.keep(car.make(n));
    car.send();
    ASSERT_TRUE(run_until([&] { return car.spool.empty(); }));

    auto asker = hub.connect("demo", "demo/1");
    std::optional<wire::Totals> totals;
    asker->request(subjects.coordinator_totals(), "", base::seconds(1),
                   [&](bus::ReplyStatus, const bus::Message& message) {
                       totals = *wire::decode_totals(message.payload);
                   });
    ASSERT_TRUE(run_until([&] { return totals.has_value(); }));
    EXPECT_EQ(*totals, (wire::Totals{3, 30, 27}));
}

// Signatures, wire, bus and a synced database; prints the rate.
TEST(CoordinatorOnSqlite, CommitsWhatItAcknowledges) {
    std::string folder = std::filesystem::temp_directory_path() / "idlewatt-coordinator-XXXXXX";
    ASSERT_TRUE(::mkdtemp(folder.data()));
    base::AsioLoop loop;
    {
        bus::MemoryHub hub(loop, 1);
        auto bus = hub.connect("coordinator", "coordinator/1");
        auto store = store::open_sqlite_store(loop, folder + "/cell.db");
        ASSERT_TRUE(store) << store.error().message;
        Coordinator coordinator({loop, *bus, **store}, {"cell"});
        coordinator.start();
        constexpr std::uint64_t per_car = 500;
        std::vector<std::unique_ptr<Car>> cars;
        std::size_t enrolled = 0;
        for (std::uint64_t i = 0; i < 8; ++i) {
            cars.push_back(std::make_unique<Car>(loop, hub, "car-" + std::to_string(i), i));
            // What is sent twice would be counted twice.
            cars.back()->answer_timeout = base::minutes(2);
            for (std::uint64_t n = 0; n < per_car; ++n)
                cars.back()->keep(cars.back()->make(n));
            coordinator.enrol(cars.back()->id(), cars.back()->public_key(),
                              [&](const auto& done) { enrolled += done ? 1 : 0; });
        }
        const auto run_until = [&](const auto& condition) {
            for (int i = 0; i < 30'000 && !condition(); ++i)
                loop.run_for(base::milliseconds(1));
            return condition();
        };
        ASSERT_TRUE(run_until([&] { return enrolled == cars.size(); }));
        const base::Instant begin = loop.now();
        for (const auto& car : cars)
            car->send();
        ASSERT_TRUE(run_until([&] {
            return std::ranges::all_of(cars, [](const auto& car) { return car->spool.empty(); });
        }));
        const double seconds = (loop.now() - begin).seconds();
        std::printf("%.0f receipts/s through signatures, wire and SQLite\n",
                    static_cast<double>(cars.size() * per_car) / seconds);
        EXPECT_EQ(coordinator.counts().receipts_committed, cars.size() * per_car);
        EXPECT_EQ(coordinator.counts().receipts_refused, 0U);
    }
    {
        auto store = store::open_sqlite_store(loop, folder + "/cell.db");
        ASSERT_TRUE(store);
        std::uint64_t receipts = 0;
        (*store)->receipt_totals([&](const auto& totals) {
            receipts = totals ? totals->receipts : 0;
            loop.stop();
        });
        loop.run_for(base::seconds(20));
        EXPECT_EQ(receipts, 4000U);
    }
    std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace idlewatt::coordinator
