// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The client against our own server, and what TLS refuses on either side.
#include "http/client.hpp"

#include <gtest/gtest.h>

#include "http/beast_fixture_test.hpp"
#include "http/certificate_test.hpp"
#include "http/file_test.hpp"

namespace idlewatt::http {
namespace {

class ClientTest : public BeastServerTest {
protected:
    [[nodiscard]] std::string url(const std::string& path = "/",
                                  const std::string& scheme = "http") const {
        return scheme + "://127.0.0.1:" + std::to_string(port_) + path;
    }

    void start_tls(const TestCertificate& certificate) {
        ListenOptions options;
        options.certificate_file = certificate.certificate_file();
        options.key_file = certificate.key_file();
        start(options);
        echo();
    }

    base::Result<Response> wait_for(Call request) {
        request.silence_timeout = base::seconds(20);
        return call_and_wait(loop_, std::move(request));
    }

    base::ErrorKind kind_of_failure(Call request) {
        const auto response = wait_for(std::move(request));
        EXPECT_FALSE(response);
        return response ? base::ErrorKind::io : response.error().kind;
    }
};

TEST_F(ClientTest, SaysWhatItIsToldToSay) {
    start();
    echo();
    Call request;
    request.url = url("/a?b");
    request.headers = {{"x-it", "is"}, {"content-length", "7"}, {"range", "no"}};
    request.bearer_token = "secret";
    request.range = Call::Range{100, 50};
    ASSERT_TRUE(wait_for(request));
    request.range = Call::Range{100, 0};
    ASSERT_TRUE(wait_for(request));
    ASSERT_EQ(requests_.size(), 2U);
    EXPECT_EQ(requests_[0].target, "/a?b");
    EXPECT_EQ(requests_[0].headers["x-it"], "is");
    EXPECT_EQ(requests_[0].headers["authorization"], "Bearer secret");
    EXPECT_EQ(requests_[0].headers["range"], "bytes=100-149");
    EXPECT_EQ(requests_[0].headers.count("content-length"), 0U);
    EXPECT_EQ(requests_[1].headers["range"], "bytes=100-");
}

TEST_F(ClientTest, NoErrorNamesTheToken) {
    Call request;
    request.url = "http://127.0.0.1:1/";
    request.bearer_token = "secret";
    const auto response = wait_for(request);
    ASSERT_FALSE(response);
    EXPECT_FALSE(has(response.error().message, "secret"));
    request.url = "http://user:secret@127.0.0.1/";
    EXPECT_EQ(kind_of_failure(request), base::ErrorKind::bad_input);
}

TEST_F(ClientTest, ARedirectIsAnAnswerLikeOthers) {
    start();
    act_ = [this](const Request& r) {
        server_->respond(r.id, {302, {{"location", url("/elsewhere")}}, ""});
    };
    Call request;
    request.url = url();
    const auto response = wait_for(request);
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, 302);
    EXPECT_EQ(requests_.size(), 1U);
}

TEST_F(ClientTest, APausedAnswerWaitsAtTheServer) {
    start();
    act_ = [this](const Request& r) {
        server_->begin(r.id, {});
        server_->write(r.id, std::string(20'000'000, 'x'));
        server_->end(r.id);
    };
    std::size_t got = 0;
    std::optional<bool> ended;
    Call request;
    request.url = url();
    request.silence_timeout = base::seconds(1);  // a pause does not count
    CallHandler handler;
    std::unique_ptr<Exchange> exchange;
    handler.on_body = [&](std::string_view bytes) {
        if (got == 0) {
            exchange->pause();
        }
        got += bytes.size();
    };
    handler.on_end = [&](const base::Result<void>& result) { ended = result.has_value(); };
    exchange = call(loop_, std::move(request), std::move(handler));
    run_until([&] { return got > 0; });
    const std::size_t at_pause = got;
    loop_.run_for(base::milliseconds(1'300));
    EXPECT_EQ(got, at_pause);
    EXPECT_FALSE(ended);
    EXPECT_LT(written_[requests_[0].id], 20'000'000U);
    exchange->resume();
    run_until([&] { return ended.has_value(); });
    EXPECT_EQ(ended, true);
    EXPECT_EQ(got, 20'000'000U);
}

TEST_F(ClientTest, AnAnswerThatIsWholeAtThePauseEndsAfterIt) {
    start();
    echo();
    bool ended = false;
    std::size_t got = 0;
    Call request;
    request.url = url("/small");
    CallHandler handler;
    std::unique_ptr<Exchange> exchange;
    handler.on_body = [&](std::string_view bytes) {
        exchange->pause();
        got += bytes.size();
    };
    handler.on_end = [&](const base::Result<void>& result) { ended = result.has_value(); };
    exchange = call(loop_, std::move(request), std::move(handler));
    run_until([&] { return got == 6; });
    loop_.run_for(base::milliseconds(50));
    EXPECT_FALSE(ended);
    exchange->resume();
    EXPECT_FALSE(ended);
    run_until([&] { return ended; });
}

TEST_F(ClientTest, AFileIsSentWithItsProgress) {
    start();
    echo();
    const TestFile file(std::string(3'000'000, 'f') + "end");
    const auto opened = ServedFile::open(file.path());
    ASSERT_TRUE(opened);
    std::uint64_t sent = 0;
    bool ended = false;
    Call request;
    request.url = url();
    request.method = "PUT";
    request.body_file = {*opened, 1'000'000, 2'000'003};
    CallHandler handler;
    handler.on_sent = [&](std::uint64_t bytes) {
        EXPECT_GT(bytes, sent);
        sent = bytes;
    };
    handler.on_end = [&](const base::Result<void>& result) { ended = result.has_value(); };
    const auto exchange = call(loop_, std::move(request), std::move(handler));
    run_until([&] { return ended; });
    EXPECT_EQ(sent, 2'000'003U);
    EXPECT_EQ(requests_.at(0).body, std::string(2'000'000, 'f') + "end");
}

TEST_F(ClientTest, AFileThatHasBecomeShorterIsNotSentAsWhole) {
    start();
    echo();
    const TestFile file(std::string(3'000'000, 'f'));
    const auto opened = ServedFile::open(file.path());
    ASSERT_TRUE(opened);
    file.shorten(2'000'000);
    Call request;
    request.url = url();
    request.method = "PUT";
    request.body_file = {*opened, 0, 3'000'000};
    EXPECT_EQ(kind_of_failure(request), base::ErrorKind::io);
    EXPECT_TRUE(requests_.empty());
}

TEST_F(ClientTest, ACertificateIsBelievedOnlyFromWhoMaySign) {
    const TestCertificate certificate;
    const TestCertificate stranger;
    start_tls(certificate);
    Call request;
    request.url = url("/", "https");
    request.ca_file = certificate.certificate_file();
    ASSERT_TRUE(wait_for(request));
    request.url = "https://localhost:" + std::to_string(port_) + "/";
    ASSERT_TRUE(wait_for(request));
    EXPECT_EQ(requests_.size(), 2U);
    request.url = url("/", "https");
    request.ca_file = stranger.certificate_file();
    const auto refused = wait_for(request);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, base::ErrorKind::denied) << refused.error().message;
    EXPECT_TRUE(has(refused.error().message, "not trusted"));
    request.ca_file = "";  // the system's authorities do not know it either
    EXPECT_EQ(kind_of_failure(request), base::ErrorKind::denied);
    EXPECT_EQ(requests_.size(), 2U);
    request.ca_file = "/nowhere/ca.pem";
    EXPECT_EQ(kind_of_failure(request), base::ErrorKind::bad_input);
}

TEST_F(ClientTest, ACertificateOfAnotherHostIsNotBelieved) {
    const TestCertificate certificate("DNS:elsewhere.example,IP:127.0.0.2");
    start_tls(certificate);
    Call request;
    request.ca_file = certificate.certificate_file();
    for (const std::string host : {"127.0.0.1", "localhost"}) {
        request.url = "https://" + host + ":" + std::to_string(port_) + "/";
        EXPECT_EQ(kind_of_failure(request), base::ErrorKind::denied) << host;
    }
    EXPECT_TRUE(requests_.empty());
}

TEST_F(ClientTest, PlainAndTlsDoNotMix) {
    const TestCertificate certificate;
    start_tls(certificate);
    Call plain;
    plain.url = url();
    EXPECT_EQ(kind_of_failure(plain), base::ErrorKind::unavailable);
    EXPECT_TRUE(requests_.empty());
    server_.reset();
    start();
    echo();
    Call tls;
    tls.url = url("/", "https");
    tls.ca_file = certificate.certificate_file();
    EXPECT_EQ(kind_of_failure(tls), base::ErrorKind::unavailable);
}

TEST_F(ClientTest, AddressesAreUnderstoodOrRefusedWithAReason) {
    for (const char* bad : {"", "ftp://x/", "http://", "http://:80/", "http://x:0/",
                            "http://x:99999/", "http://x y/", "https://[::1", "127.0.0.1:80"}) {
        Call request;
        request.url = bad;
        EXPECT_EQ(kind_of_failure(request), base::ErrorKind::bad_input) << bad;
    }
}

}  // namespace
}  // namespace idlewatt::http
