// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cutting_proxy.hpp"

#include <array>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

namespace idlewatt::test {

namespace {

using boost::asio::ip::tcp;
using Code = boost::system::error_code;

constexpr std::size_t chunk_bytes = 64 * 1024;
// An answer's head is shorter; a byte flipped in it would be another mistake.
constexpr std::size_t flip_in_chunks_above_bytes = 16 * 1024;

}  // namespace

struct CuttingProxy::Implementation : std::enable_shared_from_this<Implementation> {
    Implementation(base::AsioLoop& loop, std::uint16_t to, BadLine bad)
        : acceptor(loop.context(), tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0)),
          target(boost::asio::ip::address_v4::loopback(), to),
          line(bad) {}

    // One client's connection with the one that belongs to it.
    struct Pair {
        explicit Pair(tcp::socket from) : client(std::move(from)), server(client.get_executor()) {}
        void close() {
            Code ignored;
            client.close(ignored);
            server.close(ignored);
        }
        tcp::socket client;
        tcp::socket server;
        std::array<char, chunk_bytes> up{};
        std::array<char, chunk_bytes> down{};
    };
    using PairPtr = std::shared_ptr<Pair>;

    void accept() {
        acceptor.async_accept([self = weak_from_this()](const Code& error, tcp::socket client) {
            const auto here = self.lock();
            if (!here || error)
                return;
            auto pair = std::make_shared<Pair>(std::move(client));
            pair->server.async_connect(here->target, [self, pair](const Code& failed) {
                const auto still = self.lock();
                if (!still || failed)
                    return pair->close();
                hand_up(pair);
                still->hand_down(pair);
            });
            here->accept();
        });
    }

    static void hand_up(const PairPtr& pair) {
        pair->client.async_read_some(
            boost::asio::buffer(pair->up), [pair](const Code& error, std::size_t count) {
                if (error)
                    return pair->close();
                boost::asio::async_write(pair->server, boost::asio::buffer(pair->up, count),
                                         [pair](const Code& failed, std::size_t) {
                                             failed ? pair->close() : hand_up(pair);
                                         });
            });
    }

    void hand_down(const PairPtr& pair) {
        pair->server.async_read_some(
            boost::asio::buffer(pair->down),
            [self = weak_from_this(), pair](const Code& error, std::size_t count) {
                const auto here = self.lock();
                if (!here || error || here->cuts_now(count))
                    return pair->close();
                here->spoil(*pair, count);
                boost::asio::async_write(pair->client, boost::asio::buffer(pair->down, count),
                                         [self, pair](const Code& failed, std::size_t) {
                                             const auto still = self.lock();
                                             if (!still || failed)
                                                 return pair->close();
                                             still->hand_down(pair);
                                         });
            });
    }

    bool cuts_now(std::size_t count) {
        bytes_down += count;
        if (cuts >= line.cuts_max ||
            bytes_down < line.cut_every_bytes * static_cast<std::uint64_t>(cuts + 1)) {
            return false;
        }
        ++cuts;
        return true;
    }

    void spoil(Pair& pair, std::size_t count) {
        if (flips > 0 || bytes_down < line.flip_after_bytes || count < flip_in_chunks_above_bytes)
            return;
        ++flips;
        char& byte = pair.down.at(count / 2);
        byte = static_cast<char>(byte ^ 1);
    }

    tcp::acceptor acceptor;
    tcp::endpoint target;
    BadLine line;
    std::uint64_t bytes_down = 0;
    int cuts = 0;
    int flips = 0;
};

CuttingProxy::CuttingProxy(base::AsioLoop& loop, std::uint16_t to_port, BadLine line)
    : impl_(std::make_shared<Implementation>(loop, to_port, line)) {
    impl_->accept();
}

CuttingProxy::~CuttingProxy() = default;

std::uint16_t CuttingProxy::port() const {
    return impl_->acceptor.local_endpoint().port();
}
int CuttingProxy::cuts() const {
    return impl_->cuts;
}
int CuttingProxy::flips() const {
    return impl_->flips;
}
std::uint64_t CuttingProxy::bytes_down() const {
    return impl_->bytes_down;
}

}  // namespace idlewatt::test
