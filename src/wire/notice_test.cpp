// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "wire/notice.hpp"

#include <gtest/gtest.h>

namespace idlewatt::wire {

namespace {

std::string refusal_of_notice(std::string_view body) {
    const auto order = parse_notice_order(body);
    EXPECT_FALSE(order) << body;
    return order ? "" : order.error().message;
}

TEST(Notice, ComesBackAsItWasWritten) {
    for (const char* text : {"", "Somebody gets in.", "\"Grüße\" <b>\\ 18:30 \xE2\x80\x93 home"}) {
        const auto order = parse_notice_order(notice_order_body({text, base::milliseconds(2500)}));
        ASSERT_TRUE(order) << order.error().message;
        EXPECT_EQ(order->text, text);
        EXPECT_EQ(order->shown_for, base::milliseconds(2500));
    }
    const auto bare = parse_notice_order(R"({"text":"x"})");
    ASSERT_TRUE(bare);
    EXPECT_EQ(bare->shown_for, notice_time_default);
}

TEST(Notice, IsBoundedAndOneLine) {
    const std::string longest(notice_text_bytes_max, 'x');
    EXPECT_TRUE(parse_notice_order(notice_order_body({longest})));
    EXPECT_NE(refusal_of_notice(notice_order_body({longest + 'x'})).find("401"), std::string::npos);
    EXPECT_NE(refusal_of_notice(notice_order_body({std::string(5000, 'x')})).find("4096"),
              std::string::npos);
    for (const char* body :
         {R"({"text":"a\nb"})", R"({"text":"\u001b[2J"})", R"({"text":"a\u2028b"})",
          R"({"text":"a\u202eb"})", R"({"text":"a\u0085b"})"})
        EXPECT_NE(refusal_of_notice(body).find("one line"), std::string::npos);
    for (const char* body : {R"({"text":"a","seconds":0})", R"({"text":"a","seconds":3601})",
                             R"({"text":"a","seconds":-1})", R"({"text":"a","seconds":"5"})",
                             R"({"text":"a","seconds":1e999})"})
        (void)refusal_of_notice(body);
    for (const char* body : {"", "[]", "{}", R"({"text":1})", R"({"text":"a","html":"b"})",
                             "{\"text\":\"\xFF\"}", R"("text")"})
        (void)refusal_of_notice(body);
}

}  // namespace

}  // namespace idlewatt::wire
