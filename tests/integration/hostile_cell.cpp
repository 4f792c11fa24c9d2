// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "hostile_cell.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include <signal.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "http/client.hpp"
#include "identity/identity.hpp"
#include "wire/admin.hpp"
#include "wire/fleet.hpp"

namespace idlewatt::test {

namespace {

constexpr int cars = 2;
constexpr base::Duration start_max = base::seconds(150);
constexpr base::Duration end_max = base::seconds(20);
constexpr base::Duration step = base::milliseconds(20);

std::string contents(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

HostileCell::HostileCell() {
    std::string pattern = std::filesystem::temp_directory_path() / "idlewatt-hostile-XXXXXX";
    folder_ = mkdtemp(pattern.data());
    base::SpawnOptions spawn;
    spawn.argv = {std::string(IDLEWATT_BINARY_DIR) + "/bin/idlewatt",
                  "up",
                  "--state",
                  folder_ + "/state",
                  "--port",
                  "0",
                  "--coordinator-port",
                  "0",
                  "--vehicles",
                  std::to_string(cars),
                  "--json"};
    spawn.environment = {{"XDG_CONFIG_HOME", folder_}};
    spawn.output_file = folder_ + "/up.log";
    auto process = base::ChildProcess::spawn(loop_, spawn, [this](int) { ended_ = true; });
    EXPECT_TRUE(process) << (process ? "" : process.error().message);
    if (!process)
        return;
    process_ = std::move(*process);
    // What it says on stdout when all is ready is the only line that is JSON.
    nlohmann::json said;
    const auto introduced = [&] {
        std::ifstream log(spawn.output_file);
        for (std::string line; std::getline(log, line);) {
            said = nlohmann::json::parse(line, nullptr, false);
            if (said.is_object() && said.contains("coordinator_url"))
                return true;
        }
        return ended_;
    };
    const bool ready = run_until(introduced, start_max) && !ended_;
    EXPECT_TRUE(ready) << contents(spawn.output_file);
    if (!ready)
        return;
    gateway_url_ = said.value("url", "");
    coordinator_url_ = said.value("coordinator_url", "");
    model_ = said.value("model", "");
    api_key_ = contents(said.value("api_key_file", ""));
    std::erase(api_key_, '\n');
    EXPECT_TRUE(all_cars_ready());
}

HostileCell::~HostileCell() {
    if (process_) {
        process_->signal(SIGTERM);
        EXPECT_TRUE(run_until([this] { return ended_; }, end_max)) << "`up` does not end";
    }
    std::error_code ignored;
    if (::testing::Test::HasFailure())
        std::cout << "state and logs of the failed run: " << folder_ << '\n';
    else
        std::filesystem::remove_all(folder_, ignored);
}

int HostileCell::port_of(const std::string& url) {
    return std::atoi(url.substr(url.rfind(':') + 1).c_str());
}

bool HostileCell::run_until(const std::function<bool()>& condition, base::Duration limit) {
    const base::Instant end = loop_.now() + limit;
    while (!condition()) {
        if (loop_.now() > end)
            return false;
        loop_.run_for(step);
    }
    return true;
}

http::Response HostileCell::call(const std::string& method, const std::string& url,
                                 const std::string& body) {
    http::Call call;
    call.method = method;
    call.url = url;
    call.body = body;
    call.bearer_token = api_key_;
    auto answer = http::call_and_wait(loop_, std::move(call));
    return answer ? std::move(*answer) : http::Response{0, {}, answer.error().message};
}

std::string HostileCell::model_sha256() {
    const auto models =
        wire::parse_registered_models(call("GET", coordinator_url_ + "/api/v1/models").body);
    return models && !models->empty() ? models->front().model.sha256 : std::string();
}

std::string HostileCell::car_jwt() const {
    const auto jwt =
        identity::user_jwt_of_credentials(contents(folder_ + "/state/vehicles/car-01/car.creds"));
    return jwt.value_or("");
}

std::string HostileCell::new_token() {
    const auto created = wire::parse_enrolment_created(
        call("POST", coordinator_url_ + "/api/v1/enrolments", R"({"label":"stranger"})").body);
    return created ? created->token : std::string();
}

bool HostileCell::all_cars_ready() {
    return run_until(
        [this] {
            const auto rows =
                wire::parse_vehicles_body(call("GET", gateway_url_ + "/api/v1/vehicles").body);
            return rows && rows->size() == cars &&
                   std::ranges::all_of(*rows, [](const wire::VehicleRow& row) {
                       return row.reason == core::Reason::ok && row.active_requests == 0;
                   });
        },
        start_max);
}

std::string HostileCell::ask() {
    const http::Response answer =
        call("POST", gateway_url_ + "/v1/chat/completions",
             "{\"model\":\"" + model_ +
                 R"(","max_tokens":8,"messages":[{"role":"user","content":"Are you well?"}]})");
    if (answer.status != 200)
        return {};
    const auto body = nlohmann::json::parse(answer.body, nullptr, false);
    const auto finish = nlohmann::json::json_pointer("/choices/0/finish_reason");
    return body.is_object() && body.contains(finish) ? body.at(finish).get<std::string>() : "";
}

std::map<std::string, int> HostileCell::pids() const {
    std::map<std::string, int> found;
    const std::string state = folder_ + "/state/";
    for (const std::string part :
         {"gateway", "coordinator", "vehicles/car-01/agent", "vehicles/car-02/agent"}) {
        found[part] = std::atoi(contents(state + part + ".pid").c_str());
    }
    return found;
}

std::map<std::string, std::uint64_t> HostileCell::resident_bytes() const {
    std::map<std::string, std::uint64_t> found;
    for (const auto& [name, pid] : pids()) {
        std::ifstream status("/proc/" + std::to_string(pid) + "/status");
        for (std::string line; std::getline(status, line);) {
            if (line.starts_with("VmRSS:"))
                found[name] = std::strtoull(line.c_str() + 6, nullptr, 10) * 1024;
        }
    }
    return found;
}

}  // namespace idlewatt::test
