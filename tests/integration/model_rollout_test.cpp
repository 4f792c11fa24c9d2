// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A model reaches four cars over a line that breaks five times for each of them and flips a byte;
// then an operator pauses, resumes, takes the model away and revokes a car. Real agents, engines,
// NATS and HTTP. IDLEWATT_ROLLOUT_MIB says how large the model is; 8 unless said.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <sys/stat.h>

#include <gtest/gtest.h>

#include "blobs/sha256.hpp"
#include "engine/random_model.hpp"
#include "rollout_cell.hpp"
#include "wire/admin.hpp"

namespace idlewatt::test {
namespace {

constexpr int cars = 4;
constexpr int cuts_per_car = 5;
constexpr base::Duration patience = base::minutes(4);

std::uint64_t model_mib() {
    const char* text = std::getenv("IDLEWATT_ROLLOUT_MIB");
    return text == nullptr ? 8 : std::strtoull(text, nullptr, 10);
}

struct TestModel {
    std::string path;
    core::Model model;
};

// As many layers as make the size.
TestModel write_model(const std::string& folder) {
    TestModel made;
    made.path = folder + "/model.gguf";
    engine::RandomModelShape shape;
    shape.context_tokens = engine::random_model_context_tokens_min;
    shape.width = 256;
    shape.heads = 4;
    shape.key_value_heads = 4;
    shape.feed_forward = 1024;
    for (shape.layers = 1; made.model.bytes < (model_mib() << 20U);) {
        EXPECT_TRUE(engine::write_random_model(made.path, shape, 3));
        made.model.bytes = std::filesystem::file_size(made.path);
        const std::uint64_t layer_bytes = 4 * (4 * 256 * 256 + 3 * 256 * 1024);
        const std::uint64_t wanted = model_mib() << 20U;
        if (made.model.bytes < wanted)
            shape.layers +=
                static_cast<std::uint32_t>(1 + (wanted - made.model.bytes) / layer_bytes);
    }
    made.model.name = "rollout";
    made.model.sha256 = blobs::sha256_of_file(made.path)->sha256;
    made.model.architecture = "llama";
    made.model.quantization = "F32";
    made.model.parameters = made.model.bytes / 4;
    made.model.context_tokens = shape.context_tokens;
    made.model.replicas_min = cars;
    return made;
}

// A copy of which one byte is another.
std::string flipped_copy(const std::string& path) {
    const std::string copy = path + ".flipped";
    std::filesystem::copy_file(path, copy);
    std::fstream file(copy, std::ios::in | std::ios::out | std::ios::binary);
    const auto middle = static_cast<std::streamoff>(std::filesystem::file_size(copy) / 2);
    file.seekg(middle);
    const int byte = file.get();
    file.seekp(middle);
    file.put(static_cast<char>(byte ^ 1));
    return copy;
}

std::string car_name(int number) {
    return "car-" + std::to_string(number);
}

class ModelRollout : public testing::Test {
protected:
    static BadLine bad_line() {
        BadLine line;
        const std::uint64_t all = cars * (model_mib() << 20U);
        line.cuts_max = cars * cuts_per_car;
        line.cut_every_bytes = all / (cars * cuts_per_car + 1);
        line.flip_after_bytes = all / 3;
        return line;
    }
    bool all_say(core::Reason reason) {
        for (int car = 0; car < cars; ++car) {
            if (cell.said(car_name(car)).reason != reason)
                return false;
        }
        return true;
    }
    bool says(int car, core::Reason reason) {
        return cell.run_until([&] { return cell.said(car_name(car)).reason == reason; }, patience);
    }
    void upload(const TestModel& made) {
        const std::string target = "/blobs/sha256/" + made.model.sha256;
        const auto refused = cell.call("PUT", target, {}, flipped_copy(made.path));
        EXPECT_EQ(refused.status, 422) << refused.body;
        EXPECT_EQ(cell.call("HEAD", target).status, 404);
        const auto taken = cell.call("PUT", target, {}, made.path);
        ASSERT_EQ(taken.status, 201) << taken.body;
    }
    // A refused file is a line in one of the logs.
    int refusals() {
        int count = 0;
        for (int car = 0; car < cars; ++car) {
            const std::string log = cell.car_log(car_name(car));
            for (std::size_t at = log.find("thrown away"); at != std::string::npos;
                 at = log.find("thrown away", at + 1)) {
                ++count;
            }
        }
        return count;
    }

    RolloutCell cell{bad_line(), base::minutes(60)};
};

TEST_F(ModelRollout, ReachesFourCarsOverABadLine) {
    const TestModel made = write_model(cell.folder());
    upload(made);
    for (int car = 0; car < cars; ++car)
        cell.add_car(car_name(car));
    ASSERT_TRUE(cell.run_until([&] { return all_say(core::Reason::no_model); }, patience));
    const auto registered =
        cell.call("POST", "/api/v1/models", wire::registered_model_body(made.model));
    ASSERT_EQ(registered.status, 201) << registered.body;
    EXPECT_TRUE(cell.run_until([&] { return all_say(core::Reason::ok); }, patience))
        << "car-0 says:\n"
        << cell.car_log("car-0");
    for (int car = 0; car < cars; ++car) {
        EXPECT_EQ(cell.said(car_name(car)).models, std::vector<std::string>{"rollout"});
        const std::string file = cell.car_folder(car_name(car)) + "/models/" + made.model.sha256;
        const auto digest = blobs::sha256_of_file(file);
        ASSERT_TRUE(digest) << digest.error().message;
        EXPECT_EQ(digest->sha256, made.model.sha256);
        EXPECT_FALSE(std::filesystem::exists(file + ".part"));
        struct stat credentials {};
        ASSERT_EQ(::stat((cell.car_folder(car_name(car)) + "/car.creds").c_str(), &credentials), 0);
        EXPECT_EQ(credentials.st_mode & 077U, 0U);
    }
    EXPECT_EQ(cell.line().cuts(), cars * cuts_per_car);
    EXPECT_EQ(cell.line().flips(), 1);
    EXPECT_EQ(refusals(), 1) << "the flipped byte was refused once";
    std::printf(
        "%.1f MiB model, 4 cars: %d cuts, %d flipped byte refused, %.1f MiB over the line\n",
        static_cast<double>(made.model.bytes) / (1 << 20), cell.line().cuts(), refusals(),
        static_cast<double>(cell.line().bytes_down()) / (1 << 20));

    // ── an operator's words ──
    EXPECT_EQ(cell.call("POST", "/api/v1/vehicles/car-0/pause").status, 200);
    EXPECT_TRUE(says(0, core::Reason::paused_by_operator));
    EXPECT_EQ(cell.call("POST", "/api/v1/vehicles/car-0/resume").status, 200);
    EXPECT_TRUE(says(0, core::Reason::ok));
    EXPECT_EQ(cell.call("POST", "/api/v1/vehicles/car-1/drain").status, 200);
    EXPECT_TRUE(says(1, core::Reason::draining));
    EXPECT_EQ(cell.call("DELETE", "/api/v1/models/rollout").status, 200);
    EXPECT_TRUE(says(2, core::Reason::no_model));
    EXPECT_TRUE(cell.said("car-2").models.empty());
    EXPECT_EQ(cell.call("POST", "/api/v1/vehicles/car-3/revoke").status, 200);
    EXPECT_TRUE(cell.run_until(
        [&] {
            return cell.car_log("car-3").find("refuses these credentials") != std::string::npos;
        },
        patience));
}

TEST_F(ModelRollout, AnEnrolmentThatCannotBeSaysWhy) {
    const std::string state = cell.folder() + "/stranger";
    std::filesystem::create_directory(state);
    const std::string token_file = cell.folder() + "/wrong.token";
    std::ofstream(token_file) << "no such token";
    std::filesystem::permissions(token_file, std::filesystem::perms::owner_read);
    const auto wrong = cell.run_agent(
        {"enrol", "--coordinator", cell.url(), "--token-file", token_file, "--state", state});
    EXPECT_EQ(wrong.first, 1);
    EXPECT_NE(wrong.second.find("token"), std::string::npos) << wrong.second;
    EXPECT_FALSE(std::filesystem::exists(state + "/enrolment.json"));
    const auto far = cell.run_agent({"enrol", "--coordinator", "http://192.0.2.1:1", "--token-file",
                                     token_file, "--state", state});
    EXPECT_EQ(far.first, 2);
    EXPECT_NE(far.second.find("https"), std::string::npos) << far.second;
    const auto none =
        cell.run_agent({"--state", state, "--script", cell.folder() + "/script.toml"});
    EXPECT_EQ(none.first, 2);
    EXPECT_NE(none.second.find("belongs to no cell"), std::string::npos) << none.second;
}

}  // namespace
}  // namespace idlewatt::test
