// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Runs a target without clang: all seeds, what was once found, then mutations of both. The same
// numbers give the same inputs on every machine. Prints what came of it; a broken promise, a crash,
// a hang or too much memory ends the process and leaves the input in fuzz_broken.bin.
//
//   fuzz_TARGET [--mutations N] [--seed S] [--seconds T] [--corpus DIR] [--write-seeds DIR]
//   [FILE...]
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <new>

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <malloc.h>

#include "fuzz.hpp"
#include "testing/mutator.hpp"

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
// What may stay behind: roles remember, within their bounds.
constexpr std::size_t memory_kept_max = 16 * 1024 * 1024;
// Of the whole process: it holds no more, and beyond the second an allocation fails.
constexpr std::size_t resident_bytes_max = std::size_t{256} * 1024 * 1024;
constexpr std::size_t process_bytes_max = std::size_t{2048} * 1024 * 1024;
constexpr unsigned one_input_seconds_max = 20;  // a hang, on any machine
constexpr std::chrono::seconds progress_period{60};
constexpr const char* finding_file = "fuzz_broken.bin";

using Clock = std::chrono::steady_clock;

// For the handler below.
const char* input_bytes = nullptr;
std::size_t input_size = 0;

// Only what a signal handler may do.
void keep_input() {
    const int file = open(finding_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file >= 0 && write(file, input_bytes, input_size) >= 0)
        close(file);
}

extern "C" void on_crash(int number) {
    signal(number, SIG_DFL);
    keep_input();
    constexpr std::string_view words = "the input is in fuzz_broken.bin (a hang: signal 14)\n";
    static_cast<void>(!write(STDERR_FILENO, words.data(), words.size()));
    raise(number);
}

void watch_process() {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    const rlimit limit{process_bytes_max, process_bytes_max};
    require(setrlimit(RLIMIT_AS, &limit) == 0, "memory can be limited");
    for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL})
        signal(number, on_crash);
#endif
    for (const int number : {SIGABRT, SIGALRM})
        signal(number, on_crash);
}

struct Findings {
    std::uint64_t inputs = 0;
    std::uint64_t taken = 0;
    std::size_t peak_bytes = 0;
    Clock::duration longest{};
};

void run(std::string_view bytes, Findings& findings) {
    input_bytes = bytes.data();
    input_size = bytes.size();
    alarm(one_input_seconds_max);
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
    require(grown <= memory_base_bytes + memory_growth_max * bytes.size(),
            "an input of " + std::to_string(bytes.size()) + " bytes took " + std::to_string(grown) +
                " bytes of memory");
    alarm(0);
}

std::size_t resident_bytes() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return static_cast<std::size_t>(usage.ru_maxrss) * 1024;
}

struct Options {
    std::uint64_t mutations = 10'000;
    std::uint64_t seed = 1;
    std::chrono::seconds seconds{0};  // 0: no limit
    std::string corpus;
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
        else if (word == "--corpus")
            options.corpus = value;
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

std::vector<std::string> corpus(const std::string& folder) {
    std::vector<std::string> found;
    if (!std::filesystem::is_directory(folder))
        return found;
    for (const auto& entry : std::filesystem::directory_iterator(folder))
        found.push_back(contents(entry.path()));
    std::ranges::sort(found);
    return found;
}

void print(const Findings& findings, std::ostream& out) {
    out << findings.inputs << " inputs: " << findings.taken << " taken, "
        << findings.inputs - findings.taken << " refused with an error each; memory at most "
        << findings.peak_bytes / 1024 << " KiB for one and " << resident_bytes() / 1024 / 1024
        << " MiB for the process, longest "
        << std::chrono::duration_cast<std::chrono::microseconds>(findings.longest).count()
        << " us\n";
}

void mutate(const std::vector<std::string>& start, const Options& options, Findings& findings) {
    const Clock::time_point end = Clock::now() + options.seconds;
    Clock::time_point told = Clock::now();
    testing::Mutator mutator(start, options.seed);
    std::size_t kept_bytes = live_bytes;
    for (std::uint64_t i = 0; i < options.mutations; ++i) {
        const Clock::time_point now = Clock::now();
        if (options.seconds.count() > 0 && now > end)
            break;
        if (now - told > progress_period) {
            told = now;
            print(findings, std::cerr);
        }
        run(mutator.next(), findings);
        if (i < options.mutations / 10 && i < 10'000)
            kept_bytes = std::max<std::size_t>(kept_bytes, live_bytes);
    }
    require(live_bytes <= kept_bytes + memory_kept_max,
            std::to_string(live_bytes - kept_bytes) + " more bytes stay behind than at first");
}

int drive(const Options& options) {
    watch_process();
    Findings findings;
    if (!options.files.empty()) {
        for (const std::string& file : options.files)
            run(contents(file), findings);
        return 0;
    }
    std::vector<std::string> start = seeds();
    if (!options.write_seeds.empty())
        return write_seeds(start, options.write_seeds);
    for (const std::string& seed : start) {
        run(seed, findings);
        require(findings.taken == findings.inputs, "every seed is good: " + seed.substr(0, 200));
    }
    const std::size_t good = start.size();
    for (const std::string& known : corpus(options.corpus)) {
        run(known, findings);
        start.push_back(known);
    }
    mutate(start, options, findings);
    print(findings, std::cout);
    require(findings.taken > good || options.mutations == 0, "some mutations are still good");
    require(findings.taken < findings.inputs || options.mutations == 0, "some are refused");
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    require(resident_bytes() <= resident_bytes_max, "the process stays small");
#endif
    return 0;
}

}  // namespace
}  // namespace idlewatt::fuzz

int main(int count, char** words) {
    return idlewatt::fuzz::drive(idlewatt::fuzz::parse(count, words));
}
