// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "check_engine.hpp"

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <optional>
#include <string>

#include "base/asio_loop.hpp"
#include "engine/contract_check.hpp"
#include "engine/llama_server_engine.hpp"
#include "engine/random_model.hpp"

namespace idlewatt {

namespace {

constexpr base::Duration start_max = base::seconds(10);
constexpr base::Duration check_max = base::seconds(20);

int fail(const std::string& message) {
    std::cerr << "idlewatt-agent check-engine: " << message << '\n';
    return 1;
}

bool run_until(base::AsioLoop& loop, const std::function<bool()>& condition, base::Duration limit) {
    const base::Instant end = loop.now() + limit;
    while (!condition()) {
        if (loop.now() > end)
            return false;
        loop.run_for(base::milliseconds(5));
    }
    return true;
}

int check_in(const std::string& folder) {
    const std::string model = folder + "/check.gguf";
    auto written = engine::write_random_model(model, {}, 1);
    if (!written)
        return fail(written.error().message);
    auto bundle = engine::find_engine_bundle();
    if (!bundle)
        return fail(bundle.error().message);
    base::AsioLoop loop;
    engine::LlamaServerOptions options;
    options.model_path = model;
    options.model_name = "check";
    options.bundle_dir = *bundle;
    options.run_dir = folder;
    options.guard_program = std::filesystem::read_symlink("/proc/self/exe");
    const auto engine = engine::make_llama_server_engine(loop, options);
    engine::Status status;
    engine->on_status([&](const engine::Status& now) { status = now; });
    engine->start();
    if (!run_until(
            loop, [&] { return status.condition == engine::Condition::ready; }, start_max))
        return fail("the engine did not start: " + status.failure);
    std::optional<engine::ContractReport> report;
    engine::check_engine_contract(
        loop, *engine, [&](engine::ContractReport result) { report = std::move(result); });
    if (!run_until(
            loop, [&] { return report.has_value(); }, check_max))
        return fail("the engine did not answer in time");
    for (const engine::CapabilityCheck& check : report->checks) {
        std::cout << (check.ok         ? "ok      "
                      : check.required ? "MISSING "
                                       : "weaker  ")
                  << check.capability << ": " << check.message << '\n';
    }
    return report->usable() ? 0 : 1;
}

}  // namespace

int check_engine() {
    std::string folder = std::filesystem::temp_directory_path() / "idlewatt-check-XXXXXX";
    if (mkdtemp(folder.data()) == nullptr)
        return fail("cannot create " + folder);
    const int code = check_in(folder);
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
    return code;
}

}  // namespace idlewatt
