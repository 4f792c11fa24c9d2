// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A fleet of real processes for one test: `idlewatt demo --keep` in a folder of its own, ended and
// looked after at the end.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/asio_loop.hpp"
#include "base/child_process.hpp"
#include "engine/random_model.hpp"
#include "wire/fleet.hpp"

namespace idlewatt::test {

// Slow enough (100 to 200 tokens/s on one core) that an answer can be caught in the middle.
[[nodiscard]] engine::RandomModelShape test_model(engine::WeightType weights);

struct DemoSetup {
    std::uint32_t vehicles = 3;
    engine::RandomModelShape model = test_model(engine::WeightType::f32);
    std::string scenario = "examples/always_parked.toml";
};

class DemoProcess {
public:
    explicit DemoProcess(DemoSetup setup);
    ~DemoProcess();

    DemoProcess(const DemoProcess&) = delete;
    DemoProcess& operator=(const DemoProcess&) = delete;

    // Until all cars are ok and no attempt is open.
    void wait_until_ready(base::Duration limit = base::seconds(60));
    // SIGTERM; how long it took to end all.
    base::Duration end();

    [[nodiscard]] base::AsioLoop& loop() { return loop_; }
    [[nodiscard]] const std::string& url() const { return url_; }
    [[nodiscard]] const std::string& api_key() const { return api_key_; }
    [[nodiscard]] const std::string& folder() const { return folder_; }
    [[nodiscard]] std::uint32_t vehicle_count() const { return vehicle_count_; }
    // What the engine of an answer's second attempt says that its prefill took; from the taps.
    [[nodiscard]] double prefill_ms_of_second_attempt(const std::string& request_id) const;

    [[nodiscard]] std::vector<wire::VehicleRow> vehicles();
    [[nodiscard]] wire::GatewayFigures figures();
    // The car that has an attempt open; empty: none has.
    [[nodiscard]] std::string serving_vehicle();
    [[nodiscard]] int agent_pid(const std::string& vehicle) const;
    [[nodiscard]] int engine_pid(const std::string& vehicle) const;
    [[nodiscard]] int pid_of(const std::string& file) const;
    // POST /api/v1/vehicles/ID/signals; fails the test unless the car takes it.
    void signal(const std::string& vehicle, const std::string& json);

    // Runs the loop until the condition holds.
    bool wait_for(const std::function<bool()>& condition, base::Duration limit);

private:
    [[nodiscard]] std::string get(const std::string& path);

    base::AsioLoop loop_;
    std::string folder_;
    std::string url_;
    std::string api_key_ = "test-key";
    std::uint32_t vehicle_count_;
    std::unique_ptr<base::ChildProcess> process_;
    bool ended_ = false;
};

// A figure to keep, in full when the rounds are named (make soak). Otherwise ten times as much: in
// make test it only catches what is broken, since machines are shared and a few rounds are no p99.
[[nodiscard]] double bar_ms(double figure_ms);

// How many rounds a test runs: IDLEWATT_ROUNDS, or the number given.
[[nodiscard]] std::uint32_t rounds(std::uint32_t otherwise);

// Also true of a zombie: what matters is whether it can still compute.
[[nodiscard]] bool process_runs(int pid);

// Fails the test unless the process is there. Never a process group or the test itself.
void signal_process(int pid, int number);

// Prints name, count, p50, p99 and maximum.
void print_quantiles(const std::string& name, std::vector<double> values_ms);
[[nodiscard]] double quantile_of(std::vector<double> values, double share);

}  // namespace idlewatt::test
