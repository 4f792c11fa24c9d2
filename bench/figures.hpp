// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The figures of a benchmark, for the one table of `make bench`.
//
// Each is printed to stdout, and appended as a line of JSON to the file that the environment
// variable IDLEWATT_FIGURES names, where it is set; bench/table.mjs makes the table of it.
#pragma once

#include <optional>
#include <string>

namespace idlewatt {

enum class Better { higher, lower };

struct Figure {
    std::string group;  // a heading of the table: "gateway", "placement"
    std::string what;   // "requests a second, 32 clients"
    double value = 0.0;
    std::string unit;      // "1/s", "µs", "MB"; empty: a ratio or a count
    std::string compared;  // with whom, in the same run, and what it had: "nginx: 31,200 1/s"
    std::optional<double> bar;
    Better better = Better::higher;  // on which side of the bar the figure should be
};

void report(const Figure& figure);

}  // namespace idlewatt
