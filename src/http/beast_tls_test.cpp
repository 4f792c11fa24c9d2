// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Where the real server listens without TLS and where not, and how it meets strangers with it.
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include "http/beast_fixture_test.hpp"
#include "http/certificate_test.hpp"
#include "http/client.hpp"
#include "http/file_test.hpp"

namespace idlewatt::http {
namespace {

class BeastTlsTest : public BeastServerTest {
protected:
    base::Error refused(const ListenOptions& options) {
        const auto listening = listen(loop_, options);
        EXPECT_FALSE(listening);
        return listening ? base::Error{} : listening.error();
    }

    void start_tls(ListenOptions options = {}) {
        options.certificate_file = certificate_.certificate_file();
        options.key_file = certificate_.key_file();
        start(options);
        echo();
    }

    TestCertificate certificate_;
};

TEST_F(BeastTlsTest, NobodyElseIsServedWithoutTlsUnlessTold) {
    for (const char* address : {"0.0.0.0", "::"}) {
        ListenOptions options;
        options.address = address;
        const base::Error error = refused(options);
        EXPECT_EQ(error.kind, base::ErrorKind::bad_input);
        EXPECT_TRUE(has(error.message, "certificate")) << error.message;
    }
    ListenOptions told;
    told.address = "0.0.0.0";
    told.allow_plaintext = true;
    EXPECT_TRUE(listen(loop_, told));
    ListenOptions safe;
    safe.address = "0.0.0.0";
    safe.certificate_file = certificate_.certificate_file();
    safe.key_file = certificate_.key_file();
    EXPECT_TRUE(listen(loop_, safe));
}

TEST_F(BeastTlsTest, ABadCertificateOrKeyIsNamed) {
    const TestCertificate other;
    const TestFile garbage("-----BEGIN CERTIFICATE-----\nhello\n");
    ListenOptions options;
    options.certificate_file = certificate_.certificate_file();
    EXPECT_TRUE(has(refused(options).message, "both files"));
    options.key_file = other.key_file();
    EXPECT_TRUE(has(refused(options).message, other.key_file()));
    options.key_file = "/nowhere/key.pem";
    EXPECT_TRUE(has(refused(options).message, "/nowhere/key.pem"));
    options.certificate_file = garbage.path();
    EXPECT_TRUE(has(refused(options).message, garbage.path()));
}

TEST_F(BeastTlsTest, StrangersAtTheTlsPortAreClosedAndOthersServed) {
    ListenOptions options;
    options.read = base::milliseconds(100);
    start_tls(options);
    std::vector<RawClient> strangers;
    for (const std::string& bytes :
         {std::string(get), std::string(200, '\0'), std::string("\x16\x03\x01\xff\xff", 5),
          std::string("\x16\x03\x01\x02\x00\x01", 6) + std::string(600, 'x'), std::string()}) {
        strangers.push_back(client());
        strangers.back().send(bytes);
    }
    for (RawClient& raw : strangers) {
        run_until([&] { return raw.ended(); });
        EXPECT_FALSE(has(raw.received(), "HTTP/1.1 2"));
    }
    EXPECT_TRUE(requests_.empty());
    Call request;
    request.url = "https://127.0.0.1:" + std::to_string(port_) + "/yes";
    request.ca_file = certificate_.certificate_file();
    const auto response = call_and_wait(loop_, request);
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_EQ(response->body, "/yes");
}

TEST_F(BeastTlsTest, AnOldProtocolIsRefused) {
    start_tls();
    for (const int version : {TLS1_1_VERSION, TLS1_2_VERSION}) {
        const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(
            SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
        SSL_CTX_set_security_level(context.get(), 0);
        SSL_CTX_set_min_proto_version(context.get(), TLS1_VERSION);
        SSL_CTX_set_max_proto_version(context.get(), version);
        const std::unique_ptr<SSL, decltype(&SSL_free)> session(SSL_new(context.get()), SSL_free);
        SSL_set_tlsext_host_name(session.get(), "localhost");
        RawClient raw = client();
        SSL_set_fd(session.get(), raw.descriptor());
        int code = -1;
        run_until([&] {
            code = SSL_connect(session.get());
            const int error = SSL_get_error(session.get(), code);
            return error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE;
        });
        EXPECT_EQ(code == 1, version == TLS1_2_VERSION);
    }
}

TEST_F(BeastTlsTest, TooManyConnectionsAreToldSoThroughTls) {
    ListenOptions options;
    options.connections = 1;
    start_tls(options);
    RawClient kept = client();
    loop_.run_for(base::milliseconds(20));
    Call request;
    request.url = "https://127.0.0.1:" + std::to_string(port_) + "/";
    request.ca_file = certificate_.certificate_file();
    const auto response = call_and_wait(loop_, request);
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_EQ(response->status, 503);
    EXPECT_EQ(response->headers.at("retry-after"), "1");
}

}  // namespace
}  // namespace idlewatt::http
