// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "config/schema.hpp"

#include <algorithm>
#include <array>

namespace idlewatt::config {

namespace {

constexpr std::uint32_t bit(Role role) {
    return 1U << static_cast<std::uint32_t>(role);
}
constexpr std::uint32_t gateway = bit(Role::gateway);
constexpr std::uint32_t coordinator = bit(Role::coordinator);
constexpr std::uint32_t agent = bit(Role::agent);
constexpr std::uint32_t up = bit(Role::up);
constexpr std::uint32_t servers = gateway | coordinator;
constexpr std::uint32_t everybody = servers | agent | up;
// Clients' settings have no flags: what stands on a command line, other users can read.
constexpr std::uint32_t client = 0;

constexpr std::int64_t port_max = 65'535;

constexpr std::array<Table, 7> table_list{{
    {"cell", "The cell that this machine belongs to; every role reads it."},
    {"log", "What is written to stderr."},
    {"client", "Commands for people: vehicle, model, key, run, doctor."},
    {"gateway", "The program that clients of the OpenAI API talk to."},
    {"coordinator", "The program that enrols cars, keeps keys and models, and takes receipts."},
    {"agent", "The program in a car."},
    {"up", "Everything on one machine."},
}};

// clang-format off
constexpr auto setting_list = std::to_array<Setting>({
    {"cell.name", Type::text, "c1", "IDLEWATT_CELL", "--cell", servers | agent,
     "Name of the cell: 1 to 64 of a-z, 0-9, '_' and '-'"},
    {"cell.nats", Type::list, "", "IDLEWATT_NATS_URL", "--nats", servers,
     "Servers of the NATS cluster, as nats://HOST:PORT or tls://HOST:PORT"},
    {"cell.nats_ca_file", Type::path, "", "IDLEWATT_NATS_CA_FILE", "--nats-ca", servers,
     "Certificates that vouch for the NATS servers; empty: the system's"},

    {"cell.account", Type::text, "", "IDLEWATT_ACCOUNT", "--account", gateway,
     "Public NKey of the cell's account (A…), which signs to which fleet a car belongs; empty: no "
     "car is believed to be of a fleet"},

    {"log.verbose", Type::boolean, "false", "IDLEWATT_VERBOSE", "--verbose", everybody,
     "Log what happens, not only what goes wrong"},

    {"client.url", Type::text, "http://127.0.0.1:8080", "IDLEWATT_URL", "", client,
     "Where the gateway is: http(s)://HOST:PORT; a /v1 at the end is taken off"},
    {"client.coordinator_url", Type::text, "http://127.0.0.1:8081", "IDLEWATT_COORDINATOR_URL", "",
     client, "Where the coordinator is: http(s)://HOST:PORT"},
    {"client.api_key_file", Type::secret_file, "", "IDLEWATT_API_KEY_FILE", "", client,
     "File that holds the key for both", 0, 0, "IDLEWATT_API_KEY"},
    {"client.ca_file", Type::path, "", "IDLEWATT_CA_FILE", "", client,
     "Certificates that vouch for both; empty: the system's"},

    {"gateway.name", Type::text, "g1", "IDLEWATT_GATEWAY_NAME", "--name", gateway,
     "Name of this gateway in the cell, the same as in its credentials"},
    {"gateway.listen", Type::text, "127.0.0.1", "IDLEWATT_GATEWAY_LISTEN", "--listen", gateway,
     "Address to listen on; anything but loopback needs a certificate, or 'insecure'"},
    {"gateway.port", Type::integer, "8080", "IDLEWATT_GATEWAY_PORT", "--port", gateway,
     "Port to listen on; 0: any free one", 0, port_max},
    {"gateway.credentials_file", Type::secret_file, "", "IDLEWATT_GATEWAY_CREDENTIALS_FILE",
     "--credentials", gateway, "NATS credentials of the gateway"},
    {"gateway.system_credentials_file", Type::secret_file, "",
     "IDLEWATT_GATEWAY_SYSTEM_CREDENTIALS_FILE", "--system-credentials", gateway,
     "NATS credentials of the system account: deaths of cars are known at once"},
    {"gateway.state_dir", Type::path, "", "IDLEWATT_GATEWAY_STATE_DIR", "--state", gateway,
     "Folder for the key book and for delivery records until the coordinator has them; empty: none "
     "are kept"},
    {"gateway.coordinator_url", Type::text, "", "IDLEWATT_GATEWAY_COORDINATOR_URL",
     "--coordinator", gateway,
     "Where the coordinator is, for files and batches: http(s)://HOST:PORT; empty: they are "
     "answered with 503"},
    {"gateway.coordinator_ca_file", Type::path, "", "IDLEWATT_GATEWAY_COORDINATOR_CA_FILE",
     "--coordinator-ca", gateway,
     "Certificates that vouch for the coordinator; empty: the system's"},
    {"gateway.api_key_file", Type::secret_file, "", "IDLEWATT_GATEWAY_API_KEY_FILE",
     "--api-key-file", gateway,
     "File with one key that is always taken, with an operator's rights", 0, 0,
     "IDLEWATT_API_KEY"},
    {"gateway.allow_origins", Type::list, "", "IDLEWATT_GATEWAY_ALLOW_ORIGINS", "--allow-origin",
     gateway, "Web pages that may ask (CORS), as https://HOST; '*': all"},
    {"gateway.tls_certificate_file", Type::path, "", "IDLEWATT_GATEWAY_TLS_CERTIFICATE_FILE",
     "--tls-certificate", gateway, "Certificate chain in PEM"},
    {"gateway.tls_key_file", Type::secret_file, "", "IDLEWATT_GATEWAY_TLS_KEY_FILE", "--tls-key",
     gateway, "The certificate's private key in PEM"},
    {"gateway.insecure", Type::boolean, "false", "IDLEWATT_GATEWAY_INSECURE", "--insecure", gateway,
     "Listen without a certificate on any address, and reach a coordinator on another machine "
     "without one: everybody on the way can read prompts and keys"},
    {"gateway.pid_file", Type::path, "", "IDLEWATT_GATEWAY_PID_FILE", "--pid-file", gateway,
     "Where to write the process id"},

    {"coordinator.listen", Type::text, "127.0.0.1", "IDLEWATT_COORDINATOR_LISTEN", "--listen",
     coordinator, "Address to listen on; anything but loopback needs a certificate, or 'insecure'"},
    {"coordinator.port", Type::integer, "8081", "IDLEWATT_COORDINATOR_PORT", "--port", coordinator,
     "Port to listen on; 0: any free one", 0, port_max},
    {"coordinator.store", Type::text, "", "IDLEWATT_COORDINATOR_STORE", "--store", coordinator,
     "SQLite file, for a cell on one machine"},
    {"coordinator.postgresql_file", Type::secret_file, "",
     "IDLEWATT_COORDINATOR_POSTGRESQL_FILE", "--postgresql", coordinator,
     "File with the address of a PostgreSQL database, as postgresql://…, instead of an SQLite file",
     0, 0, "IDLEWATT_COORDINATOR_POSTGRESQL"},
    {"coordinator.credentials_file", Type::secret_file, "",
     "IDLEWATT_COORDINATOR_CREDENTIALS_FILE", "--credentials", coordinator,
     "NATS credentials of the coordinator"},
    {"coordinator.system_credentials_file", Type::secret_file, "",
     "IDLEWATT_COORDINATOR_SYSTEM_CREDENTIALS_FILE", "--system-credentials", coordinator,
     "NATS credentials of the system account: revocations reach the servers at once"},
    {"coordinator.operator_seed_file", Type::secret_file, "",
     "IDLEWATT_COORDINATOR_OPERATOR_SEED_FILE", "--operator-seed", coordinator,
     "Seed of the operator's NKey, which signs the account"},
    {"coordinator.account_seed_file", Type::secret_file, "",
     "IDLEWATT_COORDINATOR_ACCOUNT_SEED_FILE", "--account-seed", coordinator,
     "Seed of the account's NKey, which signs the credentials of cars"},
    {"coordinator.api_key_file", Type::secret_file, "", "IDLEWATT_COORDINATOR_API_KEY_FILE",
     "--api-key-file", coordinator,
     "File with one key that is always taken, with an operator's rights", 0, 0,
     "IDLEWATT_API_KEY"},
    {"coordinator.blobs_dir", Type::path, "", "IDLEWATT_COORDINATOR_BLOBS_DIR", "--blobs",
     coordinator, "Folder for the files of models and of batches"},
    {"coordinator.blobs_mib", Type::integer, "65536", "IDLEWATT_COORDINATOR_BLOBS_MIB",
     "--blobs-mib", coordinator, "Size of that folder at most, in MiB", 1, 1024 * 1024 * 1024},
    {"coordinator.public_url", Type::text, "", "IDLEWATT_COORDINATOR_PUBLIC_URL", "--public-url",
     coordinator, "Where cars reach this coordinator; empty: the address it listens on"},
    {"coordinator.public_nats", Type::list, "", "IDLEWATT_COORDINATOR_PUBLIC_NATS",
     "--public-nats", coordinator, "The NATS servers as cars reach them; empty: those of the cell"},
    {"coordinator.tls_certificate_file", Type::path, "",
     "IDLEWATT_COORDINATOR_TLS_CERTIFICATE_FILE", "--tls-certificate", coordinator,
     "Certificate chain in PEM"},
    {"coordinator.tls_key_file", Type::secret_file, "", "IDLEWATT_COORDINATOR_TLS_KEY_FILE",
     "--tls-key", coordinator, "The certificate's private key in PEM"},
    {"coordinator.insecure", Type::boolean, "false", "IDLEWATT_COORDINATOR_INSECURE", "--insecure",
     coordinator,
     "Listen without a certificate on any address: everybody on the way can read keys"},
    {"coordinator.pid_file", Type::path, "", "IDLEWATT_COORDINATOR_PID_FILE", "--pid-file",
     coordinator, "Where to write the process id"},

    {"agent.coordinator_url", Type::text, "", "IDLEWATT_AGENT_COORDINATOR_URL", "--coordinator",
     agent, "Where to enrol: http(s)://HOST:PORT"},
    {"agent.enrolment_token_file", Type::secret_file, "", "IDLEWATT_AGENT_ENROLMENT_TOKEN_FILE",
     "--token-file", agent, "File with the one-time token; needed until the car has enrolled", 0, 0,
     "IDLEWATT_ENROLMENT_TOKEN"},
    {"agent.ca_file", Type::path, "", "IDLEWATT_AGENT_CA_FILE", "--ca", agent,
     "Certificates that vouch for the coordinator and the NATS servers; empty: the system's"},
    {"agent.insecure", Type::boolean, "false", "IDLEWATT_AGENT_INSECURE", "--insecure", agent,
     "Talk to a coordinator and to NATS servers on other machines without TLS"},
    {"agent.state_dir", Type::path, "/var/lib/idlewatt-agent", "IDLEWATT_AGENT_STATE_DIR",
     "--state", agent, "Folder for credentials, receipts, sockets and pid files"},
    {"agent.cache_dir", Type::path, "", "IDLEWATT_AGENT_CACHE_DIR", "--cache", agent,
     "Folder for the files of models; empty: below the state folder"},
    {"agent.cache_mib", Type::integer, "8192", "IDLEWATT_AGENT_CACHE_MIB", "--cache-mib", agent,
     "Size of that folder at most, in MiB", 1, 16 * 1024 * 1024},
    {"agent.slots", Type::integer, "2", "IDLEWATT_AGENT_SLOTS", "--slots", agent,
     "Answers at the same time", 1, 64},
    {"agent.context_tokens", Type::integer, "2048", "IDLEWATT_AGENT_CONTEXT_TOKENS", "--context",
     agent, "Tokens of context per slot", 256, 1024 * 1024},
    {"agent.signals_script", Type::path, "", "IDLEWATT_AGENT_SIGNALS_SCRIPT", "--script", agent,
     "Signals of the car and its owner's settings, scripted in TOML"},
    {"agent.model_file", Type::path, "", "IDLEWATT_AGENT_MODEL_FILE", "--model", agent,
     "GGUF file that the car always holds; empty: what the coordinator assigns"},

    {"up.state_dir", Type::path, "", "IDLEWATT_UP_STATE_DIR", "--state", up,
     "Folder for keys, store, models and logs; empty: below $XDG_STATE_HOME"},
    {"up.vehicles", Type::integer, "2", "IDLEWATT_UP_VEHICLES", "--vehicles", up,
     "Number of cars on this machine", 1, 64},
    {"up.port", Type::integer, "8080", "IDLEWATT_UP_PORT", "--port", up,
     "Port of the API; 0: any free one", 0, port_max},
    {"up.coordinator_port", Type::integer, "8081", "IDLEWATT_UP_COORDINATOR_PORT",
     "--coordinator-port", up, "Port of the coordinator; 0: any free one", 0, port_max},
    {"up.context_tokens", Type::integer, "2048", "IDLEWATT_UP_CONTEXT_TOKENS", "--context", up,
     "Tokens of context that cars give each answer", 256, 1024 * 1024},
});
// clang-format on

}  // namespace

std::string_view name(Type type) {
    constexpr std::array<std::string_view, 6> names{"text",    "path",    "file with a secret",
                                                    "integer", "boolean", "list"};
    return names[static_cast<std::size_t>(type)];
}

std::string_view name(Role role) {
    constexpr std::array<std::string_view, 5> names{"client", "gateway", "coordinator", "agent",
                                                    "up"};
    return names[static_cast<std::size_t>(role)];
}

std::span<const Setting> schema() {
    return setting_list;
}

const Setting* find(std::string_view key) {
    const auto* found = std::ranges::find(setting_list, key, &Setting::key);
    return found == setting_list.end() ? nullptr : found;
}

std::span<const Table> tables() {
    return table_list;
}

}  // namespace idlewatt::config
