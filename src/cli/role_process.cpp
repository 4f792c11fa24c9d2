// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/role_process.hpp"

#include <csignal>
#include <iostream>

#include <unistd.h>

#include <boost/asio/signal_set.hpp>

#include "base/log.hpp"
#include "cli/connection.hpp"
#include "cli/exit_code.hpp"
#include "cli/files.hpp"
#include "identity/secret.hpp"

namespace idlewatt::cli {

int role_failed(const base::Error& error) {
    return to_int(report_error(error, false, std::cerr));
}

void set_up_role_log(const config::Settings& settings, const std::string& role) {
    base::set_up_log(
        role, settings.boolean("log.verbose") ? base::LogLevel::info : base::LogLevel::warning);
}

base::Result<bus::NatsOptions> nats_options_of(const config::Settings& settings,
                                               const std::string& role,
                                               const std::string& bus_name) {
    bus::NatsOptions nats;
    nats.urls = settings.list("cell.nats");
    nats.name = bus_name;
    nats.label = bus_name;
    nats.credentials_file = settings.text(role + ".credentials_file");
    nats.system_credentials_file = settings.text(role + ".system_credentials_file");
    nats.ca_file = settings.text("cell.nats_ca_file");
    nats.allow_plaintext = settings.boolean(role + ".insecure");
    if (nats.urls.empty()) {
        return base::fail(base::ErrorKind::bad_input,
                          "no NATS server is named; use --nats nats://HOST:PORT, or cell.nats in a "
                          "file of settings");
    }
    if (nats.credentials_file.empty()) {
        return base::fail(base::ErrorKind::bad_input,
                          "no NATS credentials are named; use "
                          "--credentials FILE, or " +
                              role + ".credentials_file");
    }
    return nats;
}

http::ListenOptions listen_options_of(const config::Settings& settings, const std::string& role) {
    http::ListenOptions listen;
    listen.address = settings.text(role + ".listen");
    listen.port = static_cast<std::uint16_t>(settings.integer(role + ".port"));
    listen.certificate_file = settings.text(role + ".tls_certificate_file");
    listen.key_file = settings.text(role + ".tls_key_file");
    listen.allow_plaintext = settings.boolean(role + ".insecure");
    return listen;
}

base::Result<RoleKey> role_key_of(const config::Settings& settings, const std::string& role) {
    const auto text = settings.secret(role + ".credentials_file");
    if (!text)
        return tl::unexpected(text.error());
    auto key = identity::key_of_credentials(text->value_or(""));
    if (!key)
        return tl::unexpected(key.error());
    auto jwt = identity::user_jwt_of_credentials(text->value_or(""));
    if (!jwt)
        return tl::unexpected(jwt.error());
    return RoleKey{std::move(*key), std::move(*jwt)};
}

void run_role(base::AsioLoop& loop, const std::string& pid_file,
              const std::function<void()>& on_signal) {
    if (!pid_file.empty())
        write_pid_file(pid_file, getpid());
    boost::asio::signal_set signals(loop.context(), SIGINT, SIGTERM);
    const auto stop_at_once = [&loop](const boost::system::error_code& error, int) {
        if (!error)
            loop.stop();
    };
    signals.async_wait([&](const boost::system::error_code& error, int number) {
        if (error || !on_signal) {
            stop_at_once(error, number);
            return;
        }
        signals.async_wait(stop_at_once);
        on_signal();
    });
    loop.run();
}

std::uint64_t random_seed() {
    return identity::random_seed();
}

}  // namespace idlewatt::cli
