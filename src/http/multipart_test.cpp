// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "http/multipart.hpp"

#include <vector>

#include <gtest/gtest.h>

#include "base/prng.hpp"

namespace idlewatt::http {
namespace {

struct ReadPart {
    std::string name;
    std::optional<std::string> filename;
    std::string bytes;
    bool ended = false;
    friend bool operator==(const ReadPart&, const ReadPart&) = default;
};

struct FormReader {
    std::vector<ReadPart> parts;
    Multipart multipart;

    explicit FormReader(std::string_view boundary)
        : multipart(boundary, {[this](const MultipartHead& head) {
                                   parts.push_back({head.name, head.filename, "", false});
                               },
                               [this](std::string_view bytes) {
                                   EXPECT_FALSE(bytes.empty());
                                   parts.back().bytes += bytes;
                               },
                               [this] { parts.back().ended = true; }}) {}
    FormReader(const FormReader&) = delete;
    FormReader& operator=(const FormReader&) = delete;
};

std::string form_of(const std::vector<ReadPart>& parts, const std::string& boundary) {
    std::string body;
    for (const ReadPart& part : parts) {
        body += "--" + boundary + "\r\nContent-Disposition: form-data; name=\"" + part.name + '"';
        if (part.filename)
            body += "; filename=\"" + *part.filename + "\"\r\nContent-Type: text/plain";
        body += "\r\n\r\n" + part.bytes + "\r\n";
    }
    return body + "--" + boundary + "--\r\n";
}

const std::vector<ReadPart> upload_form{{"file", "in.jsonl", "{\"a\":1}\r\n--b\r\n-\n", true},
                                        {"purpose", std::nullopt, "batch", true},
                                        {"empty", std::nullopt, "", true}};

TEST(Multipart, AnySplitGivesTheSame) {
    const std::string body = form_of(upload_form, "bound");
    for (std::size_t split = 0; split <= body.size(); ++split) {
        FormReader reader("bound");
        ASSERT_TRUE(reader.multipart.feed(std::string_view(body).substr(0, split))) << split;
        ASSERT_TRUE(reader.multipart.feed(std::string_view(body).substr(split))) << split;
        ASSERT_TRUE(reader.multipart.complete()) << split;
        ASSERT_EQ(reader.parts, upload_form) << split;
    }
    FormReader bytewise("bound");
    for (const char c : body)
        ASSERT_TRUE(bytewise.multipart.feed({&c, 1}));
    EXPECT_TRUE(bytewise.multipart.complete());
    EXPECT_EQ(bytewise.parts, upload_form);
}

TEST(Multipart, WhateverIsInThePartsComesOut) {
    base::Prng prng(7);
    const std::string_view pieces[] = {"\r\n", "--", "bo", "und", "\r", "\n", "x", "-", "\r\n--bo"};
    for (int round = 0; round < 2000; ++round) {
        std::vector<ReadPart> parts;
        for (std::uint64_t n = prng.below(4); n > 0; --n) {
            ReadPart part{"p" + std::to_string(n), std::nullopt, "", true};
            for (std::uint64_t m = prng.below(20); m > 0; --m)
                part.bytes += pieces[prng.below(std::size(pieces))];
            if (("\r\n" + part.bytes + "\r\n").find("\r\n--bound") != std::string::npos)
                continue;
            parts.push_back(part);
        }
        std::string_view body;
        const std::string text = form_of(parts, "bound");
        body = text;
        FormReader reader("bound");
        while (!body.empty()) {
            const std::size_t count = std::min<std::size_t>(1 + prng.below(9), body.size());
            ASSERT_TRUE(reader.multipart.feed(body.substr(0, count)));
            body.remove_prefix(count);
        }
        ASSERT_TRUE(reader.multipart.complete()) << text;
        ASSERT_EQ(reader.parts, parts) << text;
    }
}

TEST(Multipart, HeadsAsClientsWriteThem) {
    FormReader reader("x");
    ASSERT_TRUE(reader.multipart.feed(
        "what stands before is ignored\r\n--x  \r\ncontent-type: application/octet-stream\r\n"
        "CONTENT-DISPOSITION:form-data;filename=\"a \\\"b\\\" ; c.txt\" ; name=file\r\n\r\n"
        "1\r\n--x--and what stands behind"));
    ASSERT_TRUE(reader.multipart.complete());
    ASSERT_EQ(reader.parts.size(), 1U);
    EXPECT_EQ(reader.parts[0], (ReadPart{"file", "a \"b\" ; c.txt", "1", true}));
}

TEST(Multipart, WhatIsNoneIsRefused) {
    for (const std::string text :
         {"--x\r\n\r\nno head\r\n--x--", "--x\r\ncontent-type: a\r\n\r\n1\r\n--x--",
          "--x\r\ncontent-disposition: attachment; name=a\r\n\r\n",
          "--x\r\ncontent-disposition: form-data\r\n\r\n", "--x\r\nno colon\r\n\r\n", "--xy\r\n",
          "--x\r\ncontent-disposition: form-data; name=a\r\n\r\nabc\r\n--xabc\r\n"}) {
        FormReader reader("x");
        EXPECT_FALSE(reader.multipart.feed(text)) << text;
        EXPECT_FALSE(reader.multipart.feed("--x--")) << "an error is the last word";
        EXPECT_FALSE(reader.multipart.complete());
    }
    FormReader cut("x");
    EXPECT_TRUE(cut.multipart.feed("--x\r\ncontent-disposition: form-data; name=a\r\n\r\nab"));
    EXPECT_FALSE(cut.multipart.complete());
    FormReader long_head("x");
    EXPECT_FALSE(long_head.multipart.feed("--x\r\n" + std::string(20'000, 'a')));
    FormReader many("x");
    std::string body;
    for (std::size_t i = 0; i <= multipart_parts_max; ++i)
        body += "--x\r\ncontent-disposition: form-data; name=a\r\n\r\n\r\n";
    EXPECT_FALSE(many.multipart.feed(body));
}

TEST(Multipart, Boundaries) {
    EXPECT_EQ(multipart_boundary("multipart/form-data; boundary=abc"), "abc");
    EXPECT_EQ(multipart_boundary("Multipart/Form-Data;charset=x; Boundary=\"a;b c\""), "a;b c");
    EXPECT_FALSE(multipart_boundary("multipart/form-data"));
    EXPECT_FALSE(multipart_boundary("multipart/mixed; boundary=abc"));
    EXPECT_FALSE(multipart_boundary("application/json"));
    EXPECT_FALSE(multipart_boundary("multipart/form-data; boundary="));
    EXPECT_FALSE(multipart_boundary("multipart/form-data; boundary=" + std::string(71, 'b')));
}

}  // namespace
}  // namespace idlewatt::http
