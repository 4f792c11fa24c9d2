// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What Prometheus itself thinks of our examples and of what /metrics says: promtool, from Debian's
// package `prometheus`.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "metrics/metrics.hpp"

namespace idlewatt {
namespace {

using metrics::Definition;

const std::string folder = std::string(IDLEWATT_SOURCE_DIR) + "/examples/prometheus";

// What the command prints, and whether it succeeded.
std::pair<bool, std::string> run(const std::string& arguments) {
    const std::string program = "\"$(" IDLEWATT_SOURCE_DIR "/tools/test-programs promtool)\"";
    const std::string out = testing::TempDir() + "idlewatt-promtool.txt";
    const int status = std::system(
        (program + ' ' + arguments + " >'" + out + "' 2>&1").c_str());  // NOLINT(cert-env33-c)
    std::ifstream file(out);
    std::string text{std::istreambuf_iterator<char>(file), {}};
    std::filesystem::remove(out);
    return {status == 0, text};
}

TEST(PrometheusExamples, AreValid) {
    const auto [ok, text] = run("check config '" + folder + "/prometheus.yml'");
    EXPECT_TRUE(ok) << text;
}

TEST(PrometheusExamples, RaiseTheRightAlerts) {
    const auto [ok, text] = run("test rules '" + folder + "/alerts_test.yml'");
    EXPECT_TRUE(ok) << text;
}

TEST(PrometheusExamples, NameOnlyWhatWeSay) {
    std::set<std::string> known;
    for (const Definition& each : metrics::definitions()) {
        known.insert(std::string(each.name));
        known.insert(std::string(each.name) + "_bucket");
    }
    std::ifstream file(folder + "/alerts.yml");
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const std::regex name("\\b(idlewatt|gen_ai)_[a-z_]+");
    int count = 0;
    for (std::sregex_iterator it(text.begin(), text.end(), name), end; it != end; ++it, ++count) {
        EXPECT_TRUE(known.contains(it->str())) << it->str();
    }
    EXPECT_GT(count, 10);
}

TEST(PrometheusExamples, EveryMetricIsReadable) {
    metrics::Registry registry;
    using Labels = metrics::Registry::Labels;
    for (const Definition& each : metrics::definitions()) {
        const auto feed = [&](Labels labels) {
            switch (each.kind) {
                case metrics::Kind::counter:
                    return registry.add(each.metric, labels, 1.5);
                case metrics::Kind::gauge:
                    return registry.set(each.metric, labels, -2);
                case metrics::Kind::histogram:
                    return registry.observe(each.metric, labels, 0.3);
            }
        };
        if (each.labels[0].empty())
            feed({});
        else if (each.labels[1].empty())
            feed({"a\"b\\"});
        else if (each.labels[2].empty())
            feed({"a", "b"});
        else
            feed({"a", "b", ""});
    }
    const std::string path = testing::TempDir() + "idlewatt-metrics.txt";
    std::ofstream(path) << registry.text();
    const auto [ok, text] = run("check metrics <'" + path + "'");
    EXPECT_TRUE(ok) << text << registry.text();
    std::filesystem::remove(path);
}

}  // namespace
}  // namespace idlewatt
