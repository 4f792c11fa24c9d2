// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Who may ask what, and what every response says beside its body.
#include <set>
#include <tuple>

#include "gateway/gateway_fixture_test.hpp"
#include "identity/secret.hpp"

namespace idlewatt::gateway {
namespace {

class GatewayDoor : public GatewayCoreTest {
protected:
    static core::ApiKey key(const std::string& id, core::KeyRole role = core::KeyRole::customer) {
        core::ApiKey made;
        made.id = core::KeyId(id);
        made.secret_sha256 = identity::sha256_hex("secret-of-" + id);
        made.role = role;
        return made;
    }
    void with_keys(std::vector<core::ApiKey> keys) {
        begin_with({.gateway = {}, .api_key = "static-secret", .uses_key_book = true});
        feed(KeyBookChanged{{1, wall, std::move(keys)}});
        announce("car");
    }
    static http::Headers bearer(const std::string& secret) {
        return {{"authorization", "Bearer " + secret}};
    }
    static http::Headers of(const std::string& id) { return bearer("secret-of-" + id); }

    base::WallTime wall{1'790'000'000'000'000};
};

TEST_F(GatewayDoor, EveryResponseHasARequestIdAndEveryErrorTheObject) {
    announce("car");
    std::uint64_t request = 0;
    std::set<std::string> ids;
    for (const auto& [method, target, status] :
         std::vector<std::tuple<std::string, std::string, int>>{
             {"GET", "/healthz", 200},
             {"GET", "/v1/models", 200},
             {"GET", "/v1/models/", 200},
             {"HEAD", "/v1/models", 200},
             {"GET", "/v1/models/m", 200},
             {"GET", "/v1/models/n%2Fo%3Ap", 404},
             {"DELETE", "/v1/models/m", 403},
             {"DELETE", "/v1/models/other", 404},
             {"GET", "/v1/chat/completions", 404},
             {"GET", "/v1/chat/completions/chatcmpl-1", 404},
             {"DELETE", "/v1/chat/completions/chatcmpl-1", 404},
             {"POST", "/v1/chat/completions/", 400},
             {"GET", "/v1/embeddings", 405},
             {"POST", "/v1/completions", 400},
             {"GET", "/api/v1/vehicles", 200},
             {"GET", "/api/v1/figures?x=y", 200},
             {"POST", "/api/v1/vehicles/nobody/signals", 404},
             {"GET", "/", 404},
             {"GET", "/v1/elsewhere", 404}}) {
        const http::Response response = answer(send(++request, method, target));
        EXPECT_EQ(response.status, status) << method << " " << target;
        EXPECT_EQ(response.headers.at("content-type"), "application/json");
        EXPECT_TRUE(ids.insert(response.headers.at("x-request-id")).second);
        EXPECT_TRUE(response.headers.contains("openai-processing-ms"));
        if (status >= 400) {
            for (const char* name :
                 {"\"error\"", "\"message\"", "\"type\"", "\"param\"", "\"code\""})
                EXPECT_NE(response.body.find(name), std::string::npos) << target << name;
        }
    }
    EXPECT_NE(answer(send(++request, "DELETE", "/v1/models/m")).body.find("idlewatt model rm m"),
              std::string::npos);
}

TEST_F(GatewayDoor, NamesOfModelsMayHoldSlashAndColon) {
    able.models = {"org/m:q4"};
    core::Announcement announcement = able;
    announcement.vehicle = core::VehicleId("car");
    announcement.incarnation = core::Incarnation(1);
    announcement.sequence = 1;
    announcement.reason = core::Reason::ok;
    announcement.slots_total = announcement.slots_free = 1;
    feed(Announced{announcement});
    EXPECT_EQ(answer(send(1, "GET", "/v1/models/org%2Fm%3Aq4")).status, 200);
    EXPECT_EQ(answer(send(2, "GET", "/v1/models/org/m:q4")).status, 200);
}

TEST_F(GatewayDoor, RepeatsAClientsIdOnlyIfItIsSane) {
    const auto repeated = [&](const std::string& id) {
        static std::uint64_t request = 0;
        const auto headers =
            answer(send(++request, "GET", "/healthz", {{"x-client-request-id", id}})).headers;
        const auto found = headers.find("x-client-request-id");
        return found == headers.end() ? std::string("none") : found->second;
    };
    EXPECT_EQ(repeated("abc-1"), "abc-1");
    EXPECT_EQ(repeated("a b"), "none");
    EXPECT_EQ(repeated("a\xff"), "none");
    EXPECT_EQ(repeated(std::string(513, 'a')), "none");
}

TEST_F(GatewayDoor, LetsPagesAskOnlyFromListedOrigins) {
    const http::Headers good{{"origin", "https://good.example"}};
    EXPECT_FALSE(
        answer(send(1, "GET", "/healthz", good)).headers.contains("access-control-allow-origin"))
        << "off unless configured";
    begin_with({.gateway = {}, .api_key = "k", .cors_origins = {"https://good.example"}});
    EXPECT_EQ(answer(send(2, "GET", "/healthz", good)).headers.at("access-control-allow-origin"),
              "https://good.example");
    const auto asked = answer(send(3, "OPTIONS", "/v1/models", good));
    EXPECT_EQ(asked.status, 204) << "a browser asks this without the key";
    EXPECT_TRUE(asked.headers.contains("access-control-allow-methods"));
    for (const char* origin : {"https://evil.example", "https://good.example.evil", "null", ""}) {
        const auto response = answer(send(4, "OPTIONS", "/v1/models", {{"origin", origin}}));
        EXPECT_FALSE(response.headers.contains("access-control-allow-origin")) << origin;
    }
}

TEST_F(GatewayDoor, OpensToTheStaticKeyAndThoseOfTheBook) {
    core::ApiKey revoked = key("gone");
    revoked.revoked_at = wall;
    with_keys({key("some"), revoked});
    EXPECT_EQ(answer(send(1, "GET", "/v1/models")).status, 401);
    EXPECT_EQ(answer(send(2, "GET", "/v1/models", bearer("guess"))).status, 401);
    EXPECT_EQ(answer(send(3, "GET", "/v1/models", of("gone"))).status, 401);
    EXPECT_EQ(answer(send(4, "GET", "/v1/models", of("some"))).status, 200);
    EXPECT_EQ(answer(send(5, "GET", "/v1/models", bearer("static-secret"))).status, 200);
    EXPECT_EQ(
        answer(send(6, "GET", "/v1/models", {{"authorization", "bearer  static-secret"}})).status,
        200);
    feed(KeyBookChanged{{2, wall, {}}});
    EXPECT_EQ(answer(send(7, "GET", "/v1/models", of("some"))).status, 401) << "struck out";
}

TEST_F(GatewayDoor, AnOldBookOpensNothingUntilItIsConfirmed) {
    begin_with({.gateway = {}, .api_key = "static-secret", .uses_key_book = true});
    EXPECT_EQ(answer(send(1, "GET", "/v1/models", of("some"))).status, 503) << "no book yet";
    const base::WallTime old{wall.us - core::key_book_age_max.ns / 1000 - 1};
    feed(KeyBookChanged{{1, old, {key("some")}}});
    const auto response = answer(send(2, "GET", "/v1/models", of("some")));
    EXPECT_EQ(response.status, 503);
    EXPECT_TRUE(response.headers.contains("retry-after"));
    EXPECT_EQ(answer(send(3, "GET", "/v1/models", bearer("static-secret"))).status, 200);
    feed(KeyBookConfirmed{wall});
    EXPECT_EQ(answer(send(4, "GET", "/v1/models", of("some"))).status, 200);
}

TEST_F(GatewayDoor, RolesDecideWhatAKeyMayDo) {
    with_keys({key("customer"), key("analyst", core::KeyRole::analyst),
               key("operator", core::KeyRole::fleet_operator)});
    const auto status = [&](const std::string& id, const std::string& method,
                            const std::string& target) {
        static std::uint64_t request = 100;
        return answer(send(++request, method, target, of(id), "{}")).status;
    };
    EXPECT_EQ(status("customer", "GET", "/v1/models"), 200);
    EXPECT_EQ(status("customer", "POST", "/v1/chat/completions"), 400) << "let in, refused later";
    EXPECT_EQ(status("customer", "GET", "/api/v1/vehicles"), 403);
    EXPECT_EQ(status("customer", "POST", "/api/v1/vehicles/car/signals"), 403);
    EXPECT_EQ(status("customer", "POST", "/chat/completions"), 404) << "a base URL without /v1";
    EXPECT_EQ(status("customer", "GET", "/metrics"), 403);
    EXPECT_EQ(status("analyst", "GET", "/v1/models"), 200);
    EXPECT_EQ(status("analyst", "GET", "/api/v1/vehicles"), 200);
    EXPECT_EQ(status("analyst", "POST", "/v1/chat/completions"), 403);
    EXPECT_EQ(status("analyst", "POST", "/api/v1/vehicles/car/signals"), 403);
    EXPECT_EQ(status("operator", "GET", "/api/v1/vehicles"), 200);
    EXPECT_EQ(status("operator", "POST", "/v1/chat/completions"), 400);
}

TEST_F(GatewayDoor, AKeysLimitsAreToldAndKept) {
    core::ApiKey limited = key("some");
    limited.limits.requests_per_minute = 2;
    limited.limits.tokens_per_minute = 1000;
    with_keys({limited, key("other")});
    const auto first = all<BeginResponse>(
        piece(opened(ask(1, ask_streamed, "/v1/chat/completions", of("some"))), 1, "one"));
    ASSERT_EQ(first.size(), 1U);
    EXPECT_EQ(first[0].response.headers.at("x-ratelimit-limit-requests"), "2");
    EXPECT_EQ(first[0].response.headers.at("x-ratelimit-remaining-requests"), "1");
    EXPECT_TRUE(first[0].response.headers.contains("x-ratelimit-reset-tokens"));
    EXPECT_TRUE(all<Respond>(ask(2, ask_streamed, "/v1/chat/completions", of("some"))).empty());
    const auto refused = answer(ask(3, ask_streamed, "/v1/chat/completions", of("some")));
    EXPECT_EQ(refused.status, 429);
    EXPECT_NE(refused.body.find("rate_limit_exceeded"), std::string::npos);
    EXPECT_GE(std::stoi(refused.headers.at("retry-after")), 1);
    EXPECT_EQ(refused.headers.at("x-ratelimit-remaining-requests"), "0");
    EXPECT_TRUE(all<Respond>(ask(4, ask_streamed, "/v1/chat/completions", of("other"))).empty());
    const auto large = answer(
        ask(5, R"({"model":"m","messages":[{"role":"user","content":"q"}],"max_tokens":5000})",
            "/v1/chat/completions", of("some")));
    EXPECT_EQ(large.status, 429);
    EXPECT_EQ(large.headers.at("x-should-retry"), "false") << "waiting does not help";
    EXPECT_FALSE(large.headers.contains("retry-after"));
}

TEST_F(GatewayDoor, WhoHangsUpHasUsedItsPromptAllTheSame) {
    core::ApiKey limited = key("some");
    limited.limits.tokens_per_minute = 1000;
    with_keys({limited});
    core::Piece first{{7}, "one", 1};
    first.prompt_tokens = 900;
    say(opened(ask(1, ask_streamed, "/v1/chat/completions", of("some"))), core::Numbered{1, first});
    feed(ClientGone{http::RequestId{1}});
    EXPECT_EQ(answer(ask(2, ask_streamed, "/v1/chat/completions", of("some"))).status, 429);
}

TEST_F(GatewayDoor, TheStrictestDataClassHolds) {
    core::ApiKey own = key("own");
    own.data_class = core::DataClass::own_fleet;
    own.fleet = "taxis";
    core::ApiKey none = key("none");
    none.data_class = core::DataClass::refuse;
    with_keys({own, none, key("free")});
    const std::string path = "/v1/chat/completions";
    EXPECT_EQ(answer(ask(1, ask_streamed, path, of("none"))).status, 403);
    http::Headers headers = of("free");
    headers["x-idlewatt-data-class"] = "refuse";
    const auto refused = answer(ask(2, ask_streamed, path, headers));
    EXPECT_EQ(refused.status, 403);
    EXPECT_EQ(refused.headers.at("x-idlewatt-data-class"), "refuse");
    headers["x-idlewatt-data-class"] = "own_fleet";
    EXPECT_EQ(answer(ask(3, ask_streamed, path, headers)).status, 403) << "it has no fleet";
    headers["x-idlewatt-data-class"] = "secret";
    EXPECT_EQ(answer(ask(4, ask_streamed, path, headers)).status, 400);

    const auto nobody = answer(ask(5, ask_streamed, path, of("own")));
    EXPECT_EQ(nobody.status, 503) << "the only car is nobody's";
    EXPECT_NE(nobody.body.find("taxis"), std::string::npos);
    fleets["taxi"] = "taxis";
    announce("taxi");
    for (std::uint64_t request = 6; request < 8; ++request) {
        http::Headers wide = of("own");
        wide["x-idlewatt-data-class"] = "public";
        const Tell open = opened(ask(request, ask_streamed, path, wide));
        EXPECT_EQ(open.vehicle, core::VehicleId("taxi"));
        const auto begun = all<BeginResponse>(piece(open, 1, "x"));
        ASSERT_EQ(begun.size(), 1U);
        EXPECT_EQ(begun[0].response.headers.at("x-idlewatt-data-class"), "own_fleet");
    }
}

TEST_F(GatewayDoor, TooLongAPromptIsNamedSo) {
    announce("car");
    const Tell open = opened(ask(1, ask_whole));
    const auto response = answer(say(
        open,
        core::Numbered{1, core::Rejected{400, "the request exceeds the available context size"}}));
    EXPECT_EQ(response.status, 400);
    EXPECT_NE(response.body.find("context_length_exceeded"), std::string::npos);
    EXPECT_NE(response.body.find("\"param\":\"messages\""), std::string::npos);
}

TEST_F(GatewayDoor, RefusesEarlyWhatNobodyCouldServe) {
    announce("car");
    announce("car", core::Reason::occupied);
    EXPECT_TRUE(ask(1).empty()) << "it may come back";
    pass(scheduler::nobody_tolerated + base::seconds(1));
    const auto response = answer(ask(2));
    EXPECT_EQ(response.status, 503);
    EXPECT_GE(std::stoi(response.headers.at("retry-after")), 1);
    EXPECT_NE(response.body.find("no_capacity"), std::string::npos);
}

// Who has asked in the moment after the last car left learns it when the others do.
TEST_F(GatewayDoor, AShortGapIsWaitedOutAndALongOneEndsEarly) {
    for (const bool comes_back : {true, false}) {
        const std::uint64_t request = comes_back ? 1 : 2;
        announce("car");
        announce("car", core::Reason::occupied);
        EXPECT_TRUE(ask(request, ask_whole).empty());
        EXPECT_TRUE(all<Respond>(pass(scheduler::nobody_tolerated - base::seconds(1))).empty());
        if (comes_back) {
            everything.clear();
            announce("car");
            const Tell open = opened(everything);
            EXPECT_EQ(answer(say(open, core::Numbered{1, core::Finished{{}, 1, 1, 0}})).status,
                      200);
            continue;
        }
        const auto refused = answer(pass(base::seconds(2)));
        EXPECT_EQ(refused.status, 503);
        EXPECT_EQ(refused.headers.at("retry-after"), "10");
        EXPECT_NE(refused.body.find("no_capacity"), std::string::npos) << refused.body;
        EXPECT_NE(refused.body.find("Try again in 10 s."), std::string::npos) << refused.body;
        EXPECT_EQ(core.figures().requests_failed_no_capacity, 1U);
    }
}

TEST_F(GatewayDoor, ACarThatLeftBeforeItsFirstWordLeavesNobodyWaiting) {
    announce("car");
    const Tell open = opened(ask(1, ask_whole));
    say(open, core::Alive{1, 0});
    say(open, core::Numbered{1, core::Yielded{core::Reason::occupied}});
    announce("car", core::Reason::occupied);
    const auto refused = answer(pass(scheduler::nobody_tolerated + base::seconds(1)));
    EXPECT_EQ(refused.status, 503);
    EXPECT_NE(refused.body.find("no_capacity"), std::string::npos) << refused.body;
}

// The only car of a fleet is away for a moment; that others serve the model does not help.
TEST_F(GatewayDoor, AShortGapOfAFleetIsWaitedOutToo) {
    core::ApiKey own = key("own");
    own.data_class = core::DataClass::own_fleet;
    own.fleet = "taxis";
    with_keys({own});
    fleets["taxi"] = "taxis";
    announce("other");
    announce("taxi");
    pass(base::minutes(1), {"other", "taxi"});
    announce("taxi", core::Reason::occupied);
    EXPECT_TRUE(all<Respond>(ask(1, ask_whole, "/v1/chat/completions", of("own"))).empty());
    EXPECT_TRUE(all<Respond>(pass(base::seconds(3), {"other"})).empty());
    everything.clear();
    announce("taxi");
    EXPECT_EQ(opened(everything).vehicle, core::VehicleId("taxi"));
}

TEST_F(GatewayDoor, CarsThatLoadTheirModelAreWaitedForButNotForever) {
    announce("car");
    announce("car", core::Reason::starting);
    EXPECT_TRUE(ask(1, ask_whole).empty());
    const auto load = [&](base::Duration span) {
        everything.clear();
        for (const base::Instant end = now + span; now < end; feed(Tick{})) {
            now = now + tick_period;
            announce("car", core::Reason::starting);
        }
        return everything;
    };
    EXPECT_TRUE(all<Respond>(load(scheduler::loading_tolerated - base::seconds(1))).empty());
    const auto late = answer(load(base::seconds(2)));
    EXPECT_EQ(late.status, 503);
    EXPECT_GE(std::stoi(late.headers.at("retry-after")), 1);
    EXPECT_NE(late.body.find("model_loading"), std::string::npos) << late.body;
    // By now nobody knows how long it takes.
    const auto next = answer(ask(2, ask_whole));
    EXPECT_NE(next.body.find("\"code\":\"model_loading\""), std::string::npos) << next.body;
    EXPECT_NE(next.body.find("unavailable_error"), std::string::npos) << next.body;
    // Not for another model than the one that it held.
    announce("car");
    announce("car", core::Reason::occupied);
    pass(scheduler::nobody_tolerated + base::seconds(1));
    EXPECT_NE(answer(ask(3, ask_whole)).body.find("no_capacity"), std::string::npos);
}

TEST_F(GatewayDoor, ACarThatBeginsToLoadIsWaitedForHoweverLongNobodyWasThere) {
    announce("car");
    announce("car", core::Reason::occupied);
    pass(base::minutes(1));
    EXPECT_NE(answer(ask(1, ask_whole)).body.find("no_capacity"), std::string::npos);
    announce("car", core::Reason::starting);
    EXPECT_TRUE(ask(2, ask_whole).empty());
    EXPECT_TRUE(all<Respond>(pass(base::seconds(2))).empty());
    announce("car");
    opened(everything);
}

TEST_F(GatewayDoor, AQueueThatMovesSendsCommentsInsteadOfNothing) {
    slots = 1;
    announce("car");
    const Tell open = opened(ask(1));
    EXPECT_TRUE(ask(2).empty());
    everything.clear();
    for (int i = 1; i <= 6; ++i) {
        now = now + base::seconds(1);
        announce("car");
        piece(open, static_cast<std::uint64_t>(i), "x");
        feed(Tick{});
    }
    bool begun = false;
    for (const BeginResponse& begin : all<BeginResponse>(everything))
        begun = begun || begin.request == http::RequestId{2};
    EXPECT_TRUE(begun);
    const Tell second = opened(say(open, core::Numbered{7, core::Finished{{}, 1, 7, 0}}));
    EXPECT_NE(written(piece(second, 1, "two")).find("\"role\":\"assistant\""), std::string::npos);
}

}  // namespace
}  // namespace idlewatt::gateway
