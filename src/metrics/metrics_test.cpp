// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "metrics/metrics.hpp"

#include <algorithm>
#include <set>
#include <string>

#include <gtest/gtest.h>

namespace idlewatt::metrics {
namespace {

bool has(const std::string& text, std::string_view line) {
    return ('\n' + text).find('\n' + std::string(line) + '\n') != std::string::npos;
}

TEST(MetricNames, FollowTheRulesOfPrometheus) {
    std::set<std::string_view> names;
    std::size_t place = 0;
    for (const Definition& each : definitions()) {
        SCOPED_TRACE(each.name);
        EXPECT_EQ(static_cast<std::size_t>(each.metric), place++);
        EXPECT_TRUE(names.insert(each.name).second);
        EXPECT_TRUE(each.name.starts_with("idlewatt_") || each.name.starts_with("gen_ai_server_"));
        EXPECT_TRUE(std::ranges::all_of(each.name,
                                        [](char c) { return c == '_' || (c >= 'a' && c <= 'z'); }));
        EXPECT_EQ(each.name.ends_with("_total"), each.kind == Kind::counter);
        EXPECT_TRUE(each.help.ends_with('.'));
        EXPECT_EQ(each.kind == Kind::histogram, !each.buckets.empty());
        EXPECT_TRUE(std::ranges::is_sorted(each.buckets));
        for (const std::string_view label : each.labels) {
            for (const std::string_view unbounded : {"vehicle", "owner", "request", "key", "id"})
                EXPECT_NE(label, unbounded);
        }
    }
}

TEST(MetricRegistry, SaysWhatItWasFed) {
    Registry registry;
    EXPECT_EQ(registry.text(), "");
    registry.add(Metric::tokens, {"tiny", "output"}, 17);
    registry.add(Metric::tokens, {"tiny", "output"});
    registry.set(Metric::queue_depth, {}, 3);
    registry.observe(Metric::time_to_first_token, {"chat", "tiny"}, 0.2);
    registry.observe(Metric::time_to_first_token, {"chat", "tiny"}, 20);
    const std::string text = registry.text();
    EXPECT_TRUE(has(text, "# TYPE idlewatt_tokens_total counter")) << text;
    EXPECT_TRUE(has(text, "idlewatt_tokens_total{model=\"tiny\",type=\"output\"} 18")) << text;
    EXPECT_TRUE(has(text, "idlewatt_queue_depth 3")) << text;
    const std::string labels = "{gen_ai_operation_name=\"chat\",gen_ai_request_model=\"tiny\"";
    const std::string bucket = "gen_ai_server_time_to_first_token_seconds_bucket" + labels;
    EXPECT_TRUE(has(text, bucket + ",le=\"0.1\"} 0")) << text;
    EXPECT_TRUE(has(text, bucket + ",le=\"0.25\"} 1")) << text;
    EXPECT_TRUE(has(text, bucket + ",le=\"+Inf\"} 2")) << text;
}

TEST(MetricRegistry, ATotalThatSomebodyElseKeepsNeverFalls) {
    Registry registry;
    registry.raise_to(Metric::bus_losses, {"denied"}, 5);
    registry.raise_to(Metric::bus_losses, {"denied"}, 3);
    registry.raise_to(Metric::bus_losses, {"denied"}, 6);
    EXPECT_TRUE(has(registry.text(), "idlewatt_bus_losses_total{kind=\"denied\"} 6"));
}

TEST(MetricRegistry, WhatIsNotThereAnyMoreIsNotShown) {
    Registry registry;
    registry.set(Metric::vehicles, {"ready"}, 2);
    registry.set(Metric::vehicles, {"driving"}, 7);
    registry.clear(Metric::vehicles);
    registry.set(Metric::vehicles, {"ready"}, 4);
    const std::string text = registry.text();
    EXPECT_TRUE(has(text, "idlewatt_vehicles{state=\"ready\"} 4")) << text;
    EXPECT_EQ(text.find("driving"), std::string::npos);
}

TEST(MetricRegistry, FindsEachSeriesAgainHoweverManyTakeTurns) {
    Registry registry;
    for (int round = 0; round < 3; ++round) {
        for (const std::string_view model : {"a", "ab", "b", "abc", "c", "d"}) {
            registry.add(Metric::tokens, {model, "output"});
            registry.add(Metric::tokens, {"a", "output"});
        }
    }
    const std::string text = registry.text();
    EXPECT_TRUE(has(text, "idlewatt_tokens_total{model=\"a\",type=\"output\"} 21")) << text;
    for (const std::string_view model : {"ab", "b", "abc", "c", "d"}) {
        EXPECT_TRUE(has(
            text, "idlewatt_tokens_total{model=\"" + std::string(model) + "\",type=\"output\"} 3"))
            << text;
    }
}

TEST(MetricRegistry, LabelsAreBoundedAndPrintable) {
    Registry registry;
    for (int i = 0; i < 10'000; ++i)
        registry.add(Metric::requests, {"chat", std::to_string(i)});
    registry.add(Metric::rejections, {"bad \xff\"\n" + std::string(1'000, 'x')});
    const std::string text = registry.text();
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'),
              static_cast<std::ptrdiff_t>(series_max + 2 + 3));
    EXPECT_TRUE(has(text, "idlewatt_requests_total{operation=\"other\",code=\"other\"} 9745") ||
                has(text, "idlewatt_requests_total{code=\"other\",operation=\"other\"} 9745"))
        << text.substr(text.find("other") - 100, 200);
    EXPECT_EQ(text.find('\xff'), std::string::npos);
    EXPECT_LT(text.size(), 64U * 1024);
}

}  // namespace
}  // namespace idlewatt::metrics
