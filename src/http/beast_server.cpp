// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "http/beast_server.hpp"

#include <algorithm>
#include <ctime>
#include <utility>

#include "base/assert.hpp"
#include "base/loopback.hpp"
#include "http/connection.hpp"
#include "http/refusal.hpp"
#include "http/server_state.hpp"

namespace idlewatt::http {

namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

constexpr std::size_t scratch_bytes = 64 * 1024;
// After "too many open files", say.
constexpr base::Duration accept_pause = base::milliseconds(100);

base::Duration tick_period(const ListenOptions& options) {
    const auto shortest = std::min({options.read, options.idle, options.drain, linger_timeout});
    return std::clamp(shortest / 4, base::milliseconds(5), base::seconds(1));
}

class BeastServer final : public Server {
public:
    explicit BeastServer(std::shared_ptr<ServerState> state) : state_(std::move(state)) {}
    ~BeastServer() override { state_->stop(); }

    void set_handler(Handler handler) override { state_->set_handler(std::move(handler)); }
    void respond(RequestId request, Response response) override {
        if (const auto connection = state_->find(request)) {
            connection->respond(std::move(response));
        }
    }
    void respond_file(RequestId request, Response head, FilePart part) override {
        IDLEWATT_ASSERT(part.file != nullptr && part.offset <= part.file->bytes() &&
                        part.bytes <= part.file->bytes() - part.offset);
        if (const auto connection = state_->find(request)) {
            connection->respond_file(std::move(head), std::move(part));
        }
    }
    void consume_body(RequestId request, std::size_t bytes) override {
        if (const auto connection = state_->find(request)) {
            connection->consume_body(bytes);
        }
    }
    void begin(RequestId request, Response response) override {
        if (const auto connection = state_->find(request)) {
            connection->begin(std::move(response));
        }
    }
    void write(RequestId request, std::string bytes) override {
        if (const auto connection = state_->find(request)) {
            connection->write(bytes);
        }
    }
    void end(RequestId request) override {
        if (const auto connection = state_->find(request)) {
            connection->end();
        }
    }
    void abort(RequestId request) override {  // tidy: allow(exit) a member of that name
        if (const auto connection = state_->find(request)) {
            connection->break_off();
        }
    }

private:
    std::shared_ptr<ServerState> state_;
};

}  // namespace

ServerState::ServerState(base::AsioLoop& loop, const ListenOptions& options)
    : loop_(loop),
      options_(options),
      prng_(static_cast<std::uint64_t>(loop.wall_now().us)),
      acceptor_(loop.context()),
      scratch_(scratch_bytes) {}

base::Result<void> ServerState::load_certificate() {
    if (options_.certificate_file.empty() != options_.key_file.empty()) {
        return base::fail(base::ErrorKind::bad_input,
                          "TLS needs a certificate and its key: name both files or neither");
    }
    if (!options_.certificate_file.empty()) {
        auto context = TlsContext::for_server(options_.certificate_file, options_.key_file);
        if (!context) {
            return tl::unexpected(context.error());
        }
        tls_ = std::move(*context);
        return {};
    }
    if (options_.allow_plaintext || base::is_loopback(options_.address)) {
        return {};
    }
    return base::fail(base::ErrorKind::bad_input,
                      "will not listen on " + options_.address +
                          " without TLS: others could read keys and prompts. Name a certificate "
                          "and its key, listen on 127.0.0.1, or allow plain text explicitly");
}

std::unique_ptr<Channel> ServerState::make_channel(int socket) const {
    return tls_ ? tls_->accept(socket) : plain_channel(socket);
}

Response ServerState::refusal(int status, bool upload) {
    return http::refusal(status, request_id(prng_), upload);
}

base::Result<std::uint16_t> ServerState::open() {
    error_code ec;
    const auto address = boost::asio::ip::make_address(options_.address, ec);
    if (ec) {
        return base::fail(base::ErrorKind::bad_input,
                          "cannot listen on '" + options_.address +
                              "': expected a numeric address such as 127.0.0.1 or ::1");
    }
    const auto certificate = load_certificate();
    if (!certificate) {
        return tl::unexpected(certificate.error());
    }
    const tcp::endpoint endpoint(address, options_.port);
    acceptor_.open(endpoint.protocol(), ec);
    if (!ec) {
        acceptor_.set_option(tcp::acceptor::reuse_address(true), ec);
    }
    if (!ec) {
        acceptor_.bind(endpoint, ec);
    }
    if (!ec) {
        acceptor_.listen(boost::asio::socket_base::max_listen_connections, ec);
    }
    const tcp::endpoint bound = ec ? endpoint : acceptor_.local_endpoint(ec);
    if (ec) {
        return base::fail(base::ErrorKind::io,
                          "cannot listen on " + options_.address + " port " +
                              std::to_string(options_.port) + ": " + ec.message() +
                              ". Choose another port, or end the program that has it.");
    }
    accept();
    check_deadlines();
    return bound.port();
}

void ServerState::stop() {
    stopped_ = true;
    handler_.reset();
    error_code ignored;
    acceptor_.close(ignored);
    loop_.cancel(tick_);
    for (const auto& connection : std::exchange(connections_, {})) {
        connection->shut();
    }
    to_flush_.clear();
    requests_.clear();
}

void ServerState::accept() {
    acceptor_.async_accept([self = shared_from_this()](const error_code& ec, tcp::socket socket) {
        if (self->stopped_) {
            return;
        }
        if (ec) {
            self->loop_.after(accept_pause, [weak = self->weak_from_this()] {
                const auto again = weak.lock();
                if (again && !again->stopped_) {
                    again->accept();
                }
            });
            return;
        }
        self->add(std::move(socket));
        self->accept();
    });
}

void ServerState::add(tcp::socket socket) {
    if (connections_.size() >= options_.connections + turned_away_max) {
        return;
    }
    const bool welcome = connections_.size() < options_.connections;
    const auto connection = std::make_shared<Connection>(std::move(socket), shared_from_this());
    connections_.insert(connection);
    if (welcome) {
        connection->start();
    } else {
        connection->turn_away();
    }
}

// One scan now and then instead of a timer for every connection.
void ServerState::check_deadlines() {
    tick_ = loop_.after(tick_period(options_), [weak = weak_from_this()] {
        const auto self = weak.lock();
        if (!self || self->stopped_) {
            return;
        }
        const base::Instant now = self->now();
        const std::vector<std::shared_ptr<Connection>> all(self->connections_.begin(),
                                                           self->connections_.end());
        for (const auto& connection : all) {
            connection->check_deadline(now);
        }
        if (!self->stopped_) {
            self->check_deadlines();
        }
    });
}

RequestId ServerState::add_request(const std::shared_ptr<Connection>& connection) {
    const RequestId id{next_request_++};
    requests_.emplace(id, connection);
    return id;
}

void ServerState::flush_soon(const std::shared_ptr<Connection>& connection) {
    if (to_flush_.empty()) {
        loop_.post([weak = weak_from_this()] {
            const auto self = weak.lock();
            if (!self) {
                return;
            }
            for (const auto& each : std::exchange(self->to_flush_, {})) {
                each->flush();
            }
        });
    }
    to_flush_.push_back(connection);
}

const std::string& ServerState::date() {
    const std::int64_t now_s = loop_.wall_now().us / 1'000'000;
    if (now_s != date_s_) {
        date_s_ = now_s;
        const std::time_t clock = static_cast<std::time_t>(now_s);
        std::tm utc{};
        gmtime_r(&clock, &utc);
        char text[40];
        const std::size_t length =
            std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &utc);
        date_.assign(text, length);
    }
    return date_;
}

std::shared_ptr<Connection> ServerState::find(RequestId request) const {
    const auto found = requests_.find(request);
    return found == requests_.end() ? nullptr : found->second.lock();
}

void ServerState::set_handler(Handler handler) {
    handler_ = std::make_shared<const Handler>(std::move(handler));
}

base::Result<Listening> listen(base::AsioLoop& loop, const ListenOptions& options) {
    auto state = std::make_shared<ServerState>(loop, options);
    const auto port = state->open();
    if (!port) {
        return tl::unexpected(port.error());
    }
    Listening listening;
    listening.server = std::make_unique<BeastServer>(std::move(state));
    listening.port = *port;
    return listening;
}

}  // namespace idlewatt::http
