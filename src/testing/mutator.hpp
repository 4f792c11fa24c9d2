// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Hostile bytes made from good ones: bits and bytes as a bad line would change them, and whole
// pieces (words, bracketed parts, lines, numbers, lengths) as somebody would who knows the form.
// The same seed gives the same inputs on every machine. One thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/prng.hpp"

namespace idlewatt::testing {

inline constexpr std::size_t mutant_bytes_max = 64 * 1024;
inline constexpr std::uint64_t changes_max = 6;  // of one input
inline constexpr std::size_t words_max = 4096;   // that are learnt from the seeds

class Mutator {
public:
    // At least one seed.
    Mutator(std::vector<std::string> seeds, std::uint64_t seed);

    // One of the seeds, changed a few times.
    [[nodiscard]] std::string next();
    // A few changes.
    void mutate(std::string& bytes);
    [[nodiscard]] const std::string& any_seed() { return seeds_[prng_.below(seeds_.size())]; }

private:
    void change(std::string& bytes);
    void change_bytes(std::string& bytes, std::size_t at, std::size_t length);
    void change_number(std::string& bytes, std::size_t at);
    void change_length(std::string& bytes, std::size_t at);
    void change_word(std::string& bytes, std::size_t at);
    void change_bracket(std::string& bytes, std::size_t at);
    void change_line(std::string& bytes, std::size_t at);
    [[nodiscard]] std::string_view any_word();
    [[nodiscard]] std::string any_bracket();

    std::vector<std::string> seeds_;
    std::vector<std::string> words_;
    base::Prng prng_;
};

}  // namespace idlewatt::testing
