// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A bad line between cars and their coordinator: hands bytes on, breaks connections off and flips a
// byte. What it does wrong depends on the bytes that have gone down through it alone.
//
// Threads: the loop's.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/asio_loop.hpp"

namespace idlewatt::test {

struct BadLine {
    std::uint64_t cut_every_bytes = UINT64_MAX;  // downwards, over all connections
    int cuts_max = 0;
    std::uint64_t flip_after_bytes = UINT64_MAX;  // one bit of one byte, once
};

class CuttingProxy {
public:
    CuttingProxy(base::AsioLoop& loop, std::uint16_t to_port, BadLine line);
    ~CuttingProxy();

    CuttingProxy(const CuttingProxy&) = delete;
    CuttingProxy& operator=(const CuttingProxy&) = delete;

    [[nodiscard]] std::uint16_t port() const;
    [[nodiscard]] int cuts() const;
    [[nodiscard]] int flips() const;
    [[nodiscard]] std::uint64_t bytes_down() const;

private:
    struct Implementation;
    std::shared_ptr<Implementation> impl_;
};

}  // namespace idlewatt::test
