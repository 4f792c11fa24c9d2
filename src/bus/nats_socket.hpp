// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A byte stream to a server: TCP, or TLS on it. What takes a deadline waits, and is not for a
// loop's thread. Internal to the module. Threads: one at a time.
#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/descriptor.hpp"
#include "base/result.hpp"
#include "bus/nats_address.hpp"
#include "bus/nats_tls.hpp"

struct addrinfo;

namespace idlewatt::bus {

// What a host's name stands for.
class NatsHost {
public:
    // As long as the system's resolver takes. Errors: unavailable.
    [[nodiscard]] static base::Result<NatsHost> look_up(const NatsAddress& address);

    [[nodiscard]] const addrinfo* first() const { return found_.get(); }
    [[nodiscard]] int count() const;

private:
    struct Free {
        void operator()(addrinfo* found) const;
    };
    explicit NatsHost(addrinfo* found) : found_(found) {}

    std::unique_ptr<addrinfo, Free> found_;
};

class NatsSocket {
public:
    using Clock = std::chrono::steady_clock;
    enum class Want { read, write };

    // Tries all that the name stands for, each for its share of the time. Errors: unavailable.
    [[nodiscard]] static base::Result<NatsSocket> connect(const NatsHost& host,
                                                          Clock::time_point deadline);
    // From here on all is sealed. Errors: unavailable, bad_input (the authorities' file).
    [[nodiscard]] base::Result<void> secure(const std::string& host, const std::string& ca_file,
                                            Clock::time_point deadline);

    [[nodiscard]] int descriptor() const { return descriptor_.get(); }
    [[nodiscard]] IoResult read(std::span<char> place);
    // Bytes that count as moved may still be held: until flush() says that they are not.
    [[nodiscard]] IoResult write(std::string_view bytes);
    // Blocked while bytes are held that the socket does not take.
    [[nodiscard]] IoState flush();
    // Waits until the socket has taken all; false when it ends before, or at the deadline.
    [[nodiscard]] bool write_all(std::string_view bytes, Clock::time_point deadline);
    // True when read() may bring more without the socket becoming readable.
    [[nodiscard]] bool holds_input() const { return tls_ != nullptr; }
    // False at the deadline.
    [[nodiscard]] bool wait(Want want, Clock::time_point deadline) const;
    // After the last write: the other side hears that no more comes.
    void end_writing();

private:
    explicit NatsSocket(base::Descriptor descriptor) : descriptor_(std::move(descriptor)) {}

    [[nodiscard]] IoResult read_sealed();

    base::Descriptor descriptor_;
    std::unique_ptr<NatsTls> tls_;
    std::string sealed_;  // not yet taken by the socket
};

}  // namespace idlewatt::bus
