// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A whole coordinator that signs, on the in-memory twins, and those who talk to it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/simulated_loop.hpp"
#include "blobs/memory_blobs.hpp"
#include "bus/memory_bus.hpp"
#include "coordinator/coordinator.hpp"
#include "http/memory_server.hpp"
#include "identity/secret.hpp"
#include "store/memory_store.hpp"
#include "wire/admin.hpp"
#include "wire/cell.hpp"

namespace idlewatt::coordinator {

inline const wire::Subjects test_subjects{"cell"};
inline const std::string operator_secret = "iw-the-operator";

inline Authority test_authority() {
    return {identity::KeyPair::for_test(identity::KeyKind::operator_key, 1),
            identity::KeyPair::for_test(identity::KeyKind::account, 1)};
}

struct HttpAnswer {
    int status = 0;
    http::Headers headers;
    std::string body;
};

class OfficeTest : public testing::Test {
protected:
    OfficeTest() {
        hub.set_system_responder([this](std::string_view, std::string_view payload) {
            pushed.emplace_back(payload);
            return std::optional<std::string>(R"({"data":{"code":200}})");
        });
        open();
    }

    void open() {
        store = store::open_memory_store(loop, database);
        blobs = blobs::open_memory_blobs(loop, shelf, 1 << 30);
        coordinator.emplace(Parts{loop, *bus, *store, &server, blobs.get()}, options());
        coordinator->start();
        loop.run_for(base::seconds(1));
    }
    void close() {
        coordinator.reset();
        blobs.reset();
        store.reset();
    }
    static Options options() {
        Options options{"cell"};
        options.authority = test_authority();
        options.nats_urls = {"nats://127.0.0.1:4222"};
        options.public_url = "https://office";
        options.operator_key_sha256 = identity::sha256_hex(operator_secret);
        return options;
    }

    // As an operator, unless another bearer is named.
    HttpAnswer call(const std::string& method, const std::string& target,
                    const std::string& body = "", const std::string& bearer = operator_secret,
                    http::Headers headers = {}) {
        HttpAnswer answer;
        bool ended = false;
        if (!bearer.empty())
            headers["authorization"] = "Bearer " + bearer;
        if (!body.empty())
            headers["content-length"] = std::to_string(body.size());
        server.send(
            method, target, std::move(headers), body,
            {[&](int status, const http::Headers& got) {
                 answer.status = status;
                 answer.headers = got;
             },
             [&](std::string_view bytes) { answer.body += bytes; }, [&](bool) { ended = true; }});
        EXPECT_TRUE(run_until([&] { return ended; })) << method << ' ' << target;
        return answer;
    }

    std::optional<std::string> ask(bus::Bus& from, const std::string& subject,
                                   const std::string& payload) {
        std::optional<std::string> answer;
        bool ended = false;
        from.request(subject, payload, base::seconds(1),
                     [&](bus::ReplyStatus status, const bus::Message& message) {
                         if (status == bus::ReplyStatus::answered)
                             answer = message.payload;
                         ended = true;
                     });
        EXPECT_TRUE(run_until([&] { return ended; }));
        return answer;
    }

    std::string token(const std::string& fleet = "") {
        const auto answer =
            call("POST", "/api/v1/enrolments", wire::enrolment_order_body({"depot", fleet}));
        const auto created = wire::parse_enrolment_created(answer.body);
        EXPECT_TRUE(created) << answer.status << ' ' << answer.body;
        return created ? created->token : "";
    }
    HttpAnswer enrol(const std::string& with_token, const identity::KeyPair& key,
                     const std::string& name = "") {
        return call("POST", "/api/v1/enrol",
                    wire::enrol_request_body({with_token, key.public_key(), name}), "");
    }
    wire::EnrolAnswer enrolled(const std::string& name, std::uint64_t number,
                               const std::string& fleet = "") {
        const auto answer = enrol(token(fleet), user(number), name);
        const auto parsed = wire::parse_enrol_answer(answer.body);
        EXPECT_TRUE(parsed) << answer.status << ' ' << answer.body;
        return parsed.value_or(wire::EnrolAnswer{});
    }
    static identity::KeyPair user(std::uint64_t number) {
        return identity::KeyPair::for_test(identity::KeyKind::user, number);
    }
    bool run_until(const std::function<bool()>& condition) {
        return loop.run_while_not(condition, base::seconds(120));
    }

    base::SimulatedLoop loop;
    bus::MemoryHub hub{loop, 1};
    std::unique_ptr<bus::Bus> bus = hub.connect("C_coordinator", "C_coordinator/1");
    http::MemoryServer server{loop};
    std::shared_ptr<store::MemoryDatabase> database = std::make_shared<store::MemoryDatabase>();
    std::shared_ptr<blobs::MemoryShelf> shelf = std::make_shared<blobs::MemoryShelf>();
    std::unique_ptr<store::Store> store;
    std::unique_ptr<blobs::Blobs> blobs;
    std::vector<std::string> pushed;  // account JWTs that the servers were given
    std::optional<Coordinator> coordinator;
};

}  // namespace idlewatt::coordinator
