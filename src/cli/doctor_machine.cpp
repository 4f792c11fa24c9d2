// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <unistd.h>

#include "bus/nats_server.hpp"
#include "cli/columns.hpp"
#include "cli/doctor.hpp"
#include "cli/programs.hpp"
#include "engine/llama_server_engine.hpp"

namespace idlewatt::cli {

namespace {

namespace fs = std::filesystem;
using Status = Finding::Status;

constexpr base::Duration program_max = base::seconds(10);
// An engine bundle, a small model, a store and some logs.
constexpr std::uint64_t disk_bytes_min = 1'000'000'000;
constexpr std::uint64_t files_min = 4096;

Finding engine_bundle() {
    const auto bundle = engine::find_engine_bundle();
    if (!bundle)
        return {"engine", Status::broken, bundle.error().message, "run: " + engine_bundle_script()};
    return {"engine", Status::ok,
            bundle->empty() ? "llama-server of the system" : "engine bundle in " + *bundle, ""};
}

Finding nats_server() {
    const auto program = bus::find_nats_server();
    if (!program)
        return {"nats_server", Status::notice, program.error().message,
                "needed by up and demo only; run: " + engine_bundle_script()};
    const auto ran = run_program({*program, "--version"}, program_max);
    if (!ran || ran->code != 0)
        return {"nats_server", Status::broken, *program + " does not start",
                "fetch it again: " + engine_bundle_script() + " --refresh"};
    return {"nats_server", Status::ok, first_line(ran->output) + " (" + *program + ")", ""};
}

Finding sandbox() {
    const auto ran = run_program({"bwrap", "--unshare-all", "--die-with-parent", "--ro-bind", "/",
                                  "/", "--proc", "/proc", "--dev", "/dev", "true"},
                                 program_max);
    if (!ran)
        return {"sandbox", Status::broken, "bwrap is not installed", "apt-get install bubblewrap"};
    if (ran->code != 0)
        return {"sandbox", Status::broken,
                "bwrap cannot make a sandbox: " + first_line(ran->output),
                "allow user namespaces (sysctl kernel.unprivileged_userns_clone=1), or install "
                "bwrap with its set-uid bit"};
    return {"sandbox", Status::ok, "bwrap makes sandboxes with their own users and network", ""};
}

Finding cgroups() {
    std::ifstream file("/sys/fs/cgroup/cgroup.controllers");
    std::string controllers;
    std::getline(file, controllers);
    if (controllers.find("memory") == std::string::npos)
        return {"cgroups", Status::notice, "there is no memory controller of cgroup v2",
                "engines run with the limits of their processes only; boot with "
                "systemd.unified_cgroup_hierarchy=1"};
    return {"cgroups", Status::ok, "cgroup v2 with " + controllers, ""};
}

Finding clock_state() {
    timex asked{};
    const int state = adjtimex(&asked);
    if (state < 0)
        return {"clock", Status::notice, "the kernel does not say whether the clock is right",
                "check: timedatectl"};
    if (state == TIME_ERROR || (asked.status & STA_UNSYNC) != 0)
        return {"clock", Status::notice, "the clock is not synchronised",
                "credentials of hours need a clock that is right to a minute; run "
                "systemd-timesyncd or chrony"};
    return {"clock", Status::ok, "synchronised", ""};
}

// The nearest folder above that is there.
fs::path existing_part(fs::path path) {
    std::error_code error;
    while (!path.empty() && !fs::exists(path, error) && path != path.root_path())
        path = path.parent_path();
    return path.empty() ? fs::path(".") : path;
}

Finding disk(const std::string& name, const std::string& folder) {
    const fs::path there = existing_part(folder);
    struct statvfs about {};
    if (statvfs(there.c_str(), &about) != 0)
        return {name, Status::broken, "cannot look at " + there.string(), "check the folder"};
    const std::uint64_t free_bytes = std::uint64_t{about.f_bavail} * about.f_frsize;
    const std::string what = bytes_text(free_bytes) + " free in " + there.string();
    if (free_bytes < disk_bytes_min)
        return {name, Status::broken, what,
                "at least " + bytes_text(disk_bytes_min) + " are needed"};
    if (access(there.c_str(), W_OK) != 0)
        return {name, Status::notice, what + ", but it cannot be written",
                "name another folder, or run as the user that owns it"};
    return {name, Status::ok, what, ""};
}

Finding open_files() {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    const std::string what = "at most " + std::to_string(limit.rlim_max) + " open files";
    if (limit.rlim_max < files_min)
        return {"open_files", Status::notice, what,
                "each client of a gateway is one; raise it: ulimit -n 65536, or LimitNOFILE= in "
                "the unit"};
    return {"open_files", Status::ok, what, ""};
}

}  // namespace

std::vector<Finding> examine_machine(const config::Settings& settings) {
    std::vector<Finding> findings{engine_bundle(), nats_server(), sandbox(),
                                  cgroups(),       clock_state(), open_files()};
    findings.push_back(disk("disk_state", up_state_dir(settings)));
    findings.push_back(disk("disk_cache", cache_folder()));
    return findings;
}

}  // namespace idlewatt::cli
