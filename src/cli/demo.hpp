// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// idlewatt demo: a whole fleet on this machine, on a scripted day, with clients that ask it
// questions and a judge that compares what they got with what the engines said.
//
// Lifecycle: one run() per object. Threads: the loop that run() drives.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/asio_loop.hpp"
#include "base/result.hpp"
#include "cli/demo_summary.hpp"
#include "cli/exit_code.hpp"
#include "cli/fleet.hpp"
#include "cli/live_table.hpp"
#include "cli/traffic.hpp"
#include "http/client.hpp"
#include "signals/script.hpp"

namespace idlewatt::cli {

inline constexpr int default_demo_port = 8080;
inline constexpr base::Duration default_story_time = base::seconds(60);
inline constexpr std::uint32_t demo_vehicles_max = 64;
// Running answers may end this long after the story; then the fleet is asked to end.
inline constexpr base::Duration last_answers_max = base::seconds(3);
inline constexpr base::Duration fleet_stop_max = base::seconds(6);

struct DemoOptions {
    std::string scenario_path;  // empty: the built-in day
    std::uint32_t vehicles = 6;
    std::optional<double> seconds;  // real time that the story takes
    bool traffic = true;
    std::string model_path;        // empty: Valet
    bool random_model = false;     // one with random weights is made
    bool check_answers = false;    // also of a model that is named; of Valet always
    int port = default_demo_port;  // 0: any free one
    bool port_given = false;       // otherwise any free one if the default is taken
    std::string api_key;           // empty: one is made
    std::string state_dir;         // empty: a folder that is removed at the end
    bool keep = false;             // until SIGINT or SIGTERM
    bool json = false;
    bool verbose = false;
};

class Demo {
public:
    explicit Demo(DemoOptions options);
    ~Demo();

    Demo(const Demo&) = delete;
    Demo& operator=(const Demo&) = delete;

    ExitCode run();

private:
    [[nodiscard]] base::Result<void> prepare();
    [[nodiscard]] base::Result<void> prepare_model();
    [[nodiscard]] base::Result<void> choose_port();
    [[nodiscard]] base::Result<void> start_fleet();
    void introduce();
    void play();
    void play_round(base::Duration until_it);
    void start_traffic(base::Duration until_story);
    // A line of the story, to those who look at the page; it stays for so long, in real time.
    void show_on_page(std::string line, base::Duration shown_for);
    void watch();
    void refresh_view();
    void finish_traffic();
    [[nodiscard]] DemoResult gather();
    void report(const DemoResult& result);
    [[nodiscard]] TableState table_state() const;
    [[nodiscard]] base::Duration story_time() const;
    [[nodiscard]] bool endless() const;

    DemoOptions options_;
    bool interactive_ = false;    // a person looks at a terminal
    bool own_state_dir_ = false;  // ours to remove
    bool stop_asked_ = false;
    bool lessons_ = false;  // clients ask what has one right answer
    base::AsioLoop loop_;
    signals::Script script_;
    FleetOptions fleet_options_;
    std::unique_ptr<Fleet> fleet_;
    std::unique_ptr<Traffic> traffic_;
    std::optional<LiveTable> table_;
    std::vector<wire::VehicleRow> rows_;
    wire::GatewayFigures figures_;
    base::Instant story_began_;
    base::Duration traffic_time_;
    std::unique_ptr<http::Exchange> rows_exchange_;
    std::unique_ptr<http::Exchange> figures_exchange_;
    std::unique_ptr<http::Exchange> notice_exchange_;
};

}  // namespace idlewatt::cli
