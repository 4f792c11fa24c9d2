// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// NATS subjects: tokens between dots; in a pattern * stands for one token and a last > for one or
// more. The tree finds all patterns that fit a subject without looking at the others.
//
// Not thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace idlewatt::bus {

// Longer subjects come from a mistake or an attack; nats-server's control line holds 4,096 bytes.
inline constexpr std::size_t subject_bytes_max = 1024;

// No empty token, blank, control character or wildcard.
[[nodiscard]] bool valid_subject(std::string_view subject);
// As valid_subject, but with wildcards in their places.
[[nodiscard]] bool valid_pattern(std::string_view pattern);
// Both must be valid.
[[nodiscard]] bool matches(std::string_view pattern, std::string_view subject);

class SubjectTree {
public:
    // A key may stand under one pattern only.
    void insert(std::string_view pattern, std::uint64_t key);
    void remove(std::string_view pattern, std::uint64_t key);
    // The keys of all patterns that fit, ascending.
    [[nodiscard]] std::vector<std::uint64_t> find(std::string_view subject) const;

private:
    struct Node {
        std::map<std::string, std::unique_ptr<Node>, std::less<>> children;
        std::vector<std::uint64_t> here;  // patterns that end at this node
        std::vector<std::uint64_t> rest;  // patterns that end with > below this node
    };

    static void collect(const Node& node, std::string_view subject,
                        std::vector<std::uint64_t>& found);
    // True when the node holds nothing any more.
    static bool remove(Node& node, std::string_view pattern, std::uint64_t key);

    Node root_;
};

}  // namespace idlewatt::bus
