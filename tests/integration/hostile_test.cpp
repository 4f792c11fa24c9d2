// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Strangers' bytes at a running cell: mutated requests at the gateway's and the coordinator's
// address, mutated JWTs and enrolment tokens, on connections that are kept, broken off and left
// standing. Every request is answered by a valid answer or an error object, nobody dies or grows,
// no forged credential is taken, and the fleet answers a question afterwards.
//
// IDLEWATT_HOSTILE_REQUESTS: how many in all.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include <gtest/gtest.h>

#include "hostile_cell.hpp"
#include "hostile_client.hpp"
#include "identity/identity.hpp"
#include "testing/mutator.hpp"
#include "wire/admin.hpp"

namespace idlewatt::test {
namespace {

constexpr std::uint64_t requests_otherwise = 20'000;
constexpr std::uint64_t growth_bytes_max = 64 * 1024 * 1024;

std::uint64_t requests() {
    const char* text = std::getenv("IDLEWATT_HOSTILE_REQUESTS");
    return text == nullptr ? requests_otherwise : std::strtoull(text, nullptr, 10);
}

std::string request(const std::string& method, const std::string& target, const std::string& bearer,
                    const std::string& body = "", const std::string& more = "") {
    std::string text = method + ' ' + target + " HTTP/1.1\r\nhost: cell\r\n";
    if (!bearer.empty())
        text += "authorization: Bearer " + bearer + "\r\n";
    text += more;
    if (!body.empty())
        text += "content-type: application/json\r\ncontent-length: " + std::to_string(body.size()) +
                "\r\n";
    return text + "\r\n" + body;
}

// The length of the body there is: else most would be answered before anybody reads the body.
void mend_length(std::string& bytes) {
    constexpr std::string_view name = "content-length: ";
    const std::size_t head_end = bytes.find("\r\n\r\n");
    const std::size_t at = bytes.find(name);
    if (head_end == bytes.npos || at == bytes.npos || at > head_end)
        return;
    const std::size_t begin = at + name.size();
    const std::size_t end = bytes.find("\r\n", begin);
    bytes.replace(begin, end - begin, std::to_string(bytes.size() - head_end - 4));
}

class Hostile : public ::testing::Test {
protected:
    static void SetUpTestSuite() { cell = std::make_unique<HostileCell>(); }
    static void TearDownTestSuite() { cell.reset(); }

    void SetUp() override {
        ASSERT_TRUE(cell->ready());
        pids = cell->pids();
        EXPECT_TRUE(std::ranges::all_of(pids, [](const auto& one) { return one.second > 1; }));
    }

    // So many, each checked; then all are as they were.
    void attack(const std::string& name, int port, std::uint64_t count,
                const std::function<std::string()>& next,
                const std::function<std::string(const HostileClient::Answer&)>& judge = {}) {
        HostileClient client(port, 1);
        std::map<std::string, std::uint64_t> before = cell->resident_bytes();
        for (std::uint64_t i = 0; i < count; ++i) {
            if (i == count / 10)
                before = cell->resident_bytes();
            const std::string bytes = next();
            HostileClient::Answer answer;
            std::string wrong = client.send(bytes, &answer);
            if (wrong.empty() && judge)
                wrong = judge(answer);
            if (!wrong.empty())
                std::ofstream("hostile_broken.bin", std::ios::binary) << bytes;
            ASSERT_EQ(wrong, "") << "request " << i << ", see hostile_broken.bin:\n"
                                 << bytes.substr(0, 1000);
        }
        print(name, client.figures());
        for (const auto& [part, bytes] : cell->resident_bytes()) {
            std::printf(
                "  %-24s %5.1f MiB, %+.1f since the first tenth\n", part.c_str(),
                static_cast<double>(bytes) / 1048576.0,
                (static_cast<double>(bytes) - static_cast<double>(before[part])) / 1048576.0);
            EXPECT_LE(bytes, before[part] + growth_bytes_max) << part;
        }
        EXPECT_EQ(cell->pids(), pids) << "nobody has died";
        EXPECT_TRUE(cell->all_cars_ready());
        EXPECT_NE(cell->ask(), "") << "the fleet answers";
    }

    static void print(const std::string& name, const HostileFigures& figures) {
        std::printf("%s: %zu requests on %zu connections, %zu only begun, %zu streams left; ",
                    name.c_str(), figures.requests, figures.connections, figures.begun_only,
                    figures.hung_up);
        for (const auto& [status, times] : figures.answers)
            std::printf(" %d: %zu", status, times);
        std::printf("\n");
    }

    static inline std::unique_ptr<HostileCell> cell;
    std::map<std::string, int> pids;
};

TEST_F(Hostile, RequestsAtTheGateway) {
    const std::string& key = cell->api_key();
    const std::string messages = R"("messages":[{"role":"user","content":"hi"}])";
    const std::string chat = "/v1/chat/completions";
    testing::Mutator mutator(
        {request("GET", "/v1/models", key), request("GET", "/metrics", key),
         request("GET", "/healthz", ""), request("HEAD", "/api/v1/vehicles", key),
         request("GET", "/api/v1/figures", key, "", "origin: http://a\r\nx-request-id: abc\r\n"),
         request("OPTIONS", chat, "", "", "origin: http://a\r\n"),
         // For a model that is not there: nearly all get as far as that.
         request("POST", chat, key, "{\"model\":\"m\"," + messages + "}"),
         request(
             "POST", chat, key,
             "{\"model\":\"m\",\"n\":2,\"stop\":[\"a\"],\"temperature\":0.5,\"tools\":[{\"type\":"
             "\"function\",\"function\":{\"name\":\"f\",\"parameters\":{\"type\":\"object\"}}}],"
             "\"response_format\":{\"type\":\"json_object\"}," +
                 messages + "}"),
         request("POST", "/v1/completions", key, R"({"model":"m","prompt":["a","b"],"echo":true})"),
         request("POST", "/v1/embeddings", key, R"({"model":"m","input":[[1,2],[3]]})"),
         request("POST", "/v1/completions", key, "", "transfer-encoding: chunked\r\n") +
             "5\r\n{\"pro\r\n8\r\nmpt\":1}\n\r\n0\r\n\r\n",
         request("POST", "/api/v1/vehicles/car-99/signals", key, R"({"occupied":true})")},
        1);
    // Few: what is still good makes a car work.
    testing::Mutator real({request("POST", chat, key,
                                   "{\"model\":\"" + cell->model() +
                                       "\",\"stream\":true,\"max_tokens\":1," + messages + "}")},
                          2);
    std::uint64_t count = 0;
    attack("gateway", cell->gateway_port(), requests() * 6 / 10, [&] {
        std::string bytes = ++count % 100 == 0 ? real.next() : mutator.next();
        if (bytes.size() % 2 == 0)
            mend_length(bytes);
        return bytes;
    });
}

TEST_F(Hostile, RequestsAtTheCoordinator) {
    const std::string& key = cell->api_key();
    const std::string blob = "/blobs/sha256/" + std::string(64, 'a');
    testing::Mutator mutator(
        {request("GET", "/api/v1/keys", key), request("GET", "/api/v1/models", key),
         request("GET", "/api/v1/enrolments", key), request("HEAD", "/api/v1/vehicles", key),
         request("GET", "/api/v1/vehicles/car-98", key), request("GET", "/healthz", ""),
         request("POST", "/api/v1/keys", key,
                 R"({"label":"a","role":"analyst","data_class":"public","requests_per_minute":7})"),
         request("DELETE", "/api/v1/keys/key_0", key),
         request("POST", "/api/v1/models", key,
                 R"({"name":"m","sha256":")" + std::string(64, 'a') +
                     R"(","size_bytes":12,"replicas_min":1})"),
         request("DELETE", "/api/v1/models/none", key),
         request("POST", "/api/v1/enrolments", key, R"({"label":"b","fleet":"f","life_s":1})"),
         request("POST", "/api/v1/vehicles/car-99/pause", key),
         request("PUT", blob, key, "abcd", "content-range: bytes 0-3/8\r\n"),
         request("GET", blob, key, "", "range: bytes=1-2\r\n"),
         request("POST", "/api/v1/enrol", "", R"({"token":"iwt-x","public_key":"U","name":"n"})")},
        2);
    attack("coordinator", cell->coordinator_port(), requests() * 2 / 10, [&] {
        std::string bytes = mutator.next();
        if (bytes.size() % 2 == 0)
            mend_length(bytes);
        return bytes;
    });
}

TEST_F(Hostile, CredentialsAtTheCoordinator) {
    const std::string jwt = cell->car_jwt();
    const std::string sha256 = cell->model_sha256();
    const std::string token = cell->new_token();
    ASSERT_TRUE(!jwt.empty() && sha256.size() == 64 && !token.empty());
    const auto fetch = [&](const std::string& with) {
        return request("GET", "/blobs/sha256/" + sha256, with, "", "range: bytes=0-3\r\n");
    };
    HostileClient honest(cell->coordinator_port(), 1);
    HostileClient::Answer answer;
    ASSERT_EQ(honest.send(fetch(jwt), &answer), "");
    ASSERT_EQ(answer.status, 206) << "the JWT as it is opens the file";

    testing::Mutator jwts({jwt}, 3);
    attack(
        "JWTs", cell->coordinator_port(), requests() / 10, [&] { return fetch(jwts.next()); },
        [&](const HostileClient::Answer& got) -> std::string {
            const auto shown = got.asked.find("authorization");
            const bool its_own =
                shown != got.asked.end() && shown->second.find(jwt) != std::string::npos;
            return got.status < 300 && got.status != 0 && !its_own ? "a forged JWT is believed"
                                                                   : "";
        });

    // Nobody gets in by a token that is not whole; afterwards it is still good for one.
    const std::string user = identity::KeyPair::generate(identity::KeyKind::user).public_key();
    const auto enrol = [&](const std::string& with) {
        return request("POST", "/api/v1/enrol", "",
                       wire::enrol_request_body({with, user, "stranger"}));
    };
    testing::Mutator tokens({token}, 4);
    attack(
        "tokens", cell->coordinator_port(), requests() / 10,
        [&] {
            std::string text = tokens.next();
            std::erase_if(text, [](char c) { return c < ' ' || c > '~'; });
            return enrol(text == token ? text + '0' : text);
        },
        [](const HostileClient::Answer& got) -> std::string {
            return got.status < 300 && got.status != 0 ? "a forged token is taken" : "";
        });
    // Attempts are counted; soon there is room for one more.
    EXPECT_TRUE(cell->run_until(
        [&] {
            EXPECT_EQ(honest.send(enrol(token), &answer), "");
            return answer.status != 429;
        },
        base::seconds(120)));
    EXPECT_LT(answer.status, 300) << "the token as it is lets a car in";
}

}  // namespace
}  // namespace idlewatt::test
