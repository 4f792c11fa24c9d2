// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Runs a target without clang: all seeds, then mutations of them. The same numbers give the same
// inputs on every machine. Prints what came of it; a broken promise ends the process.
//
//   fuzz_TARGET [--mutations N] [--seed S] [--seconds T] [--write-seeds DIR] [FILE...]
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <new>

#include <malloc.h>

#include "base/prng.hpp"
#include "fuzz.hpp"

namespace {

std::atomic<std::size_t> live_bytes{0};
std::atomic<std::size_t> peak_bytes{0};

void* counted(std::size_t bytes) {
    void* const memory = std::malloc(bytes + 1);  // tidy: allow(malloc) this is the allocator
    if (memory == nullptr)
        throw std::bad_alloc();
    const std::size_t live = live_bytes += malloc_usable_size(memory);
    if (live > peak_bytes)
        peak_bytes = live;
    return memory;
}

void release(void* memory) {
    if (memory == nullptr)
        return;
    live_bytes -= malloc_usable_size(memory);
    std::free(memory);
}

}  // namespace

void* operator new(std::size_t bytes) {
    return counted(bytes);
}
void* operator new[](std::size_t bytes) {
    return counted(bytes);
}
void operator delete(void* memory) noexcept {
    release(memory);
}
void operator delete[](void* memory) noexcept {
    release(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    release(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
    release(memory);
}

namespace idlewatt::fuzz {
namespace {

// What one input may need: a tree of small values is some hundred times larger than its text.
constexpr std::size_t memory_base_bytes = 512 * 1024;
constexpr std::size_t memory_growth_max = 512;
constexpr std::size_t input_bytes_max = 64 * 1024;
constexpr std::chrono::seconds one_input_max{10};  // a hang, on any machine

using Clock = std::chrono::steady_clock;

class Mutator {
public:
    Mutator(std::vector<std::string> seeds, std::uint64_t seed)
        : seeds_(std::move(seeds)), prng_(seed) {}

    std::string next() {
        std::string bytes = any();
        for (std::uint64_t n = 1 + prng_.below(6); n > 0; --n)
            change(bytes);
        if (bytes.size() > input_bytes_max)
            bytes.resize(input_bytes_max);
        return bytes;
    }

private:
    static constexpr std::array<std::string_view, 32> fragments{
        "0",
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

    const std::string& any() { return seeds_[prng_.below(seeds_.size())]; }

    void change(std::string& bytes) {
        const std::size_t at = prng_.below(bytes.size() + 1);
        const std::size_t length = prng_.below(std::min<std::size_t>(bytes.size() - at, 32) + 1);
        switch (prng_.below(9)) {
            case 0:
                if (at < bytes.size())
                    bytes[at] = static_cast<char>(bytes[at] ^ (1 << prng_.below(8)));
                break;
            case 1:
                if (at < bytes.size())
                    bytes[at] = static_cast<char>(prng_.below(256));
                break;
            case 2:
                bytes.erase(at, length);
                break;
            case 3:
                bytes.insert(at, bytes.substr(at, length));
                break;
            case 4:
            case 5:
                bytes.replace(at, length, fragments.at(prng_.below(fragments.size())));
                break;
            case 6:
                bytes.resize(at);
                break;
            case 7: {
                const std::string& other = any();
                const std::size_t from = prng_.below(other.size() + 1);
                bytes.replace(at, length, other, from, prng_.below(64));
                break;
            }
            default:
                for (std::uint64_t n = prng_.below(64); n > 0; --n)
                    bytes.insert(at, bytes.substr(at, length));
        }
    }

    std::vector<std::string> seeds_;
    base::Prng prng_;
};

struct Findings {
    std::uint64_t inputs = 0;
    std::uint64_t taken = 0;
    std::size_t peak_bytes = 0;
    Clock::duration longest{};
};

void run(std::string_view bytes, Findings& findings) {
    const std::size_t before = live_bytes;
    peak_bytes = before;
    const Clock::time_point begin = Clock::now();
    const bool taken = one_input(bytes);
    const Clock::duration took = Clock::now() - begin;
    const std::size_t grown = peak_bytes - before;
    ++findings.inputs;
    findings.taken += taken ? 1 : 0;
    findings.peak_bytes = std::max(findings.peak_bytes, grown);
    findings.longest = std::max(findings.longest, took);
    const bool good =
        grown <= memory_base_bytes + memory_growth_max * bytes.size() && took < one_input_max;
    if (!good)
        std::ofstream("fuzz_broken.bin", std::ios::binary) << bytes;
    require(good, "an input of " + std::to_string(bytes.size()) + " bytes took " +
                      std::to_string(grown) + " bytes of memory; see fuzz_broken.bin");
}

struct Options {
    std::uint64_t mutations = 10'000;
    std::uint64_t seed = 1;
    std::chrono::seconds seconds{0};  // 0: no limit
    std::string write_seeds;
    std::vector<std::string> files;
};

Options parse(int count, char** words) {
    Options options;
    for (int i = 1; i < count; ++i) {
        const std::string word = words[i];
        if (!word.starts_with("--")) {
            options.files.push_back(word);
            continue;
        }
        require(i + 1 < count, word + " needs a value");
        const std::string value = words[++i];
        if (word == "--mutations")
            options.mutations = std::stoull(value);
        else if (word == "--seed")
            options.seed = std::stoull(value);
        else if (word == "--seconds")
            options.seconds = std::chrono::seconds(std::stoll(value));
        else if (word == "--write-seeds")
            options.write_seeds = value;
        else
            require(false, "there is no option " + word);
    }
    return options;
}

std::string contents(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    require(file.good(), "cannot read " + path);
    return {std::istreambuf_iterator<char>(file), {}};
}

int write_seeds(const std::vector<std::string>& all, const std::string& folder) {
    for (std::size_t i = 0; i < all.size(); ++i) {
        std::ofstream file(folder + "/seed-" + std::to_string(i), std::ios::binary);
        file << all[i];
        require(file.good(), "cannot write into " + folder);
    }
    return 0;
}

int drive(const Options& options) {
    Findings findings;
    if (!options.files.empty()) {
        for (const std::string& file : options.files)
            run(contents(file), findings);
        return 0;
    }
    const std::vector<std::string> start = seeds();
    if (!options.write_seeds.empty())
        return write_seeds(start, options.write_seeds);
    for (const std::string& seed : start) {
        run(seed, findings);
        require(findings.taken == findings.inputs, "every seed is good: " + seed.substr(0, 200));
    }
    const Clock::time_point end = Clock::now() + options.seconds;
    Mutator mutator(start, options.seed);
    for (std::uint64_t i = 0; i < options.mutations; ++i) {
        if (options.seconds.count() > 0 && Clock::now() > end)
            break;
        run(mutator.next(), findings);
    }
    std::cout << findings.inputs << " inputs: " << findings.taken << " taken, "
              << findings.inputs - findings.taken << " refused with an error each; memory at most "
              << findings.peak_bytes / 1024 << " KiB, longest "
              << std::chrono::duration_cast<std::chrono::microseconds>(findings.longest).count()
              << " us\n";
    require(findings.taken > start.size(), "some mutations are still good");
    require(findings.taken < findings.inputs || options.mutations == 0, "some are refused");
    return 0;
}

}  // namespace
}  // namespace idlewatt::fuzz

int main(int count, char** words) {
    return idlewatt::fuzz::drive(idlewatt::fuzz::parse(count, words));
}
