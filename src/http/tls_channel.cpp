// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// OpenSSL on a socket, through a BIO of our own: OpenSSL's socket BIO raises SIGPIPE.
#include <algorithm>
#include <cerrno>
#include <climits>
#include <system_error>
#include <utility>

#include <arpa/inet.h>
#include <sys/socket.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/assert.hpp"
#include "http/channel.hpp"

namespace idlewatt::http {

namespace {

template <auto destroy>
struct Destroy {
    template <class T>
    void operator()(T* what) const {
        destroy(what);
    }
};
using ContextPointer = std::unique_ptr<SSL_CTX, Destroy<SSL_CTX_free>>;
using SessionPointer = std::unique_ptr<SSL, Destroy<SSL_free>>;

// The first failure that OpenSSL has noted on this thread; its notes are empty afterwards.
std::string take_reason() {
    const unsigned long code = ERR_get_error();
    ERR_clear_error();
    const char* text = code != 0 ? ERR_reason_error_string(code) : nullptr;
    return text != nullptr ? text : "unknown failure";
}

int socket_of(BIO* bio) {
    return static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
}

int bio_result(BIO* bio, ssize_t count, bool reading) {
    BIO_clear_retry_flags(bio);
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
        reading ? BIO_set_retry_read(bio) : BIO_set_retry_write(bio);
    }
    return static_cast<int>(count);
}

int bio_read(BIO* bio, char* place, int count) {
    errno = 0;
    return bio_result(bio, ::recv(socket_of(bio), place, static_cast<std::size_t>(count), 0), true);
}

int bio_write(BIO* bio, const char* bytes, int count) {
    const auto size = static_cast<std::size_t>(count);
    return bio_result(bio, ::send(socket_of(bio), bytes, size, MSG_NOSIGNAL), false);
}

long bio_control(BIO*, int command, long, void*) {
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

const BIO_METHOD* bio_method() {
    static const BIO_METHOD* const method = [] {
        BIO_METHOD* made = BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_get_new_index(), "socket");
        BIO_meth_set_read(made, bio_read);
        BIO_meth_set_write(made, bio_write);
        BIO_meth_set_ctrl(made, bio_control);
        return made;
    }();
    return method;
}

class TlsChannel final : public Channel {
public:
    TlsChannel(SSL_CTX* context, int socket) : session_(SSL_new(context)) {
        IDLEWATT_ASSERT(session_ != nullptr);
        BIO* bio = BIO_new(bio_method());
        IDLEWATT_ASSERT(bio != nullptr);
        BIO_set_data(bio, reinterpret_cast<void*>(  // NOLINT(performance-no-int-to-ptr): a number
                              static_cast<std::intptr_t>(socket)));
        BIO_set_init(bio, 1);
        SSL_set_bio(session_.get(), bio, bio);  // takes the BIO
    }

    [[nodiscard]] SSL* session() const { return session_.get(); }

    IoResult read(char* place, std::size_t count) override {
        ERR_clear_error();
        std::size_t done = 0;
        const int code = SSL_read_ex(session_.get(), place, count, &done);
        return code == 1 ? IoResult{IoState::moved, done} : blocked(code);
    }

    IoResult write(const char* bytes, std::size_t count) override {
        ERR_clear_error();
        std::size_t done = 0;
        const int code = SSL_write_ex(session_.get(), bytes, count, &done);
        return code == 1 ? IoResult{IoState::moved, done} : blocked(code);
    }

    [[nodiscard]] bool holds_input() const override { return SSL_pending(session_.get()) > 0; }

    void end_sending() override {
        ERR_clear_error();
        if (!failed_ && SSL_is_init_finished(session_.get()) == 1) {
            static_cast<void>(SSL_shutdown(session_.get()));
        }
        ERR_clear_error();
    }

    [[nodiscard]] const base::Error& failure() const override { return failure_; }

private:
    IoResult blocked(int code) {
        const int saved = errno;
        switch (SSL_get_error(session_.get(), code)) {
            case SSL_ERROR_WANT_READ:
                return {IoState::wants_read, 0};
            case SSL_ERROR_WANT_WRITE:
                return {IoState::wants_write, 0};
            case SSL_ERROR_ZERO_RETURN:
                return {IoState::ended, 0};
            case SSL_ERROR_SYSCALL:
                note({base::ErrorKind::unavailable, saved != 0
                                                        ? std::generic_category().message(saved)
                                                        : "the connection was closed"});
                break;
            default:
                note(reason());
        }
        return {IoState::failed, 0};
    }

    base::Error reason() {
        const long verdict = SSL_get_verify_result(session_.get());
        if (verdict != X509_V_OK) {
            ERR_clear_error();
            return {base::ErrorKind::denied,
                    std::string("the server's certificate is not trusted: ") +
                        X509_verify_cert_error_string(verdict)};
        }
        return {base::ErrorKind::unavailable, "TLS: " + take_reason()};
    }

    void note(base::Error error) {
        if (!std::exchange(failed_, true)) {
            failure_ = std::move(error);
        }
    }

    SessionPointer session_;
    bool failed_ = false;
    base::Error failure_;
};

base::Result<ContextPointer> make_context(const SSL_METHOD* method) {
    ContextPointer context(SSL_CTX_new(method));
    if (!context || SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) != 1) {
        return base::fail(base::ErrorKind::io, "OpenSSL does not start: " + take_reason());
    }
    SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                           SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context.get(), 0);
    SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE |
                                        SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                        SSL_MODE_RELEASE_BUFFERS);
    return context;
}

tl::unexpected<base::Error> bad_file(const std::string& what, const std::string& file,
                                     const std::string& expected) {
    return base::fail(base::ErrorKind::bad_input, "cannot use '" + file + "' as " + what + ": " +
                                                      take_reason() + ". Expected " + expected +
                                                      ".");
}

}  // namespace

struct TlsContext::Implementation {
    ContextPointer context;
};

TlsContext::TlsContext(std::unique_ptr<Implementation> impl) : impl_(std::move(impl)) {}
TlsContext::~TlsContext() = default;

base::Result<std::shared_ptr<const TlsContext>> TlsContext::for_server(
    const std::string& certificate_file, const std::string& key_file) {
    auto context = make_context(TLS_server_method());
    if (!context) {
        return tl::unexpected(context.error());
    }
    ERR_clear_error();
    SSL_CTX* raw = context->get();
    if (SSL_CTX_use_certificate_chain_file(raw, certificate_file.c_str()) != 1) {
        return bad_file("certificate", certificate_file, "a PEM file with the whole chain");
    }
    if (SSL_CTX_use_PrivateKey_file(raw, key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
        return bad_file("key", key_file,
                        "the private key of the certificate in '" + certificate_file +
                            "', a PEM file without a password");
    }
    auto impl = std::make_unique<Implementation>(Implementation{std::move(*context)});
    return std::unique_ptr<TlsContext>(new TlsContext(std::move(impl)));
}

base::Result<std::shared_ptr<const TlsContext>> TlsContext::for_client(const std::string& ca_file) {
    auto context = make_context(TLS_client_method());
    if (!context) {
        return tl::unexpected(context.error());
    }
    ERR_clear_error();
    SSL_CTX* raw = context->get();
    SSL_CTX_set_verify(raw, SSL_VERIFY_PEER, nullptr);
    if (ca_file.empty()) {
        SSL_CTX_set_default_verify_paths(raw);
    } else if (SSL_CTX_load_verify_file(raw, ca_file.c_str()) != 1) {
        return bad_file("certificate authority", ca_file, "a PEM file with certificates");
    }
    auto impl = std::make_unique<Implementation>(Implementation{std::move(*context)});
    return std::unique_ptr<TlsContext>(new TlsContext(std::move(impl)));
}

std::unique_ptr<Channel> TlsContext::accept(int socket) const {
    auto channel = std::make_unique<TlsChannel>(impl_->context.get(), socket);
    SSL_set_accept_state(channel->session());
    return channel;
}

std::unique_ptr<Channel> TlsContext::connect(int socket, const std::string& host) const {
    auto channel = std::make_unique<TlsChannel>(impl_->context.get(), socket);
    SSL* session = channel->session();
    SSL_set_connect_state(session);
    in6_addr ignored{};
    if (::inet_pton(AF_INET, host.c_str(), &ignored) == 1 ||
        ::inet_pton(AF_INET6, host.c_str(), &ignored) == 1) {
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), host.c_str());
    } else {
        SSL_set_tlsext_host_name(session, host.c_str());
        SSL_set1_host(session, host.c_str());
    }
    return channel;
}

}  // namespace idlewatt::http
