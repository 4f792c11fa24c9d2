// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The program in the car. A table of contents: options, place in a cell, edges and role.
#include <filesystem>
#include <iostream>
#include <string_view>

#include <sys/stat.h>

#include "agent_enrol.hpp"
#include "agent_options.hpp"
#include "agent_run.hpp"
#include "base/asio_loop.hpp"
#include "base/log.hpp"
#include "check_engine.hpp"
#include "engine/llama_server_engine.hpp"

namespace {

using namespace idlewatt;

int enrol_and_tell(base::AsioLoop& loop, const CarOptions& options) {
    const auto before = agent::EnrolmentFolder(options.state_dir).read();
    if (!before)
        return fail_agent(before.error());
    if (*before) {
        return fail_agent({base::ErrorKind::bad_input,
                           "this car is enrolled already, as " + (*before)->vehicle.value +
                               " in cell " + (*before)->cell +
                               "; to enrol it anew, remove enrolment.json from " +
                               options.state_dir + " first"});
    }
    const auto enrolment = enrol(loop, options);
    if (!enrolment)
        return fail_agent(enrolment.error());
    std::cout << "Enrolled as " << enrolment->vehicle.value << " in cell " << enrolment->cell
              << ".\n";
    return 0;
}

int run(const CarOptions& options) {
    std::error_code error;
    if (!std::filesystem::is_directory(options.state_dir, error)) {
        return fail_agent({base::ErrorKind::bad_input,
                           "the state folder " + options.state_dir +
                               " is not there; make it (mode 0700) or name another with --state"});
    }
    base::AsioLoop loop;
    if (options.enrol)
        return enrol_and_tell(loop, options);
    if (options.script_path.empty()) {
        return fail_agent({base::ErrorKind::bad_input,
                           "--script FILE is missing: the car's signals and its owner's settings"});
    }
    const auto place = find_place(loop, options);
    if (!place)
        return fail_agent(place.error());
    base::set_up_log(place->vehicle,
                     options.verbose ? base::LogLevel::info : base::LogLevel::warning);
    return run_agent(loop, options, *place);
}

}  // namespace

int main(int argc, char** argv) {
    const std::string_view command = argc > 1 ? argv[1] : "";
    if (command == "engine-guard")
        return engine::guard_main(argc, argv);
    umask(077);
    if (command == "check-engine")
        return check_engine();
    const ParsedOptions parsed = parse_agent_options(argc, argv);
    if (!parsed.options)
        return parsed.exit_code;
    base::set_up_log("idlewatt-agent",
                     parsed.options->verbose ? base::LogLevel::info : base::LogLevel::warning);
    return run(*parsed.options);
}
