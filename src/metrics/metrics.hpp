// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What a program counts about itself, and its text for Prometheus. Hides prometheus-cpp.
//
// A role feeds it and answers GET /metrics with text(). It looks at no clock and starts no thread:
// the simulator may use it as it is, so there is no twin. Lifecycle: lives as long as its program.
// Threads: any; all calls are short.
//
//   registry.add(Metric::tokens, {"qwen3-4b", "output"}, 17);
//   registry.observe(Metric::time_to_first_token, {"chat", "qwen3-4b"}, 0.21);
//   registry.set(Metric::queue_depth, {}, 3);
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "metrics/names.hpp"

namespace idlewatt::metrics {

// As an answer to a scrape.
inline constexpr std::string_view content_type = "text/plain; version=0.0.4; charset=utf-8";

class Registry {
public:
    // In the order of the definition's labels; as many.
    using Labels = std::initializer_list<std::string_view>;

    Registry();
    ~Registry();
    Registry(const Registry&) = delete;
    Registry& operator=(const Registry&) = delete;

    // A counter. The amount is finite and not negative.
    void add(Metric metric, Labels labels, double amount = 1);
    // A counter that somebody else keeps: raises it to the total; a smaller total changes nothing.
    void raise_to(Metric metric, Labels labels, double total);
    // A gauge.
    void set(Metric metric, Labels labels, double value);
    // All series of a gauge go, so that a state in which nothing is any more is not shown for ever.
    // To be followed by set() for what is there.
    void clear(Metric metric);
    // A histogram.
    void observe(Metric metric, Labels labels, double value);

    // The Prometheus text format, version 0.0.4. Metrics without a series are left out.
    [[nodiscard]] std::string text() const;

private:
    struct Implementation;
    std::unique_ptr<Implementation> impl_;
};

}  // namespace idlewatt::metrics
