// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "wire/request_reader.hpp"

#include <gtest/gtest.h>

#include "base/prng.hpp"

namespace idlewatt::wire {
namespace {

std::optional<RequestJson> parsed(std::string_view bytes) {
    RequestJson tree = RequestJson::parse(bytes.begin(), bytes.end(), nullptr, false);
    return tree.is_discarded() ? std::nullopt : std::optional(std::move(tree));
}

// Whatever it reads is what the library reads, types included.
void expect_same(std::string_view bytes) {
    const auto read = read_request(bytes);
    if (!read)
        return;
    const auto known = parsed(bytes);
    ASSERT_TRUE(known) << bytes;
    EXPECT_EQ(*read, *known) << bytes;
    EXPECT_EQ(read->dump(), known->dump()) << bytes;
    EXPECT_EQ(read->type(), known->type()) << bytes;
}

TEST(RequestReader, ReadsWhatClientsSend) {
    for (const std::string_view bytes :
         {R"({})", R"({"a":[],"b":{},"c":[1,-2,true,false,null,"x"]})",
          "\n{ \"messages\" : [ { \"role\" : \"user\" , \"content\" : \"h\\u00e9\\n\\\"q\\\"\" } "
          "]\t}",
          R"({"emoji":"\ud83d\ude97 \u20ac \u00e4 \u007f","n":123456789012345678,"m":-0})",
          R"({"deep":{"deep":{"deep":[[[{}]]]}}})",
          R"({"a":0.7,"b":-0.0,"c":1e3,"d":1E-2,"e":-12.50e+1,"f":0.30000000000000004})",
          R"({"a":1.7976931348623157e308,"b":2.2250738585072014e-308,"c":9007199254740993.0})",
          R"({ "a" : { } , "b" : [ ] })"}) {
        ASSERT_TRUE(read_request(bytes)) << bytes;
        expect_same(bytes);
    }
}

TEST(RequestReader, LeavesTheRestToTheLibrary) {
    for (const std::string_view bytes : {"",
                                         " ",
                                         "{",
                                         "}",
                                         "{]",
                                         R"({"a")",
                                         R"({"a":})",
                                         R"({"a":1,})",
                                         R"([1,])",
                                         R"({"a":01})",
                                         R"({"a":-})",
                                         R"({"a":1.})",
                                         R"({"a":.5})",
                                         R"({"a":1e})",
                                         R"({"a":1.5e+})",
                                         R"({"a":01.5})",
                                         R"({"a":1e400})",
                                         R"({"a":0x1p3})",
                                         R"({"a":1234567890123456789})",
                                         R"({"a":"\ud83d"})",
                                         R"({"a":"\udc00"})",
                                         R"({"a":"\u12g4"})",
                                         R"({"a":"\x"})",
                                         "{\"a\":\"\n\"}",
                                         R"({"a":1,"a":2})",
                                         R"({"a":{"b":1,"b":2}})",
                                         R"({} {})",
                                         R"({}x)",
                                         R"({a:1})",
                                         R"({'a':1})",
                                         R"({"a":tru})",
                                         R"({"a":"\u+123"})",
                                         R"({"a":"\u-123"})"}) {
        EXPECT_FALSE(read_request(bytes)) << bytes;
    }
}

TEST(RequestReader, KeepsToTheBoundsOfARequest) {
    const auto nested = [](std::size_t depth) {
        return std::string(depth, '[') + std::string(depth, ']');
    };
    EXPECT_TRUE(read_request(nested(request_depth_max)));
    EXPECT_FALSE(read_request(nested(request_depth_max + 1)));
    const auto list = [](std::size_t values) {
        std::string text = "[0";
        for (std::size_t i = 1; i < values; ++i)
            text += ",0";
        return text + "]";
    };
    EXPECT_TRUE(read_request(list(request_values_max)));
    EXPECT_FALSE(read_request(list(request_values_max + 1)));
}

TEST(RequestReader, IsNeverMoreLenientOrOfAnotherMind) {
    const std::string sample =
        R"({"model":"m","messages":[{"role":"user","content":"a\u0041\ud83d\ude00\\b"}],)"
        R"("n":1,"temperature":0.5,"x":[-1,0,12,true,null,{"y":"z"}]})";
    const std::string_view letters = "{}[]\",:\\u0123456789eE+-.tfnx \n";
    base::Prng prng(7);
    for (int round = 0; round < 200'000; ++round) {
        std::string bytes = sample;
        for (std::uint64_t change = prng.below(4) + 1; change > 0; --change) {
            const std::size_t at = prng.below(bytes.size());
            switch (prng.below(3)) {
                case 0:
                    bytes[at] = letters[prng.below(letters.size())];
                    break;
                case 1:
                    bytes.erase(at, prng.below(8) + 1);
                    break;
                default:
                    bytes.insert(at, 1, letters[prng.below(letters.size())]);
            }
            if (bytes.empty())
                break;
        }
        expect_same(bytes);
    }
}

}  // namespace
}  // namespace idlewatt::wire
