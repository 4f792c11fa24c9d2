// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "demo_process.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>

#include <signal.h>

#include <gtest/gtest.h>

#include "cli/demo_summary.hpp"
#include "cli/files.hpp"
#include "engine/tap.hpp"
#include "http/client.hpp"

namespace idlewatt::test {

namespace {

constexpr base::Duration step = base::milliseconds(2);

}  // namespace

engine::RandomModelShape test_model(engine::WeightType weights) {
    engine::RandomModelShape shape;
    shape.layers = 6;
    shape.width = 512;
    shape.heads = 8;
    shape.key_value_heads = 4;
    shape.feed_forward = 1408;
    shape.weights = weights;
    return shape;
}

DemoProcess::DemoProcess(DemoSetup setup) : vehicle_count_(setup.vehicles) {
    std::string pattern = std::filesystem::temp_directory_path() / "idlewatt-test-XXXXXX";
    folder_ = mkdtemp(pattern.data());
    const std::string model = folder_ + "/test-model.gguf";
    const auto written = engine::write_random_model(model, setup.model, 11);
    EXPECT_TRUE(written) << (written ? "" : written.error().message);
    const auto port = cli::free_port();
    EXPECT_TRUE(port);
    url_ = "http://127.0.0.1:" + std::to_string(*port);
    base::SpawnOptions spawn;
    spawn.argv = {std::string(IDLEWATT_BINARY_DIR) + "/bin/idlewatt",
                  "demo",
                  "--scenario",
                  std::string(IDLEWATT_SOURCE_DIR) + "/" + setup.scenario,
                  "--vehicles",
                  std::to_string(setup.vehicles),
                  "--traffic",
                  "off",
                  "--keep",
                  "--model",
                  model,
                  "--port",
                  std::to_string(*port),
                  "--api-key",
                  api_key_,
                  "--state",
                  folder_ + "/state"};
    spawn.output_file = folder_ + "/demo.log";
    auto process = base::ChildProcess::spawn(loop_, spawn, [this](int) { ended_ = true; });
    EXPECT_TRUE(process) << (process ? "" : process.error().message);
    process_ = std::move(*process);
}

DemoProcess::~DemoProcess() {
    if (!ended_)
        end();
    std::error_code ignored;
    if (::testing::Test::HasFailure()) {
        std::cout << "state and logs of the failed run: " << folder_ << '\n';
    } else {
        std::filesystem::remove_all(folder_, ignored);
    }
}

base::Duration DemoProcess::end() {
    const base::Instant began = loop_.now();
    process_->signal(SIGTERM);
    wait_for([this] { return ended_; }, base::seconds(15));
    EXPECT_TRUE(ended_) << "the demo did not end within 15 s of SIGTERM";
    return loop_.now() - began;
}

bool DemoProcess::wait_for(const std::function<bool()>& condition, base::Duration limit) {
    const base::Instant end = loop_.now() + limit;
    while (!condition()) {
        if (loop_.now() > end)
            return false;
        loop_.run_for(step);
    }
    return true;
}

void DemoProcess::wait_until_ready(base::Duration limit) {
    const bool ready = wait_for(
        [this] {
            const auto rows = vehicles();
            return rows.size() == vehicle_count_ &&
                   std::ranges::all_of(rows, [](const wire::VehicleRow& row) {
                       return row.reason == core::Reason::ok && row.active_requests == 0 &&
                              row.announcement.slots_free == row.announcement.slots_total;
                   });
        },
        limit);
    if (!ready) {
        for (const auto& row : vehicles()) {
            std::cout << row.announcement.vehicle.value << ": " << core::name(row.reason) << ", "
                      << row.active_requests << " open, " << row.announcement.slots_free
                      << " free\n";
        }
    }
    ASSERT_TRUE(ready) << "not all cars became ready; see " << folder_;
}

std::string DemoProcess::get(const std::string& path) {
    http::Call call;
    call.url = url_ + path;
    call.headers["authorization"] = "Bearer " + api_key_;
    auto answer = http::call_and_wait(loop_, std::move(call));
    return answer && answer->status == 200 ? answer->body : std::string{};
}

std::vector<wire::VehicleRow> DemoProcess::vehicles() {
    auto rows = wire::parse_vehicles_body(get("/api/v1/vehicles"));
    return rows ? *rows : std::vector<wire::VehicleRow>{};
}

wire::GatewayFigures DemoProcess::figures() {
    auto figures = wire::parse_figures_body(get("/api/v1/figures"));
    return figures ? *figures : wire::GatewayFigures{};
}

std::string DemoProcess::serving_vehicle() {
    for (const wire::VehicleRow& row : vehicles()) {
        if (row.active_requests > 0)
            return row.announcement.vehicle.value;
    }
    return {};
}

int DemoProcess::pid_of(const std::string& file) const {
    const auto text = cli::read_file(folder_ + "/state/" + file);
    return text ? std::atoi(text->c_str()) : 0;
}

int DemoProcess::agent_pid(const std::string& vehicle) const {
    return pid_of("vehicles/" + vehicle + "/agent.pid");
}

int DemoProcess::engine_pid(const std::string& vehicle) const {
    return pid_of("vehicles/" + vehicle + "/engine.pid");
}

void DemoProcess::signal(const std::string& vehicle, const std::string& json) {
    http::Call call;
    call.method = "POST";
    call.url = url_ + "/api/v1/vehicles/" + vehicle + "/signals";
    call.headers["authorization"] = "Bearer " + api_key_;
    call.body = json;
    auto answer = http::call_and_wait(loop_, std::move(call));
    ASSERT_TRUE(answer) << answer.error().message;
    ASSERT_EQ(answer->status, 200) << answer->body;
}

double DemoProcess::prefill_ms_of_second_attempt(const std::string& request_id) const {
    const std::string label = request_id.substr(request_id.find('-') + 1) + "-2";
    for (const auto& car : std::filesystem::directory_iterator(folder_ + "/state/vehicles")) {
        const auto frames = engine::read_tap(car.path() / "tap.bin");
        if (!frames)
            continue;
        std::string said;
        for (const engine::TapFrame& frame : *frames) {
            if (frame.label == label && frame.direction == engine::TapDirection::from_engine)
                said += frame.data;
        }
        const std::string key = "\"prompt_ms\":";
        const auto at = said.find(key);
        if (at != std::string::npos)
            return std::atof(said.c_str() + at + key.size());
    }
    return 0.0;
}

double bar_ms(double figure_ms) {
    return std::getenv("IDLEWATT_ROUNDS") != nullptr ? figure_ms : 10.0 * figure_ms;
}

std::uint32_t rounds(std::uint32_t otherwise) {
    const char* text = std::getenv("IDLEWATT_ROUNDS");
    return text == nullptr ? otherwise : static_cast<std::uint32_t>(std::atoi(text));
}

bool process_runs(int pid) {
    std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
    std::string line;
    if (!std::getline(stat, line))
        return false;
    const auto name_end = line.rfind(')');
    return name_end != std::string::npos && line.compare(name_end, 3, ") Z") != 0 &&
           line.compare(name_end, 3, ") X") != 0;
}

void signal_process(int pid, int number) {
    ASSERT_GT(pid, 1) << "no pid file; signal " << number;
    ASSERT_EQ(::kill(pid, number), 0) << "pid " << pid << ", signal " << number;
}

double quantile_of(std::vector<double> values, double share) {
    return cli::quantile(std::move(values), share);
}

void print_quantiles(const std::string& name, std::vector<double> values_ms) {
    const double largest = values_ms.empty() ? 0.0 : *std::ranges::max_element(values_ms);
    std::printf("%-48s n %4zu   p50 %8.1f ms   p99 %8.1f ms   max %8.1f ms\n", name.c_str(),
                values_ms.size(), quantile_of(values_ms, 0.5), quantile_of(values_ms, 0.99),
                largest);
    std::fflush(stdout);
}

}  // namespace idlewatt::test
