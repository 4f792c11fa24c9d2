// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "bus/nats_departure.hpp"

#include <gtest/gtest.h>

#include "base/prng.hpp"

namespace idlewatt::bus {
namespace {

// As nats-server 2.15 sends it, shortened; the claims are {"name":"car7","sub":"U"}.
const std::string sample =
    R"({"type":"io.nats.server.advisory.v1.client_disconnect","server":{"name":"n"},)"
    R"("client":{"acc":"A","name":"car7/3","name_tag":"cell","user":"U","issuer_key":"A",)"
    R"("jwt":"e30.eyJuYW1lIjoiY2FyNyIsInN1YiI6IlUifQ.sig"},"reason":"Client Closed"})";

TEST(Departure, takes_the_name_from_the_jwt_and_the_label_from_the_connection) {
    const auto departure = parse_departure(sample);
    ASSERT_TRUE(departure.has_value());
    EXPECT_EQ(departure->name, "car7");
    EXPECT_EQ(departure->label, "car7/3");
}

TEST(Departure, is_nothing_without_a_name) {
    for (const char* text :
         {"", "null", "[]", "{}", R"({"client":3})", R"({"client":{"name":"car7"}})",
          R"({"client":{"name":"car7","jwt":7}})", R"({"client":{"name":"x","jwt":"a.b"}})",
          R"({"client":{"name":"x","jwt":"..."}})", R"({"client":{"name":"x","jwt":"a.!!.b"}})"}) {
        EXPECT_FALSE(parse_departure(text).has_value()) << text;
    }
}

TEST(Departure, of_one_who_was_refused_is_nothing) {
    for (const std::string word : {R"("user":"U",)", R"("issuer_key":"A",)"}) {
        std::string refused = sample;
        refused.erase(refused.find(word), word.size());
        EXPECT_FALSE(parse_departure(refused).has_value()) << refused;
    }
}

TEST(Departure, mutants_do_no_harm) {
    base::Prng prng(11);
    for (int i = 0; i < 10'000; ++i) {
        std::string mutant = sample;
        const std::uint64_t edits = 1 + prng.below(4);
        for (std::uint64_t k = 0; k < edits && !mutant.empty(); ++k) {
            const std::size_t at = prng.below(mutant.size());
            switch (prng.below(3)) {
                case 0:
                    mutant[at] = static_cast<char>(prng.below(256));
                    break;
                case 1:
                    mutant.erase(at, 1 + prng.below(20));
                    break;
                default:
                    mutant.insert(at, mutant.substr(prng.below(mutant.size()), 10));
                    break;
            }
        }
        (void)parse_departure(mutant);
    }
}

}  // namespace
}  // namespace idlewatt::bus
