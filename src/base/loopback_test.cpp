// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "base/loopback.hpp"

#include <gtest/gtest.h>

namespace idlewatt::base {
namespace {

TEST(Loopback, KnowsHostsThatOnlyThisMachineReaches) {
    for (const char* host :
         {"localhost", "127.0.0.1", "127.8.9.10", "::1", "[::1]", "::ffff:127.0.0.1"}) {
        EXPECT_TRUE(is_loopback(host)) << host;
    }
    for (const char* host : {"", "0.0.0.0", "::", "128.0.0.1", "10.0.0.1", "localhost.example",
                             "127.0.0.1.example", "127.0.0", "2001:db8::1", "::ffff:10.0.0.1"}) {
        EXPECT_FALSE(is_loopback(host)) << host;
    }
}

TEST(Loopback, FindsTheHostInAnAddress) {
    for (const char* url : {"nats://127.0.0.1:4222", "http://localhost/path", "tls://[::1]:4222",
                            "http://localhost", "nats://user:secret@127.0.0.1"}) {
        EXPECT_TRUE(url_is_loopback(url)) << url;
    }
    for (const char* url : {"", "127.0.0.1", "nats://", "nats://10.0.0.1:4222",
                            "http://127.0.0.1@evil.example/", "http://evil.example/127.0.0.1",
                            "http://evil.example#@127.0.0.1", "tls://[::2]:1", "tls://[::1"}) {
        EXPECT_FALSE(url_is_loopback(url)) << url;
    }
}

}  // namespace
}  // namespace idlewatt::base
