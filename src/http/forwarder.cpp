// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "http/forwarder.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace idlewatt::http {

namespace {

constexpr std::array<std::string_view, 10> between_neighbours{"connection",
                                                              "expect",
                                                              "keep-alive",
                                                              "proxy-authenticate",
                                                              "proxy-authorization",
                                                              "te",
                                                              "trailer",
                                                              "transfer-encoding",
                                                              "upgrade",
                                                              "host"};

// The words between the commas, in lower case, without blanks.
std::vector<std::string> words_of(std::string_view text) {
    std::vector<std::string> words(1);
    for (const char c : text) {
        if (c == ',')
            words.emplace_back();
        else if (c != ' ' && c != '\t')
            words.back() += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    return words;
}

}  // namespace

Headers end_to_end(const Headers& headers) {
    std::vector<std::string> named;
    if (const auto connection = headers.find("connection"); connection != headers.end())
        named = words_of(connection->second);
    Headers kept;
    for (const auto& [name, value] : headers) {
        // A neighbour must not take off who asks, or how much there is.
        const bool needed = name == "authorization" || name == "content-length";
        const bool stays =
            std::ranges::find(between_neighbours, name) != between_neighbours.end() ||
            std::ranges::find(named, name) != named.end();
        if (needed || !stays)
            kept.emplace(name, value);
    }
    return kept;
}

}  // namespace idlewatt::http
