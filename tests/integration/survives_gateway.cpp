// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The other ends: a gateway that is killed, a client that goes away, a request that is the client's
// own mistake, and the end of the demo itself.
#include <algorithm>
#include <cstdio>
#include <filesystem>

#include <signal.h>

#include <gtest/gtest.h>

#include "chat_client.hpp"
#include "cli/fleet.hpp"
#include "demo_process.hpp"
#include "http/beast_server.hpp"

namespace idlewatt::test {
namespace {

Question endless_question() {
    Question question;
    question.max_tokens = 1500;
    question.more_fields = ",\"ignore_eos\":true";
    return question;
}

bool all_slots_free(DemoProcess& demo) {
    const auto rows = demo.vehicles();
    return rows.size() == demo.vehicle_count() &&
           std::ranges::all_of(rows, [](const wire::VehicleRow& row) {
               return row.active_requests == 0 &&
                      row.announcement.slots_free == row.announcement.slots_total &&
                      row.reason == core::Reason::ok;
           });
}

TEST(SurvivesGateway, CarsStopWithinTheLeaseOfAKilledGateway) {
    DemoProcess demo({.vehicles = 2});
    demo.wait_until_ready();
    ChatAnswer answer(demo, endless_question());
    ASSERT_TRUE(answer.wait_for_pieces(5));
    const int gateway = demo.pid_of("gateway.pid");
    const base::Instant began = demo.loop().now();
    ASSERT_NO_FATAL_FAILURE(signal_process(gateway, SIGKILL));
    ASSERT_TRUE(answer.wait_for_end());
    EXPECT_FALSE(answer.whole());
    // The restarted gateway learns from the cars' announcements when they have stopped.
    ASSERT_TRUE(
        demo.wait_for([&] { return demo.pid_of("gateway.pid") != gateway && all_slots_free(demo); },
                      base::seconds(30)));
    const double took_ms = (demo.loop().now() - began).milliseconds();
    std::printf("gateway killed: cars free after %.0f ms\n", took_ms);
    // 2 s of lease, and a tick and an announcement until it is known.
    EXPECT_LE(took_ms, bar_ms(3200.0));
    ChatAnswer next(demo, {});
    ASSERT_TRUE(next.wait_for_end());
    EXPECT_TRUE(next.whole()) << next.record().error_message;
}

TEST(SurvivesGateway, WorkStopsWithinASecondOfTheClientsLeaving) {
    DemoProcess demo({.vehicles = 2});
    demo.wait_until_ready();
    for (int i = 0; i < 5; ++i) {
        ChatAnswer answer(demo, endless_question());
        ASSERT_TRUE(answer.wait_for_pieces(5));
        answer.hang_up();
        const base::Instant began = demo.loop().now();
        ASSERT_TRUE(demo.wait_for([&] { return all_slots_free(demo); }, base::seconds(30)));
        const double took_ms = (demo.loop().now() - began).milliseconds();
        std::printf("client gone: slot free after %.0f ms\n", took_ms);
        EXPECT_LE(took_ms, bar_ms(1000.0));
    }
}

TEST(SurvivesGateway, TheClientsMistakesAreTheClients) {
    DemoProcess demo({.vehicles = 2});
    demo.wait_until_ready();
    Question wrong;
    for (int i = 0; i < 4'000; ++i)  // more than the demo's engines have room for
        wrong.text += " and where is it now";
    ChatAnswer answer(demo, wrong);
    ASSERT_TRUE(answer.wait_for_end());
    EXPECT_EQ(answer.record().status, 400) << answer.record().text;
    EXPECT_EQ(demo.figures().attempts, 1U) << "an engine's 4xx is never tried elsewhere";
    Question whole;
    whole.stream = false;
    ChatAnswer plain(demo, whole);
    ASSERT_TRUE(plain.wait_for_end());
    EXPECT_EQ(plain.record().status, 200);
    EXPECT_FALSE(plain.record().text.empty());
}

// Two demonstrations that are started together find the same port free: the second one must not
// take the first one's gateway, which knows neither its key nor its cars, for its own.
TEST(SurvivesGateway, AnothersGatewayIsNotTakenForOnesOwn) {
    base::AsioLoop loop;
    auto other = http::listen(loop, {});
    ASSERT_TRUE(other) << other.error().message;
    http::Handler handler;
    handler.on_request = [&other](const http::Request& request) {
        other->server->respond(request.id, {200, {}, "{}"});
    };
    other->server->set_handler(std::move(handler));
    std::string folder = std::filesystem::temp_directory_path() / "idlewatt-test-XXXXXX";
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    cli::FleetOptions options;
    options.state_dir = folder;
    options.program_dir = std::string(IDLEWATT_BINARY_DIR) + "/bin";
    options.script_path = std::string(IDLEWATT_SOURCE_DIR) + "/examples/always_parked.toml";
    options.model_path = folder + "/none.gguf";
    options.model_name = "none";
    options.api_key = "k";
    options.vehicles = 1;
    options.port = other->port;
    {
        cli::Fleet fleet(loop, options);
        const auto started = fleet.start();
        ASSERT_FALSE(started);
        const std::string& said = started.error().message;
        EXPECT_NE(said.find(fleet.url()), std::string::npos) << said;
        EXPECT_NE(said.find("in use"), std::string::npos) << said;
        EXPECT_NE(said.find("--port"), std::string::npos) << said;
        EXPECT_EQ(said.find(folder), std::string::npos) << "that is gone: " << said;
    }
    std::filesystem::remove_all(folder);
}

TEST(SurvivesGateway, TheDemoEndsAllItsProcesses) {
    DemoProcess demo({.vehicles = 2});
    demo.wait_until_ready();
    std::vector<int> pids{demo.pid_of("gateway.pid"), demo.pid_of("coordinator.pid"),
                          demo.pid_of("nats.pid")};
    for (const wire::VehicleRow& row : demo.vehicles()) {
        pids.push_back(demo.agent_pid(row.announcement.vehicle.value));
        pids.push_back(demo.engine_pid(row.announcement.vehicle.value));
    }
    for (const int pid : pids)
        EXPECT_TRUE(process_runs(pid)) << pid;
    ChatAnswer answer(demo, endless_question());
    ASSERT_TRUE(answer.wait_for_pieces(5));
    const double took_ms = demo.end().milliseconds();
    std::printf("SIGTERM: all ended after %.0f ms\n", took_ms);
    EXPECT_LE(took_ms, 10'000.0);
    ASSERT_TRUE(answer.wait_for_end());
    EXPECT_EQ(answer.record().error_code, "worker_preempted")
        << "the stream was cut: " << answer.record().broken;
    for (const int pid : pids)
        EXPECT_FALSE(process_runs(pid)) << pid;
}

}  // namespace
}  // namespace idlewatt::test
