// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The page and who follows it, at the gateway's door.
#include <gtest/gtest.h>

#include "gateway/gateway_fixture_test.hpp"
#include "identity/secret.hpp"

namespace idlewatt::gateway {

namespace {

class GatewayLiveTest : public GatewayCoreTest {
protected:
    GatewayLiveTest() {
        GatewayConfig config;
        config.api_key = "secret";
        config.page = {page_file("/", "text/html", "<html>"),
                       page_file("/assets/page.js", "text/javascript", "run()")};
        begin_with(std::move(config));
    }
    Effects follow(std::uint64_t request) {
        return send(request, "GET", "/api/v1/events", with_key);
    }

    static std::string written_or_begun(const Effects& effects) {
        const auto begun = all<BeginResponse>(effects);
        return (begun.empty() ? "" : begun[0].response.body) + written(effects);
    }

    const http::Headers with_key{{"authorization", "Bearer secret"}};
};

TEST_F(GatewayLiveTest, ThePageIsForEverybodyAndTheStreamIsNot) {
    const auto page = answer(send(1, "GET", "/"));
    EXPECT_EQ(page.status, 200);
    EXPECT_EQ(page.body, "<html>");
    EXPECT_NE(page.headers.at("content-security-policy").find("default-src 'self'"),
              std::string::npos);
    EXPECT_EQ(answer(send(2, "GET", "/assets/page.js")).body, "run()");
    const auto known = answer(send(3, "GET", "/", {{"if-none-match", page.headers.at("etag")}}));
    EXPECT_EQ(known.status, 304);
    EXPECT_EQ(known.body, "");
    EXPECT_EQ(answer(send(4, "POST", "/")).status, 401);
    EXPECT_EQ(answer(send(5, "GET", "/assets/other.js")).status, 401);
    EXPECT_EQ(answer(send(6, "GET", "/assets/other.js", with_key)).status, 404);
    EXPECT_EQ(answer(send(7, "GET", "/api/v1/events")).status, 401);
    EXPECT_EQ(answer(send(8, "POST", "/api/v1/events", with_key)).status, 405);
}

TEST_F(GatewayLiveTest, AReaderGetsASnapshotThenChanges) {
    announce("car-1");
    const auto begun = all<BeginResponse>(follow(9));
    ASSERT_EQ(begun.size(), 1U);
    EXPECT_EQ(begun[0].response.headers.at("content-type"), "text/event-stream");
    EXPECT_EQ(begun[0].response.body.find("event: snapshot\nid: 1790000000000000-"), 0U);
    EXPECT_NE(begun[0].response.body.find(R"("vehicle_ids":"0car-1")"), std::string::npos);
    send(11, "POST", "/v1/chat/completions", with_key, ask_streamed);
    announce("car-2");
    const std::string changes = written(pass(base::milliseconds(300)));
    EXPECT_NE(changes.find("event: change\n"), std::string::npos);
    EXPECT_NE(changes.find(R"("vehicle_ids":"42")"), std::string::npos);
    EXPECT_NE(changes.find(R"("id":"chatcmpl-)"), std::string::npos);
    feed(ClientGone{http::RequestId{9}});
    EXPECT_EQ(written(pass(base::seconds(2), {"car-1", "car-2"})).find("event: change"),
              std::string::npos);
}

TEST_F(GatewayLiveTest, WordsFlowToTheReaderWhoAsked) {
    announce("car-1");
    follow(9);
    const auto open = opened(send(11, "POST", "/v1/chat/completions", with_key, ask_streamed));
    piece(open, 1, "Parked");
    std::string told = written(pass(base::milliseconds(250)));
    EXPECT_NE(told.find(R"("text":"Parked")"), std::string::npos);
    piece(open, 2, " cars");
    told = written(pass(base::milliseconds(250)));
    EXPECT_NE(told.find(R"("text_added":" cars")"), std::string::npos);
    say(open, core::Numbered{3, core::Finished{}});
    told = written(pass(base::milliseconds(250)));
    EXPECT_NE(told.find(R"("how":"completed")"), std::string::npos);
}

TEST_F(GatewayLiveTest, ChoicesOfOneQuestionEndTogether) {
    announce("car-1");
    announce("car-2");
    follow(9);
    const auto opens = all_opened(
        send(11, "POST", "/v1/chat/completions", with_key,
             R"({"model":"m","n":2,"stream":true,"messages":[{"role":"user","content":"q"}]})"));
    ASSERT_EQ(opens.size(), 2U);
    piece(opens[0], 1, "Parked");
    piece(opens[1], 1, "Cars");
    say(opens[0], core::Numbered{2, core::Finished{}});
    std::string told = written(pass(base::milliseconds(250)));
    EXPECT_NE(told.find(R"("text":"Parked")"), std::string::npos);
    EXPECT_EQ(told.find(R"("how":"completed")"), std::string::npos);
    say(opens[1], core::Numbered{2, core::Finished{}});
    told = written(pass(base::milliseconds(250)));
    const std::size_t first = told.find(R"("how":"completed")");
    ASSERT_NE(first, std::string::npos);
    const std::size_t second = told.find(R"("how":"completed")", first + 1);
    ASSERT_NE(second, std::string::npos);
    EXPECT_EQ(told.find(R"("how":"completed")", second + 1), std::string::npos);
}

TEST_F(GatewayLiveTest, ANoticeIsToldToReadersAndEndsWithItsTime) {
    announce("car-1");
    EXPECT_NE(written_or_begun(follow(9)).find(R"("notice":null)"), std::string::npos);
    EXPECT_EQ(answer(send(10, "POST", "/api/v1/notice", with_key,
                          R"({"text":"Somebody gets \"in\".","seconds":3})"))
                  .status,
              200);
    std::string told = written(pass(base::milliseconds(250), {"car-1"}));
    EXPECT_NE(told.find(R"("notice":{"text":"Somebody gets \"in\".","at":"2026-)"),
              std::string::npos);
    EXPECT_EQ(written(pass(base::seconds(2), {"car-1"})).find("notice"), std::string::npos)
        << "once is enough";
    EXPECT_NE(written_or_begun(follow(11)).find(R"("notice":{"text":"Somebody)"),
              std::string::npos);
    told = written(pass(base::seconds(1), {"car-1"}));
    EXPECT_NE(told.find(R"("notice":null)"), std::string::npos);
    EXPECT_NE(written_or_begun(follow(12)).find(R"("notice":null)"), std::string::npos);
}

TEST_F(GatewayLiveTest, ANoticeIsReplacedAndTakenAway) {
    follow(9);
    for (const char* text : {"one", "two", ""})
        EXPECT_EQ(answer(send(10, "POST", "/api/v1/notice", with_key,
                              R"({"text":")" + std::string(text) + R"("})"))
                      .status,
                  200);
    EXPECT_EQ(written(pass(base::milliseconds(250))).find("notice"), std::string::npos);
    send(10, "POST", "/api/v1/notice", with_key, R"({"text":"three"})");
    EXPECT_NE(written(pass(base::milliseconds(250))).find(R"("text":"three")"), std::string::npos);
    send(10, "POST", "/api/v1/notice", with_key, R"({"text":""})");
    EXPECT_NE(written(pass(base::milliseconds(250))).find(R"("notice":null)"), std::string::npos);
}

TEST_F(GatewayLiveTest, OnlyAnOperatorsKeyWritesANotice) {
    const std::string body = R"({"text":"x"})";
    const auto post = [&](http::Headers headers, const std::string& said) {
        return answer(send(10, "POST", "/api/v1/notice", std::move(headers), said)).status;
    };
    EXPECT_EQ(post({}, body), 401);
    EXPECT_EQ(post({{"authorization", "Bearer wrong"}}, body), 401);
    EXPECT_EQ(post(with_key, "{}"), 400);
    EXPECT_EQ(answer(send(10, "GET", "/api/v1/notice", with_key)).status, 405);
    GatewayConfig book;
    book.uses_key_book = true;
    begin_with(std::move(book));
    core::KeyBook keys;
    keys.issued_at = base::WallTime{1'790'000'000'000'000};
    for (const core::KeyRole role :
         {core::KeyRole::fleet_operator, core::KeyRole::analyst, core::KeyRole::customer}) {
        core::ApiKey key;
        key.id = core::KeyId(std::string(core::name(role)));
        key.role = role;
        key.secret_sha256 = identity::sha256_hex(core::name(role));
        keys.keys.push_back(key);
    }
    feed(KeyBookChanged{keys});
    const auto with_role = [](core::KeyRole role) {
        return http::Headers{{"authorization", "Bearer " + std::string(core::name(role))}};
    };
    EXPECT_EQ(post(with_role(core::KeyRole::fleet_operator), body), 200);
    EXPECT_EQ(post(with_role(core::KeyRole::analyst), body), 403);
    EXPECT_EQ(post(with_role(core::KeyRole::customer), body), 403);
    begin_with({});
    EXPECT_EQ(post({}, body), 403) << "everybody may ask this one, but not write on its page";
}

TEST_F(GatewayLiveTest, AReaderThatTakesNothingIsBrokenOff) {
    announce("car-1");
    follow(9);
    Effects effects;
    for (int i = 0; i < 300 && all<AbortResponse>(effects).empty(); ++i) {
        for (int car = 0; car < 500; ++car)
            announce("car-" + std::to_string(car),
                     i % 2 == 0 ? core::Reason::occupied : core::Reason::charge_below_reserve);
        effects = pass(base::milliseconds(200));
    }
    ASSERT_EQ(all<AbortResponse>(effects).size(), 1U);
    EXPECT_EQ(written(pass(base::seconds(2))), "");
}

TEST_F(GatewayLiveTest, ReadersAreCountedAndLeaveWithTheGateway) {
    for (std::uint64_t reader = 0; reader < live_readers_max; ++reader)
        EXPECT_EQ(all<BeginResponse>(follow(100 + reader)).size(), 1U);
    EXPECT_EQ(answer(follow(99)).status, 503);
    EXPECT_EQ(all<EndResponse>(feed(Stopping{})).size(), live_readers_max);
}

TEST_F(GatewayLiveTest, OneCarIsToldByItself) {
    announce("car-1");
    const auto one = answer(send(1, "GET", "/api/v1/vehicles/car-1", with_key));
    EXPECT_EQ(one.status, 200);
    EXPECT_EQ(one.body.find(R"({"id":"car-1")"), 0U);
    EXPECT_EQ(one.body.back(), '}');
    EXPECT_EQ(answer(send(2, "GET", "/api/v1/vehicles/car-2", with_key)).status, 404);
    EXPECT_EQ(answer(send(3, "DELETE", "/api/v1/vehicles/car-1", with_key)).status, 405);
}

}  // namespace

}  // namespace idlewatt::gateway
