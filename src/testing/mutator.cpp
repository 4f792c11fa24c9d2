// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "testing/mutator.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "base/assert.hpp"

namespace idlewatt::testing {

namespace {

constexpr std::size_t word_bytes_max = 64;
constexpr std::size_t bracket_bytes_max = 4096;
constexpr std::size_t repetitions_max = 64;

constexpr std::array<std::string_view, 32> fragments{"0",
                                                     "-1",
                                                     "1e999",
                                                     "18446744073709551615",
                                                     "4294967296",
                                                     "null",
                                                     "true",
                                                     "\"\"",
                                                     "[]",
                                                     "{}",
                                                     "[",
                                                     "]",
                                                     "{",
                                                     "}",
                                                     "\"",
                                                     ",",
                                                     ":",
                                                     "\\u0000",
                                                     "\\ud800",
                                                     "\xff",
                                                     "\xc3",
                                                     "\r\n",
                                                     "\r\n\r\n",
                                                     ".",
                                                     "=",
                                                     "[[",
                                                     "../../",
                                                     "%00",
                                                     std::string_view("\0\0\0\0\0\0\0\0", 8),
                                                     "\xff\xff\xff\xff\xff\xff\xff\x7f",
                                                     "\xff\xff\xff\xff\x0f",
                                                     "content-length: 99\r\n"};

constexpr std::array<std::string_view, 12> numbers{"0",
                                                   "-1",
                                                   "1",
                                                   "2147483648",
                                                   "4294967295",
                                                   "9223372036854775808",
                                                   "18446744073709551616",
                                                   "1e9",
                                                   "1e-320",
                                                   "0.5",
                                                   "-0.0",
                                                   "99999999999999999999999999"};

constexpr std::array<std::uint64_t, 10> lengths{
    0,          1, 127, 255, 65'535, 0x7fffffff, 0xffffffff, 0x7fffffffffffffff, 0xffffffffffffffff,
    0x100000000};

bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

// The run of such characters around the place: where it begins and how long it is.
template <class Is>
std::pair<std::size_t, std::size_t> run_around(std::string_view bytes, std::size_t at, Is is) {
    std::size_t begin = std::min(at, bytes.size());
    while (begin > 0 && is(bytes[begin - 1]))
        --begin;
    std::size_t end = begin;
    while (end < bytes.size() && is(bytes[end]))
        ++end;
    return {begin, end - begin};
}

// From an opening bracket to what closes it, or 0 where that is not near.
std::size_t bracket_bytes(std::string_view bytes, std::size_t open) {
    std::size_t depth = 0;
    const std::size_t end = std::min(bytes.size(), open + bracket_bytes_max);
    for (std::size_t i = open; i < end; ++i) {
        if (bytes[i] == '{' || bytes[i] == '[')
            ++depth;
        else if ((bytes[i] == '}' || bytes[i] == ']') && --depth == 0)
            return i + 1 - open;
    }
    return 0;
}

std::vector<std::string> words_of(const std::vector<std::string>& seeds) {
    std::set<std::string> words;
    for (const std::string& seed : seeds) {
        for (std::size_t at = 0; at < seed.size() && words.size() < words_max;) {
            const std::size_t length = run_around(seed, at, is_word).second;
            if (is_word(seed[at]) && length > 1 && length <= word_bytes_max)
                words.insert(seed.substr(at, length));
            at += std::max<std::size_t>(length, 1);
        }
    }
    words.insert("x");
    return {words.begin(), words.end()};
}

}  // namespace

Mutator::Mutator(std::vector<std::string> seeds, std::uint64_t seed)
    : seeds_(std::move(seeds)), words_(words_of(seeds_)), prng_(seed) {
    IDLEWATT_ASSERT(!seeds_.empty());
}

std::string Mutator::next() {
    std::string bytes = any_seed();
    mutate(bytes);
    return bytes;
}

void Mutator::mutate(std::string& bytes) {
    for (std::uint64_t n = 1 + prng_.below(changes_max); n > 0; --n)
        change(bytes);
    if (bytes.size() > mutant_bytes_max)
        bytes.resize(mutant_bytes_max);
}

std::string_view Mutator::any_word() {
    return words_[prng_.below(words_.size())];
}

std::string Mutator::any_bracket() {
    const std::string& seed = any_seed();
    const std::size_t open = seed.find_first_of("{[", prng_.below(seed.size() + 1));
    return open == seed.npos ? std::string("{}") : seed.substr(open, bracket_bytes(seed, open));
}

void Mutator::change(std::string& bytes) {
    const std::size_t at = prng_.below(bytes.size() + 1);
    const std::size_t length = prng_.below(std::min<std::size_t>(bytes.size() - at, 32) + 1);
    switch (prng_.below(12)) {
        case 0:
        case 1:
            return change_bytes(bytes, at, length);
        case 2:
            bytes.replace(at, length, fragments.at(prng_.below(fragments.size())));
            return;
        case 3: {
            const std::string& other = any_seed();
            const std::size_t from = prng_.below(other.size() + 1);
            bytes.replace(at, length, other, from, prng_.below(64));
            return;
        }
        case 4:
            for (std::uint64_t n = prng_.below(repetitions_max); n > 0; --n)
                bytes.insert(at, bytes.substr(at, length));
            return;
        case 5:
            return change_number(bytes, at);
        case 6:
            return change_length(bytes, at);
        case 7:
        case 8:
            return change_word(bytes, at);
        case 9:
        case 10:
            return change_bracket(bytes, at);
        default:
            return change_line(bytes, at);
    }
}

void Mutator::change_bytes(std::string& bytes, std::size_t at, std::size_t length) {
    if (at == bytes.size())
        return;
    switch (prng_.below(6)) {
        case 0:
            bytes[at] = static_cast<char>(bytes[at] ^ (1 << prng_.below(8)));
            return;
        case 1:
            bytes[at] = static_cast<char>(prng_.below(256));
            return;
        case 2:
            bytes.erase(at, length);
            return;
        case 3:
            bytes.insert(at, bytes.substr(at, length));
            return;
        case 4:  // a letter for a letter: still base64url, still a name
            bytes[at] = any_word().front();
            return;
        default:
            bytes.resize(at);
    }
}

void Mutator::change_number(std::string& bytes, std::size_t at) {
    const std::size_t digit = bytes.find_first_of("0123456789", at);
    if (digit == bytes.npos)
        return;
    const auto [begin, length] = run_around(bytes, digit, is_digit);
    bytes.replace(begin, length, numbers.at(prng_.below(numbers.size())));
}

// Little-endian and of fixed size, as in GGUF.
void Mutator::change_length(std::string& bytes, std::size_t at) {
    const std::size_t width = std::size_t{1} << prng_.below(4);
    std::uint64_t value = lengths.at(prng_.below(lengths.size()));
    for (std::size_t i = at; i < std::min(at + width, bytes.size()); ++i, value >>= 8U)
        bytes[i] = static_cast<char>(value & 0xffU);
}

void Mutator::change_word(std::string& bytes, std::size_t at) {
    const auto [begin, length] = run_around(bytes, at, is_word);
    bytes.replace(begin, length, prng_.chance(0.1) ? std::string_view() : any_word());
}

void Mutator::change_bracket(std::string& bytes, std::size_t at) {
    const std::size_t open = bytes.find_first_of("{[", at);
    const std::size_t length = open == bytes.npos ? 0 : bracket_bytes(bytes, open);
    if (length == 0)
        return;
    switch (prng_.below(4)) {
        case 0:
            bytes.erase(open, length);
            return;
        case 1:
            bytes.insert(open, bytes.substr(open, length) + ',');
            return;
        case 2:  // deeper
            for (std::uint64_t n = prng_.below(repetitions_max); n > 0; --n) {
                bytes.insert(open + length, "]");
                bytes.insert(open, "[");
            }
            return;
        default:
            bytes.replace(open, length, any_bracket());
    }
}

void Mutator::change_line(std::string& bytes, std::size_t at) {
    const auto [begin, length] = run_around(bytes, at, [](char c) { return c != '\n'; });
    const std::string line = bytes.substr(begin, length) + '\n';
    switch (prng_.below(3)) {
        case 0:
            bytes.erase(begin, std::min(length + 1, bytes.size() - begin));
            return;
        case 1:
            bytes.insert(begin, line);
            return;
        default: {
            const std::string& other = any_seed();
            const auto [from, count] =
                run_around(other, prng_.below(other.size() + 1), [](char c) { return c != '\n'; });
            bytes.insert(begin, other.substr(from, count) + '\n');
        }
    }
}

}  // namespace idlewatt::testing
