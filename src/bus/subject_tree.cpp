// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "bus/subject_tree.hpp"

#include <algorithm>
#include <utility>

#include "base/assert.hpp"

namespace idlewatt::bus {

namespace {

// The first token and what follows its dot; nothing follows the last token.
std::pair<std::string_view, std::string_view> split(std::string_view subject) {
    const std::size_t dot = subject.find('.');
    if (dot == std::string_view::npos)
        return {subject, {}};
    return {subject.substr(0, dot), subject.substr(dot + 1)};
}

bool valid(std::string_view text, bool wildcards) {
    if (text.empty() || text.size() > subject_bytes_max || text.back() == '.')
        return false;
    while (!text.empty()) {
        const auto [token, rest] = split(text);
        if (token.empty())
            return false;
        for (const char c : token) {
            if (static_cast<unsigned char>(c) <= ' ' || c == 0x7f)
                return false;
        }
        if (token == "*" || token == ">") {
            if (!wildcards || (token == ">" && !rest.empty()))
                return false;
        }
        text = rest;
    }
    return true;
}

}  // namespace

bool valid_subject(std::string_view subject) {
    return valid(subject, false);
}

bool valid_pattern(std::string_view pattern) {
    return valid(pattern, true);
}

bool matches(std::string_view pattern, std::string_view subject) {
    while (!pattern.empty() && !subject.empty()) {
        const auto [wanted, pattern_rest] = split(pattern);
        const auto [token, subject_rest] = split(subject);
        if (wanted == ">")
            return true;
        if (wanted != "*" && wanted != token)
            return false;
        pattern = pattern_rest;
        subject = subject_rest;
    }
    return pattern.empty() && subject.empty();
}

void SubjectTree::insert(std::string_view pattern, std::uint64_t key) {
    IDLEWATT_ASSERT(valid_pattern(pattern));
    Node* node = &root_;
    while (!pattern.empty()) {
        const auto [token, rest] = split(pattern);
        if (token == ">") {
            node->rest.push_back(key);
            return;
        }
        auto child = node->children.find(token);
        if (child == node->children.end()) {
            child = node->children.emplace(std::string(token), std::make_unique<Node>()).first;
        }
        node = child->second.get();
        pattern = rest;
    }
    node->here.push_back(key);
}

void SubjectTree::remove(std::string_view pattern, std::uint64_t key) {
    remove(root_, pattern, key);
}

bool SubjectTree::remove(Node& node, std::string_view pattern, std::uint64_t key) {
    const auto [token, rest] = split(pattern);
    if (pattern.empty()) {
        std::erase(node.here, key);
    } else if (token == ">") {
        std::erase(node.rest, key);
    } else if (const auto child = node.children.find(token); child != node.children.end()) {
        if (remove(*child->second, rest, key))
            node.children.erase(child);
    }
    return node.children.empty() && node.here.empty() && node.rest.empty();
}

std::vector<std::uint64_t> SubjectTree::find(std::string_view subject) const {
    std::vector<std::uint64_t> found;
    if (valid_subject(subject))
        collect(root_, subject, found);
    std::sort(found.begin(), found.end());
    return found;
}

void SubjectTree::collect(const Node& node, std::string_view subject,
                          std::vector<std::uint64_t>& found) {
    if (subject.empty()) {
        found.insert(found.end(), node.here.begin(), node.here.end());
        return;
    }
    found.insert(found.end(), node.rest.begin(), node.rest.end());
    const auto [token, rest] = split(subject);
    const auto literal = node.children.find(token);
    if (literal != node.children.end())
        collect(*literal->second, rest, found);
    const auto any = node.children.find(std::string_view("*"));
    if (any != node.children.end())
        collect(*any->second, rest, found);
}

}  // namespace idlewatt::bus
