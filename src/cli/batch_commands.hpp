// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// idlewatt batch submit | ls | watch | results | cancel: many requests from a file, answered while
// cars have nothing better to do. Blocking.
#pragma once

#include <string>

#include "cli/admin_call.hpp"

namespace CLI {
class App;
}

namespace idlewatt::cli {

// How often a batch is looked at while it is watched, and for how long nobody need answer.
inline constexpr base::Duration batch_look_period = base::seconds(1);
inline constexpr base::Duration batch_patience = base::minutes(5);

struct BatchSubmission {
    std::string path;
    std::string endpoint;  // empty: that of the first line
    bool wait = false;
};

ExitCode batch_submit(const Connection& connection, const BatchSubmission& submission,
                      const Output& output);
ExitCode batch_ls(const Connection& connection, const Output& output);
// Until it has ended. Ctrl-C leaves it running.
ExitCode batch_watch(const Connection& connection, const std::string& id, const Output& output);
// Answers and errors, one line each; of a batch that runs, what there is so far.
ExitCode batch_results(const Connection& connection, const std::string& id,
                       const std::string& out_file, const Output& output);
ExitCode batch_cancel(const Connection& connection, const std::string& id, const Output& output);

void add_batch_commands(CLI::App& app, Context& context);

}  // namespace idlewatt::cli
