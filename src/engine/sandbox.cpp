// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "engine/sandbox.hpp"

#include <cstdlib>
#include <filesystem>
#include <string_view>

#include <unistd.h>

#include "engine/gguf_file_type.hpp"
#include "engine/guard.hpp"
#include "engine/syscall_filter.hpp"

namespace idlewatt::engine {

namespace {

namespace fs = std::filesystem;

constexpr const char* model_in_sandbox = "/model.gguf";
constexpr const char* socket_dir_in_sandbox = "/run/engine";
// Threads of the engine's HTTP server beyond one for each slot: health, templates, tokeniser.
constexpr std::uint32_t http_threads_extra = 6;

std::string on_path(const std::string& program) {
    const char* path = std::getenv("PATH");
    std::string_view rest = path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin";
    while (!rest.empty()) {
        const std::size_t end = std::min(rest.find(':'), rest.size());
        const std::string candidate = std::string(rest.substr(0, end)) + "/" + program;
        if (::access(candidate.c_str(), X_OK) == 0)
            return candidate;
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return {};
}

void append(std::vector<std::string>& argv, std::initializer_list<std::string> words) {
    argv.insert(argv.end(), words);
}

void append_server_flags(std::vector<std::string>& argv, const LlamaServerOptions& options,
                         const std::string& model, const std::string& socket) {
    append(argv, {"-m", model, "-a", options.model_name, "--host", socket});
    append(argv, {"-np", std::to_string(options.slots), "-c",
                  std::to_string(options.slots * options.context_tokens_per_slot)});
    append(argv, {"-t", std::to_string(options.threads), "--threads-http",
                  std::to_string(options.slots + http_threads_extra)});
    // No cache beside the slots: its default limit is 8 GiB. Warnings only: no prompt in a log.
    // Vectors beside chat.
    append(argv, {"--embeddings"});
    if (!names_pooling(options.model_path))
        append(argv, {"--pooling", "mean"});
    append(argv, {"--no-ui", "--no-warmup", "--fit", "off", "--cache-ram", "0", "-lv", "2"});
    // Who serves whole weights wants exactness: with a half-precision cache and fused attention a
    // token's log-probability moves by up to 0.02 between prefill and decode, enough for an answer
    // that moved to another car to differ; with these it moves by 1e-6.
    const auto weights = read_file_type(options.model_path);
    if (weights && *weights != FileType::other)
        append(argv, {"-fa", "off", "-ctk", "f32", "-ctv", "f32"});
}

// The host's /usr as it is, where no bundle is given.
void append_system(std::vector<std::string>& argv, const std::string& program) {
    append(argv, {"--ro-bind", "/usr", "/usr", "--ro-bind-try", "/etc/ld.so.cache",
                  "/etc/ld.so.cache", "--ro-bind-try", "/etc/alternatives", "/etc/alternatives"});
    for (const char* folder : {"/lib", "/lib64", "/bin"}) {
        std::error_code error;
        if (fs::is_symlink(folder, error)) {
            append(argv, {"--symlink", fs::read_symlink(folder, error).string(), folder});
        } else if (fs::exists(folder, error)) {
            append(argv, {"--ro-bind", folder, folder});
        }
    }
    const std::string folder = fs::path(program).parent_path();
    if (!program.starts_with("/usr/"))
        append(argv, {"--ro-bind", folder, folder});
}

base::Result<EngineCommand> direct_command(const std::string& bundle_dir) {
    if (bundle_dir.empty())
        return EngineCommand{{on_path("llama-server")}, "/tmp"};
    std::error_code error;
    for (const auto& folder : fs::directory_iterator(bundle_dir + "/usr/lib", error)) {
        const fs::path libraries = folder.path();
        if (!fs::exists(libraries / "libc.so.6", error))
            continue;
        EngineCommand command;
        for (const auto& file : fs::directory_iterator(libraries, error)) {
            if (!file.path().filename().string().starts_with("ld-linux"))
                continue;
            const std::string path = libraries.string();
            command.argv = {file.path().string(), "--library-path",
                            path + ":" + path + "/llama:" + path + "/ggml",
                            bundle_dir + "/usr/bin/llama-server"};
        }
        // ggml looks for its back ends under /usr, then where it is started.
        for (const auto& part : fs::directory_iterator(libraries / "ggml", error)) {
            if (part.path().filename().string().starts_with("backends")) {
                command.direct_folder = part.path().string();
            }
        }
        if (!command.argv.empty() && !command.direct_folder.empty())
            return command;
    }
    return base::fail(base::ErrorKind::not_found,
                      "the engine bundle in '" + bundle_dir +
                          "' has no dynamic loader or no back ends; run tools/engine-bundle "
                          "--refresh");
}

}  // namespace

base::Result<EngineCommand> engine_command(const LlamaServerOptions& options,
                                           const std::string& socket_dir) {
    std::error_code error;
    const fs::path model = fs::canonical(options.model_path, error);
    if (error) {
        return base::fail(base::ErrorKind::not_found,
                          "no model at '" + options.model_path + "': " + error.message());
    }
    const bool bundled = !options.bundle_dir.empty();
    const std::string program = bundled ? "/usr/bin/llama-server" : on_path("llama-server");
    if (program.empty() || (bundled && !fs::exists(options.bundle_dir + program, error))) {
        return base::fail(base::ErrorKind::not_found, "no llama-server in '" + options.bundle_dir +
                                                          "' or on PATH; run tools/engine-bundle");
    }
    const char* sandbox = std::getenv("IDLEWATT_ENGINE_SANDBOX");
    if (sandbox != nullptr && std::string_view(sandbox) == "off") {
        auto direct = direct_command(options.bundle_dir);
        if (direct) {
            append_server_flags(direct->argv, options, model,
                                socket_dir + "/" + engine_socket_name);
        }
        return direct;
    }
    EngineCommand command;
    const std::string bwrap = on_path("bwrap");
    if (bwrap.empty()) {
        return base::fail(base::ErrorKind::not_found,
                          "bwrap is not installed (apt-get install bubblewrap); without it engines "
                          "run only with IDLEWATT_ENGINE_SANDBOX=off");
    }
    // As process 1 of its namespace the engine is the very process that is signalled and watched.
    append(command.argv, {bwrap, "--unshare-all", "--die-with-parent", "--new-session",
                          "--as-pid-1", "--cap-drop", "ALL", "--clearenv", "--hostname", "engine",
                          "--info-fd", std::to_string(guard_info_fd)});
    if (const int filter = make_syscall_filter(); filter >= 0) {
        ::close(filter);  // the guard makes its own
        append(command.argv, {"--seccomp", std::to_string(guard_filter_fd)});
    }
    if (bundled) {
        append(command.argv,
               {"--ro-bind", options.bundle_dir + "/usr", "/usr", "--symlink", "usr/lib64",
                "/lib64", "--symlink", "usr/lib", "/lib", "--symlink", "usr/bin", "/bin"});
    } else {
        append_system(command.argv, program);
    }
    append(command.argv, {"--proc",    "/proc",        "--dev",
                          "/dev",      "--tmpfs",      "/tmp",
                          "--ro-bind", model.string(), model_in_sandbox,
                          "--bind",    socket_dir,     socket_dir_in_sandbox,
                          "--chdir",   "/tmp",         "--setenv",
                          "PATH",      "/usr/bin",     "--setenv",
                          "HOME",      "/tmp",         "--",
                          program});
    append_server_flags(command.argv, options, model_in_sandbox,
                        std::string(socket_dir_in_sandbox) + "/" + engine_socket_name);
    return command;
}

base::Result<std::string> find_engine_bundle() {
    std::error_code error;
    if (const char* named = std::getenv("IDLEWATT_ENGINE_BUNDLE"); named != nullptr && *named) {
        const fs::path path = fs::canonical(named, error);
        if (!error && fs::exists(path / "usr/bin/llama-server"))
            return path.string();
        return base::fail(base::ErrorKind::not_found,
                          std::string("IDLEWATT_ENGINE_BUNDLE names '") + named +
                              "', which holds no usr/bin/llama-server");
    }
    const char* cache = std::getenv("XDG_CACHE_HOME");
    const char* home = std::getenv("HOME");
    fs::path base_dir;
    if (cache != nullptr && *cache) {
        base_dir = cache;
    } else if (home != nullptr) {
        base_dir = fs::path(home) / ".cache";
    }
    // The link may move on to a newer bundle while this one is in use.
    const fs::path bundle = fs::canonical(base_dir / "idlewatt/engine/current", error);
    if (!error && fs::exists(bundle / "manifest", error))
        return bundle.string();
    if (!on_path("llama-server").empty())
        return std::string();
    return base::fail(base::ErrorKind::not_found,
                      "no inference engine: there is no bundle in '" +
                          (base_dir / "idlewatt/engine").string() +
                          "' and no llama-server on PATH; run tools/engine-bundle");
}

}  // namespace idlewatt::engine
