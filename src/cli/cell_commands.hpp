// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// idlewatt cell create: the keys of a cell on many machines, and the configuration of its NATS
// servers. Repeated, it keeps the keys there are and adds what is missing.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/admin_call.hpp"

namespace CLI {
class App;
}

namespace idlewatt::cli {

struct CellPlan {
    std::string folder;
    std::string cell = "c1";
    std::vector<std::string> gateways{"g1"};
    std::string nats_address = "0.0.0.0";
    std::uint16_t nats_port = 4222;
    std::string nats_folder = "/var/lib/idlewatt/nats";  // on the server's machine
    std::string certificate_file;                        // likewise; needed off loopback
    std::string key_file;
};

ExitCode cell_create(const CellPlan& plan, const Output& output);

void add_cell_commands(CLI::App& app, Context& context);

}  // namespace idlewatt::cli
