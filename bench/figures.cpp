// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "figures.hpp"

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include <nlohmann/json.hpp>

namespace idlewatt {

void report(const Figure& figure) {
    std::printf("%s: %s: %.4g%s%s%s%s\n", figure.group.c_str(), figure.what.c_str(), figure.value,
                figure.unit.empty() ? "" : " ", figure.unit.c_str(),
                figure.compared.empty() ? "" : "; ", figure.compared.c_str());
    std::fflush(stdout);
    const char* const path = std::getenv("IDLEWATT_FIGURES");
    if (path == nullptr || *path == '\0')
        return;
    nlohmann::ordered_json line = {
        {"group", figure.group},
        {"what", figure.what},
        {"value", figure.value},
        {"unit", figure.unit},
        {"compared", figure.compared},
        {"better", figure.better == Better::higher ? "higher" : "lower"}};
    if (figure.bar)
        line["bar"] = *figure.bar;
    std::ofstream(path, std::ios::app) << line.dump() << '\n';
}

}  // namespace idlewatt
