// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What demo and up share: processes of one machine that are started in an order, waited for, and
// ended in an order. All functions run the loop while they wait. Threads: the loop's.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/asio_loop.hpp"
#include "base/result.hpp"
#include "bus/nats_server.hpp"
#include "cli/supervisor.hpp"

namespace idlewatt::cli {

inline constexpr base::Duration part_start_max = base::seconds(10);

using StopAsked = std::function<bool()>;  // empty: never

// False when the time is over.
bool run_until(base::AsioLoop& loop, const std::function<bool()>& condition, base::Duration limit);

struct RunningNats {
    std::unique_ptr<Supervisor> process;
    std::string url;
};
// Writes FOLDER/nats.conf and starts a server with these options (whose port is a number of ours,
// so that it is the same after a restart); FOLDER/nats.pid, nats.log.
[[nodiscard]] base::Result<RunningNats> start_nats_server(base::AsioLoop& loop,
                                                          const std::string& folder,
                                                          bus::NatsServerOptions options,
                                                          const StopAsked& stop_asked);

// Until URL/healthz answers with 200, whoever does. `hint` is what to look at when it does not.
[[nodiscard]] base::Result<void> wait_for_health(base::AsioLoop& loop, const std::string& url,
                                                 const std::string& hint,
                                                 const StopAsked& stop_asked);

// 0: there is no such file, or no number in it.
[[nodiscard]] int pid_in(const std::string& path);

struct RolePlace {
    std::string url;
    std::string pid_file;
    std::string log_file;
};
// Until this process listens at its URL and answers there. Another program may have that port,
// another fleet's gateway, say: ours is the one that has written its pid, which it does when it
// listens. `hint` is what to do when it does not start, and comes behind its last words.
[[nodiscard]] base::Result<void> wait_for_role(base::AsioLoop& loop, const Supervisor& process,
                                               const RolePlace& place, const std::string& hint,
                                               const StopAsked& stop_asked);

// One group after the other is asked to end; each has its share of the time. What has not ended
// then is killed.
void stop_in_order(base::AsioLoop& loop, const std::vector<std::vector<Supervisor*>>& groups,
                   base::Duration limit);

}  // namespace idlewatt::cli
