// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "core/reason.hpp"

#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace idlewatt::core {
namespace {

using Row = std::map<std::string, std::string>;

// The table in api/ uses one form only: [[reason]] and key = "value".
std::vector<Row> published_table() {
    std::ifstream file(std::string(IDLEWATT_SOURCE_DIR) + "/api/reasons.toml");
    std::vector<Row> rows;
    for (std::string line; std::getline(file, line);) {
        if (line == "[[reason]]")
            rows.emplace_back();
        const std::size_t equals = line.find(" = \"");
        if (equals == std::string::npos || rows.empty())
            continue;
        rows.back()[line.substr(0, equals)] = line.substr(equals + 4, line.size() - equals - 5);
    }
    return rows;
}

std::string_view name_of(ReasonKind kind) {
    switch (kind) {
        case ReasonKind::recall:
            return "recall";
        case ReasonKind::drain:
            return "drain";
        case ReasonKind::service:
            return "service";
    }
    return "";
}

TEST(Reason, TableEqualsThePublishedOne) {
    const std::vector<Row> published = published_table();
    ASSERT_EQ(published.size(), reason_table().size());
    for (std::size_t i = 0; i < published.size(); ++i) {
        const ReasonInfo& ours = reason_table()[i];
        const Row expected{{"name", std::string(ours.name)},
                           {"kind", std::string(name_of(ours.kind))},
                           {"sentence", std::string(ours.sentence)},
                           {"source", std::string(ours.source)},
                           {"cleared_by", std::string(ours.cleared_by)}};
        EXPECT_EQ(published[i], expected);
    }
}

TEST(Reason, IsFoundByItsNameAndOnlyByIt) {
    std::set<std::string_view> names;
    for (const ReasonInfo& row : reason_table()) {
        EXPECT_EQ(find_reason(row.name), row.reason);
        EXPECT_EQ(name(row.reason), row.name);
        names.insert(row.name);
    }
    EXPECT_EQ(names.size(), reason_table().size());
    EXPECT_EQ(find_reason(""), std::nullopt);
    EXPECT_EQ(find_reason("OK"), std::nullopt);
}

}  // namespace
}  // namespace idlewatt::core
