// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Runs the stories in tests/cases/placement; the form is described in the README there.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "scheduler/placement.hpp"

namespace idlewatt::scheduler {
namespace {

constexpr std::size_t cases_min = 15;
constexpr double bytes_per_gib = 1024.0 * 1024.0 * 1024.0;

std::vector<std::filesystem::path> case_files() {
    std::vector<std::filesystem::path> files;
    const std::string folder = std::string(IDLEWATT_SOURCE_DIR) + "/tests/cases/placement";
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        if (entry.path().extension() == ".case")
            files.push_back(entry.path());
    }
    std::ranges::sort(files);
    return files;
}

std::pair<std::string, std::string> cut(const std::string& word) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos)
        return {word, ""};
    return {word.substr(0, equals), word.substr(equals + 1)};
}

class CasePlayer {
public:
    void play(const std::string& line) {
        std::istringstream words(line);
        std::string kind;
        words >> kind;
        if (kind == "model") {
            add_model(words);
        } else if (kind == "car") {
            add_cars(words, false);
        } else if (kind == "cars") {
            add_cars(words, true);
        } else if (kind == "demand") {
            for (std::string word; words >> word;)
                models_[model(cut(word).first)].demand = std::stod(cut(word).second);
        } else if (kind == "lost") {
            lose(words);
        } else if (kind == "targets") {
            check_targets(words);
        } else if (kind == "->") {
            check_changes(words);
        } else if (kind == "loaded") {
            for (CarToPlace& car : cars_)
                car.moving = false;
        } else {
            FAIL() << "unknown line";
        }
    }

private:
    ModelNumber model(const std::string& name) const {
        const auto found = std::ranges::find(model_names_, name);
        EXPECT_NE(found, model_names_.end()) << name;
        return static_cast<ModelNumber>(found - model_names_.begin());
    }

    void add_model(std::istringstream& words) {
        std::string name;
        words >> name;
        ModelToPlace it{.replicas_min = 0};
        for (std::string word; words >> word;) {
            const auto [key, text] = cut(word);
            ASSERT_TRUE(key == "gib" || key == "min" || key == "demand") << word;
            if (key == "gib")
                it.bytes = static_cast<std::uint64_t>(std::stod(text) * bytes_per_gib);
            if (key == "min")
                it.replicas_min = static_cast<std::uint32_t>(std::stoul(text));
            if (key == "demand")
                it.demand = std::stod(text);
        }
        model_names_.push_back(name);
        models_.push_back(it);
    }

    void add_cars(std::istringstream& words, bool several) {
        int count = 1;
        if (several)
            words >> count;
        std::string name;
        words >> name;
        CarToPlace car;
        for (std::string word; words >> word;) {
            const auto [key, text] = cut(word);
            if (key == "gib") {
                car.memory_bytes = static_cast<std::uint64_t>(std::stod(text) * bytes_per_gib);
            } else if (key == "model") {
                car.model = model(text);
            } else if (key == "cached") {
                std::istringstream names(text);
                for (std::string cached; std::getline(names, cached, ',');)
                    car.cached.push_back(model(cached));
            } else if (key == "stay_minutes") {
                car.stay_p50 = base::minutes(std::stol(text));
            } else if (key == "speed") {
                car.tokens_per_second = std::stod(text);
            } else if (key == "moving") {
                car.moving = true;
            } else if (key == "fixed") {
                car.fixed = true;
            } else {
                FAIL() << word;
            }
        }
        for (int i = 1; i <= count; ++i) {
            car_names_.push_back(several ? name + std::to_string(i) : name);
            cars_.push_back(car);
        }
    }

    void lose(std::istringstream& words) {
        std::string name;
        words >> name;
        const auto found = std::ranges::find(car_names_, name);
        ASSERT_NE(found, car_names_.end()) << name;
        cars_.erase(cars_.begin() + (found - car_names_.begin()));
        car_names_.erase(found);
    }

    void check_targets(std::istringstream& words) {
        const auto targets = placement_targets(cars_, models_);
        for (std::string word; words >> word;) {
            const auto [name, count] = cut(word);
            EXPECT_EQ(targets.wanted[model(name)], std::stoul(count)) << name;
        }
    }

    std::string name_of(const std::optional<ModelNumber>& number) const {
        return number ? model_names_[*number] : "none";
    }

    void check_changes(std::istringstream& words) {
        const auto changes = place(cars_, models_);
        std::string found;
        for (const PlacementChange& change : changes)
            found += " " + car_names_[change.car] + "=" + name_of(change.model);
        std::string rest;
        std::getline(words, rest);
        std::istringstream counted(rest);
        std::size_t count = 0;
        std::string of;
        std::string prefix;
        std::string to;
        std::string name;
        if (counted >> count >> of >> prefix >> to >> name && of == "of" && to == "to") {
            prefix.pop_back();
            EXPECT_EQ(changes.size(), count) << found;
            for (const PlacementChange& change : changes) {
                EXPECT_TRUE(car_names_[change.car].starts_with(prefix)) << found;
                EXPECT_EQ(name_of(change.model), name) << found;
            }
        } else {
            EXPECT_EQ(found.empty() ? " nothing" : found, rest);
        }
        for (const PlacementChange& change : changes) {
            cars_[change.car].model = change.model;
            cars_[change.car].moving = change.model.has_value();
        }
        EXPECT_TRUE(place(cars_, models_).empty()) << "not idempotent";
    }

    std::vector<std::string> model_names_;
    std::vector<ModelToPlace> models_;
    std::vector<std::string> car_names_;
    std::vector<CarToPlace> cars_;
};

TEST(PlacementCases, AllHold) {
    const auto files = case_files();
    ASSERT_GE(files.size(), cases_min);
    for (const auto& file : files) {
        std::ifstream lines(file);
        CasePlayer player;
        int number = 0;
        for (std::string line; std::getline(lines, line);) {
            ++number;
            if (line.empty() || line[0] == '#')
                continue;
            SCOPED_TRACE(file.filename().string() + ":" + std::to_string(number) + ": " + line);
            player.play(line);
        }
    }
}

}  // namespace
}  // namespace idlewatt::scheduler
