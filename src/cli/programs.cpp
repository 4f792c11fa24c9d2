// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/programs.hpp"

#include <cstdlib>
#include <filesystem>

#include <unistd.h>

#include "base/child_process.hpp"
#include "cli/files.hpp"

namespace idlewatt::cli {

namespace {

namespace fs = std::filesystem;

constexpr int timed_out_code = 124;
constexpr int not_found_code = 127;
constexpr const char* installed_script = "../lib/idlewatt/engine-bundle";
constexpr const char* valet_beside_program = "../share/idlewatt/models/valet.gguf";

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr ? value : "";
}

std::string below_home(const char* variable, const char* folder) {
    const std::string named = environment(variable);
    if (!named.empty())
        return named + "/idlewatt";
    const std::string home = environment("HOME");
    return (home.empty() ? "/tmp" : home) + "/" + folder + "/idlewatt";
}

}  // namespace

std::optional<ProgramEnd> run_program(const std::vector<std::string>& argv, base::Duration limit) {
    std::string file = fs::temp_directory_path() / "idlewatt-output-XXXXXX";
    const int descriptor = mkstemp(file.data());
    if (descriptor < 0)
        return std::nullopt;
    close(descriptor);
    base::AsioLoop loop;
    base::SpawnOptions spawn;
    spawn.argv = argv;
    spawn.output_file = file;
    std::optional<int> code;
    std::optional<ProgramEnd> end;
    {
        const auto child = base::ChildProcess::spawn(loop, spawn, [&](int ended) {
            code = ended;
            loop.stop();
        });
        if (child) {
            loop.run_for(limit);
            end = ProgramEnd{code.value_or(timed_out_code), {}};
        }
    }
    if (end) {
        end->output = read_file(file).value_or("");
        end->output.resize(std::min(end->output.size(), program_output_bytes_max));
        // A child that could not be executed says so by its code.
        if (end->code == not_found_code)
            end.reset();
    }
    unlink(file.c_str());
    return end;
}

std::string first_line(std::string_view text) {
    return std::string(text.substr(0, text.find('\n')));
}

std::string program_folder() {
    std::error_code error;
    return fs::read_symlink("/proc/self/exe", error).parent_path();
}

std::string engine_bundle_script() {
    const fs::path installed = fs::path(program_folder()) / installed_script;
    std::error_code error;
    if (fs::exists(installed, error))
        return fs::weakly_canonical(installed, error);
    // build/release/bin/idlewatt of a source tree.
    const fs::path source = fs::path(program_folder()) / "../../../tools/engine-bundle";
    if (fs::exists(source, error))
        return fs::weakly_canonical(source, error);
    return "tools/engine-bundle";
}

std::optional<std::string> valet_model_file() {
    const fs::path file = fs::path(program_folder()) / valet_beside_program;
    std::error_code error;
    if (!fs::exists(file, error))
        return std::nullopt;
    return fs::weakly_canonical(file, error);
}

std::string cache_folder() {
    return below_home("XDG_CACHE_HOME", ".cache");
}

std::string up_state_dir(const config::Settings& settings) {
    const std::string& named = settings.text("up.state_dir");
    return named.empty() ? below_home("XDG_STATE_HOME", ".local/state") + "/up" : named;
}

}  // namespace idlewatt::cli
