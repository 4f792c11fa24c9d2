// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The whole agent on in-memory edges, with a coordinator that says what it is to hold.
#include "agent/cell_link.hpp"

#include <optional>

#include <gtest/gtest.h>

#include "agent/agent.hpp"
#include "base/simulated_loop.hpp"
#include "blobs/memory_blobs.hpp"
#include "blobs/sha256.hpp"
#include "bus/memory_bus.hpp"
#include "engine/memory_engine.hpp"
#include "meter/model_meter.hpp"
#include "signals/memory_signals.hpp"
#include "spool/memory_spool.hpp"
#include "wire/cell.hpp"
#include "wire/wire.hpp"

namespace idlewatt::agent {
namespace {

const core::VehicleId car{"car"};
const wire::Subjects subjects{"c1"};

// Serves any text by its hash.
class Shop final : public blobs::ByteSource {
public:
    explicit Shop(base::Loop& loop) : loop_(loop) {}
    core::Model add(const std::string& name, const std::string& bytes) {
        core::Model model;
        model.name = name;
        model.sha256 = blobs::sha256_of(bytes);
        model.bytes = bytes.size();
        files_["shop/" + model.sha256] = bytes;
        return model;
    }
    std::unique_ptr<blobs::Transfer> get(const std::string& url, std::uint64_t offset,
                                         std::uint64_t count, blobs::ByteHandler handler) override {
        ++gets;
        auto transfer = std::make_unique<Open>();
        loop_.after(base::milliseconds(20),
                    [alive = transfer->alive, handler, bytes = files_[url].substr(offset, count)] {
                        if (!*alive)
                            return;
                        handler.on_bytes(bytes);
                        handler.on_end({});
                    });
        return transfer;
    }
    int gets = 0;

private:
    struct Open final : blobs::Transfer {
        ~Open() override { *alive = false; }
        std::shared_ptr<bool> alive = std::make_shared<bool>(true);
    };
    base::Loop& loop_;
    std::map<std::string, std::string> files_;
};

class CellLinkTest : public ::testing::Test {
protected:
    struct Life {
        explicit Life(CellLinkTest& test)
            : signals(test.loop),
              engine(test.loop, {}),
              bus(test.hub.connect("car", "car/1")),
              spool(std::move(*spool::open_memory_spool(test.disk))),
              cache(blobs::open_memory_blobs(test.loop, test.shelf, 1'000'000)) {
            AgentOptions options;
            options.vehicle = car;
            options.incarnation = core::Incarnation(++test.lives);
            options.settings.consent = true;
            options.settings.reentry_delay = {};
            options.credentials = test.credentials;
            options.membership = "first";
            CellParts cell;
            cell.blobs = cache.get();
            cell.source = &test.shop;
            cell.memory_bytes = 77;
            cell.keep_renewal = [&test](const wire::Renewal& renewal) -> base::Result<void> {
                if (test.disk_is_full)
                    return base::fail(base::ErrorKind::limit_exceeded, "full");
                test.kept = renewal;
                return {};
            };
            agent = std::make_unique<Agent>(
                AgentParts{test.loop, *bus, engine, signals, test.meter, *spool, test.key, cell},
                options);
            for (const core::SignalInfo& signal : core::signal_table()) {
                if (signal.need == core::SignalNeed::always)
                    signals.set(signal.id, 0.0);
            }
            signals.set(core::SignalId::parked, 1.0);
            signals.set(core::SignalId::plugged_in, 1.0);
            signals.set(core::SignalId::state_of_charge_percent, 80.0);
            agent->start();
        }
        [[nodiscard]] core::Reason reason() const { return agent->core().announced_reason(); }

        signals::MemorySignals signals;
        engine::MemoryEngine engine;
        std::unique_ptr<bus::Bus> bus;
        std::unique_ptr<spool::Spool> spool;
        std::unique_ptr<blobs::Blobs> cache;
        std::unique_ptr<Agent> agent;
    };

    // What the coordinator says from now on.
    void open_office() {
        office = hub.connect("office", "office");
        office->subscribe(subjects.assignment(car), [this](const bus::Message& message) {
            asked = wire::decode_capacity(message.payload).value();
            office->reply(message, wire::encode(assignment));
        });
        office->subscribe(subjects.renew(car), [this](const bus::Message& message) {
            ++renewals;
            office->reply(message, wire::encode(wire::Renewal{
                                       "jwt", "second", loop.wall_now() + base::minutes(60)}));
        });
        office->subscribe(subjects.announce(car), [this](const bus::Message& message) {
            said = wire::decode_announcement(message.payload).value();
        });
    }
    void assign(const core::Model& model) {
        ++assignment.version;
        assignment.model = model;
        assignment.blob_url = "shop/" + model.sha256;
    }
    bool wait(const std::function<bool()>& condition) {
        return loop.run_while_not(condition, base::minutes(10));
    }
    bool says(const std::string& model) {
        return wait([&] {
            return said.reason == core::Reason::ok &&
                   said.models == std::vector<std::string>{model};
        });
    }

    base::SimulatedLoop loop;
    bus::MemoryHub hub{loop, 1};
    Shop shop{loop};
    std::shared_ptr<spool::MemoryDisk> disk = std::make_shared<spool::MemoryDisk>();
    std::shared_ptr<blobs::MemoryShelf> shelf = std::make_shared<blobs::MemoryShelf>();
    identity::KeyPair key = identity::KeyPair::for_test(identity::KeyKind::user, 1);
    meter::ModelMeter meter;
    std::optional<CredentialsLife> credentials;
    std::uint64_t lives = 0;
    bool disk_is_full = false;
    std::optional<wire::Renewal> kept;

    std::unique_ptr<bus::Bus> office;
    core::Assignment assignment;
    core::Capacity asked;
    core::Announcement said;
    int renewals = 0;
};

TEST_F(CellLinkTest, FollowsItsCoordinatorFromModelToModel) {
    open_office();
    const core::Model small = shop.add("small", std::string(300'000, 's'));
    const core::Model large = shop.add("large", std::string(600'000, 'l'));
    Life life(*this);
    ASSERT_TRUE(
        wait([&] { return said.reason == core::Reason::no_model && asked.memory_bytes > 0; }));
    EXPECT_EQ(asked.memory_bytes, 77U);
    EXPECT_EQ(asked.cache_bytes, 1'000'000U);
    assign(small);
    ASSERT_TRUE(says("small"));
    EXPECT_EQ(said.membership, "first");
    assign(large);
    office->publish(subjects.assignment_order(car), {});
    const base::Instant poked = loop.now();
    ASSERT_TRUE(says("large"));
    EXPECT_LT(loop.now() - poked, base::seconds(5)) << "it was poked";
    loop.run_for(base::seconds(40));
    EXPECT_EQ(asked.cached_sha256.size(), 2U);
    // There is no room for a third beside the second, which is in use: the first one goes.
    assign(shop.add("third", std::string(400'000, 't')));
    ASSERT_TRUE(says("third"));
    EXPECT_EQ(life.cache->list().size(), 2U);
    EXPECT_FALSE(life.cache->find(small.sha256));
    // Nor for a fourth beside the third: that one has to go before the fourth has come.
    assign(shop.add("fourth", std::string(900'000, '4')));
    ASSERT_TRUE(says("fourth"));
    EXPECT_EQ(life.cache->list().size(), 1U);
}

TEST_F(CellLinkTest, WorksOnWithoutItsCoordinator) {
    open_office();
    assign(shop.add("small", std::string(300'000, 's')));
    auto life = std::make_unique<Life>(*this);
    ASSERT_TRUE(says("small"));
    life.reset();
    office.reset();
    const int gets = shop.gets;
    life = std::make_unique<Life>(*this);
    EXPECT_TRUE(wait([&] { return life->reason() == core::Reason::ok; }));
    EXPECT_EQ(shop.gets, gets) << "it was in the cache";
}

TEST_F(CellLinkTest, GoesOnWithHalfAFile) {
    open_office();
    assign(shop.add("large", std::string(900'000, 'l')));
    blobs::MemoryShelf::File half{std::string(450'000, 'l'), false, 1};
    shelf->files[assignment.model->sha256] = half;
    Life life(*this);
    EXPECT_TRUE(says("large"));
    EXPECT_EQ(shop.gets, 1);
}

TEST_F(CellLinkTest, RenewsItsCredentials) {
    open_office();
    assign(shop.add("small", "s"));
    credentials = CredentialsLife{loop.wall_now(), loop.wall_now() + base::minutes(60)};
    Life life(*this);
    ASSERT_TRUE(says("small"));
    disk_is_full = true;
    loop.run_for(base::minutes(40));
    EXPECT_GT(renewals, 1) << "what could not be kept is asked for again";
    EXPECT_EQ(said.membership, "first");
    disk_is_full = false;
    ASSERT_TRUE(wait([&] { return said.membership == "second"; }));
    ASSERT_TRUE(kept);
    EXPECT_EQ(kept->user_jwt, "jwt");
    EXPECT_TRUE(says("small")) << "after it came back with the new ones";
    const int so_far = renewals;
    loop.run_for(base::minutes(20));
    EXPECT_EQ(renewals, so_far);
    loop.run_for(base::minutes(20));
    EXPECT_EQ(renewals, so_far + 1);
}

}  // namespace
}  // namespace idlewatt::agent
