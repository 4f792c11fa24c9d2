// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "bus/nats_tls.hpp"

#include <algorithm>
#include <array>
#include <climits>

#include <arpa/inet.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/assert.hpp"

namespace idlewatt::bus {

namespace {

template <auto destroy>
struct DestroyTls {
    template <class T>
    void operator()(T* what) const {
        destroy(what);
    }
};
using ContextPointer = std::unique_ptr<SSL_CTX, DestroyTls<SSL_CTX_free>>;
using SessionPointer = std::unique_ptr<SSL, DestroyTls<SSL_free>>;

// The first failure that OpenSSL has noted on this thread; its notes are empty afterwards.
std::string take_tls_reason() {
    const unsigned long code = ERR_get_error();
    ERR_clear_error();
    const char* text = code != 0 ? ERR_reason_error_string(code) : nullptr;
    return text != nullptr ? text : "unknown failure";
}

bool is_ip_address(const std::string& host) {
    std::array<unsigned char, sizeof(in6_addr)> place{};
    return inet_pton(AF_INET, host.c_str(), place.data()) == 1 ||
           inet_pton(AF_INET6, host.c_str(), place.data()) == 1;
}

bool expects(SSL* session, const std::string& host) {
    if (is_ip_address(host))
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), host.c_str()) == 1;
    SSL_set_hostflags(session, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(session, host.c_str()) == 1 &&
           SSL_set_tlsext_host_name(session, host.c_str()) == 1;
}

}  // namespace

struct NatsTls::Implementation {
    ContextPointer context;
    SessionPointer session;
    // The session's.
    BIO* incoming = nullptr;
    BIO* outgoing = nullptr;
};

base::Result<std::unique_ptr<NatsTls>> NatsTls::create(const std::string& host,
                                                       const std::string& ca_file) {
    ERR_clear_error();
    auto impl = std::make_unique<Implementation>();
    impl->context.reset(SSL_CTX_new(TLS_client_method()));
    IDLEWATT_ASSERT(impl->context != nullptr);
    SSL_CTX* const context = impl->context.get();
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    const int trusted = ca_file.empty()
                            ? SSL_CTX_set_default_verify_paths(context)
                            : SSL_CTX_load_verify_locations(context, ca_file.c_str(), nullptr);
    if (trusted != 1) {
        return base::fail(base::ErrorKind::bad_input,
                          "SSL: cannot read authorities from " +
                              (ca_file.empty() ? "the system's" : ca_file) + ": " +
                              take_tls_reason());
    }
    impl->session.reset(SSL_new(context));
    impl->incoming = BIO_new(BIO_s_mem());
    impl->outgoing = BIO_new(BIO_s_mem());
    IDLEWATT_ASSERT(impl->session && impl->incoming != nullptr && impl->outgoing != nullptr);
    // Empty means "not yet", not the end.
    BIO_set_mem_eof_return(impl->incoming, -1);
    SSL_set_bio(impl->session.get(), impl->incoming, impl->outgoing);
    if (!expects(impl->session.get(), host)) {
        return base::fail(base::ErrorKind::bad_input,
                          "SSL: '" + host + "' is no name of a server: " + take_tls_reason());
    }
    SSL_set_connect_state(impl->session.get());
    return std::unique_ptr<NatsTls>(new NatsTls(std::move(impl)));
}

NatsTls::NatsTls(std::unique_ptr<Implementation> impl) : impl_(std::move(impl)) {}

NatsTls::~NatsTls() = default;

base::Result<bool> NatsTls::shake_hands() {
    ERR_clear_error();
    SSL* const session = impl_->session.get();
    const int code = SSL_do_handshake(session);
    if (code == 1)
        return true;
    if (SSL_get_error(session, code) == SSL_ERROR_WANT_READ)
        return false;
    std::string why = take_tls_reason();
    const long verified = SSL_get_verify_result(session);
    if (verified != X509_V_OK)
        why += std::string(" (") + X509_verify_cert_error_string(verified) + ')';
    return base::fail(base::ErrorKind::unavailable, "SSL error: " + why);
}

void NatsTls::receive(std::string_view sealed) {
    IDLEWATT_ASSERT(sealed.size() <= INT_MAX);
    const int size = static_cast<int>(sealed.size());
    IDLEWATT_ASSERT(BIO_write(impl_->incoming, sealed.data(), size) == size);
}

IoResult NatsTls::read(std::span<char> place) {
    ERR_clear_error();
    std::size_t count = 0;
    const int code = SSL_read_ex(impl_->session.get(), place.data(), place.size(), &count);
    if (code == 1)
        return {IoState::moved, count};
    const bool wants_more = SSL_get_error(impl_->session.get(), code) == SSL_ERROR_WANT_READ;
    return {wants_more ? IoState::blocked : IoState::ended, 0};
}

bool NatsTls::write(std::string_view plain) {
    ERR_clear_error();
    while (!plain.empty()) {
        std::size_t count = 0;
        if (SSL_write_ex(impl_->session.get(), plain.data(), plain.size(), &count) != 1)
            return false;
        plain.remove_prefix(count);
    }
    return true;
}

void NatsTls::end() {
    ERR_clear_error();
    static_cast<void>(SSL_shutdown(impl_->session.get()));
    ERR_clear_error();
}

void NatsTls::take_sealed(std::string& out) {
    // Read and not reset: that would clear all the room that the largest burst ever took.
    for (std::size_t size = BIO_ctrl_pending(impl_->outgoing); size > 0;
         size = BIO_ctrl_pending(impl_->outgoing)) {
        const std::size_t begin = out.size();
        out.resize(begin + std::min<std::size_t>(size, INT_MAX));
        const int count =
            BIO_read(impl_->outgoing, out.data() + begin, static_cast<int>(out.size() - begin));
        IDLEWATT_ASSERT(count > 0);
        out.resize(begin + static_cast<std::size_t>(count));
    }
}

}  // namespace idlewatt::bus
