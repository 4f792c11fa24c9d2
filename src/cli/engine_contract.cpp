// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/engine_contract.hpp"

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <optional>
#include <sstream>

#include "base/child_process.hpp"
#include "cli/files.hpp"
#include "engine/llama_server_engine.hpp"

namespace idlewatt::cli {

namespace {

namespace fs = std::filesystem;

// Where it is remembered that this engine has passed; empty: nowhere.
std::string stamp_of(const std::string& bundle_dir) {
    const char* cache = std::getenv("XDG_CACHE_HOME");
    const char* home = std::getenv("HOME");
    if (cache == nullptr && home == nullptr)
        return {};
    const fs::path folder = cache != nullptr ? fs::path(cache) : fs::path(home) / ".cache";
    std::error_code error;
    const fs::path bundle = fs::canonical(bundle_dir, error);
    // An engine of the system changes without a trace: tried every time.
    if (error || bundle_dir.empty())
        return {};
    return folder / "idlewatt" / "engine" / (bundle.filename().string() + ".contract");
}

}  // namespace

void check_engine_once(base::AsioLoop& loop, const std::string& agent_program,
                       const std::string& folder) {
    const auto bundle = engine::find_engine_bundle();
    if (!bundle)
        return;  // whoever starts the engine says so
    const std::string stamp = stamp_of(*bundle);
    if (!stamp.empty() && fs::exists(stamp))
        return;
    base::SpawnOptions spawn;
    spawn.argv = {agent_program, "check-engine"};
    spawn.output_file = folder + "/engine-check.log";
    std::optional<int> code;
    const auto child = base::ChildProcess::spawn(loop, spawn, [&](int ended) { code = ended; });
    const base::Instant end = loop.now() + engine_check_max;
    while (child && !code && loop.now() < end)
        loop.run_for(base::milliseconds(10));
    const auto output = read_file(spawn.output_file);
    bool complete = code == 0;
    std::istringstream lines(output ? *output : std::string{});
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("ok "))
            continue;
        complete = false;
        std::cerr << "engine: " << line << '\n';
    }
    if (code != 0)
        std::cerr
            << "engine: the check of llama-server did not pass; answers may not survive their "
               "car. See "
            << spawn.output_file << '\n';
    if (complete && !stamp.empty())
        static_cast<void>(write_file(stamp, *output));
}

}  // namespace idlewatt::cli
