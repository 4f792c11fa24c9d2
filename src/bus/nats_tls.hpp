// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// TLS as a client speaks it, without a socket: sealed bytes go in and come out. Hides OpenSSL.
// Internal to the module. Threads: one at a time.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace idlewatt::bus {

enum class IoState {
    moved,
    blocked,  // nothing to read yet, or no room to write
    ended,    // by the other side, or by an error
};

struct IoResult {
    IoState state = IoState::blocked;
    std::size_t count = 0;  // of the bytes that were moved
};

class NatsTls {
public:
    // Believes a server whose certificate is for this host and signed by an authority of the file,
    // or, without one, of the system.
    [[nodiscard]] static base::Result<std::unique_ptr<NatsTls>> create(const std::string& host,
                                                                       const std::string& ca_file);
    ~NatsTls();
    NatsTls(const NatsTls&) = delete;
    NatsTls& operator=(const NatsTls&) = delete;

    // True when done, false when more sealed bytes are needed.
    [[nodiscard]] base::Result<bool> shake_hands();
    // Sealed bytes that have come from the other side.
    void receive(std::string_view sealed);
    [[nodiscard]] IoResult read(std::span<char> place);
    // False: the session has failed.
    [[nodiscard]] bool write(std::string_view plain);
    // Says that nothing more will be written.
    void end();
    // Sealed bytes that are to go to the other side; they are out of the session then.
    void take_sealed(std::string& out);

private:
    struct Implementation;
    explicit NatsTls(std::unique_ptr<Implementation> impl);
    std::unique_ptr<Implementation> impl_;
};

}  // namespace idlewatt::bus
