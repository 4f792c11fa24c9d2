// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "bus/nats_address.hpp"

#include <gtest/gtest.h>

namespace idlewatt::bus {
namespace {

TEST(NatsAddress, is_read_in_every_usual_form) {
    const auto read = [](const char* url) { return parse_nats_address(url).value(); };
    EXPECT_EQ(read("nats://127.0.0.1:4222"), (NatsAddress{"127.0.0.1", "4222", false}));
    EXPECT_EQ(read("nats.example"), (NatsAddress{"nats.example", "4222", false}));
    EXPECT_EQ(read("tls://nats.example:1"), (NatsAddress{"nats.example", "1", true}));
    EXPECT_EQ(read("tls://[::1]:65535/"), (NatsAddress{"::1", "65535", true}));
    EXPECT_EQ(read("nats://[fe80::1]"), (NatsAddress{"fe80::1", "4222", false}));
}

TEST(NatsAddress, refuses_others_and_never_repeats_a_secret) {
    for (const char* url : {"", "nats://", "http://a:1", "nats://a:0", "nats://a:65536",
                            "a:", "a:b", "nats://[::1", "nats://[::1]4222", "nats://:4222"}) {
        const auto refused = parse_nats_address(url);
        ASSERT_FALSE(refused.has_value()) << url;
        EXPECT_EQ(refused.error().kind, base::ErrorKind::bad_input);
    }
    for (const char* url : {"nats://me:hunter2@nats.example:4222", "http://me:hunter2@a:1",
                            "nats://me:hunter2/x@a:1", "me:hunter2@a"}) {
        const auto secret = parse_nats_address(url);
        ASSERT_FALSE(secret.has_value());
        EXPECT_EQ(secret.error().message.find("hunter2"), std::string::npos);
    }
}

}  // namespace
}  // namespace idlewatt::bus
