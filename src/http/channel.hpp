// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Bytes over a connected, non-blocking socket, plain or through TLS, without waiting: whoever uses
// one waits for the socket by itself. Hides OpenSSL. Internal to the module.
//
// Lifecycle: the socket is somebody else's and outlives the channel. Threads: the loop's.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "base/result.hpp"

namespace idlewatt::http {

enum class IoState {
    moved,        // `bytes` were read or written, more than 0
    wants_read,   // again when the socket is readable; TLS may say so of a write, too
    wants_write,  // again when it is writable
    ended,        // the other side sends nothing more
    failed,
};

struct IoResult {
    IoState state = IoState::failed;
    std::size_t bytes = 0;
};

class Channel {
public:
    virtual ~Channel() = default;

    // count is never 0.
    [[nodiscard]] virtual IoResult read(char* place, std::size_t count) = 0;
    // After wants_…: the same bytes again, perhaps with more behind them.
    [[nodiscard]] virtual IoResult write(const char* bytes, std::size_t count) = 0;
    // There are bytes to read that the socket does not show as readable.
    [[nodiscard]] virtual bool holds_input() const = 0;
    // Says goodbye, where there is a way to say it; the socket stays as it is.
    virtual void end_sending() = 0;
    // Of the first failure.
    [[nodiscard]] virtual const base::Error& failure() const = 0;
};

[[nodiscard]] std::unique_ptr<Channel> plain_channel(int socket);

// Certificates, keys and rules; shared by many channels. TLS 1.2 or later.
class TlsContext {
public:
    // Errors: bad_input and io, with the file's name.
    [[nodiscard]] static base::Result<std::shared_ptr<const TlsContext>> for_server(
        const std::string& certificate_file, const std::string& key_file);
    // ca_file empty: the system's authorities.
    [[nodiscard]] static base::Result<std::shared_ptr<const TlsContext>> for_client(
        const std::string& ca_file);
    ~TlsContext();
    TlsContext(const TlsContext&) = delete;
    TlsContext& operator=(const TlsContext&) = delete;

    // The handshake is made by the first reads and writes.
    [[nodiscard]] std::unique_ptr<Channel> accept(int socket) const;
    // The server's certificate must be for this host (a name or a numeric address).
    [[nodiscard]] std::unique_ptr<Channel> connect(int socket, const std::string& host) const;

private:
    struct Implementation;
    explicit TlsContext(std::unique_ptr<Implementation> impl);
    std::unique_ptr<Implementation> impl_;
};

}  // namespace idlewatt::http
