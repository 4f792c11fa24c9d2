// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "agent/enrolment.hpp"

#include <filesystem>
#include <fstream>

#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

namespace idlewatt::agent {
namespace {

constexpr base::WallTime now{1'790'000'000'000'000};

class EnrolmentTest : public testing::Test {
protected:
    EnrolmentTest() {
        std::string pattern = std::filesystem::temp_directory_path() / "idlewatt-enrol-XXXXXX";
        path = ::mkdtemp(pattern.data());
    }
    ~EnrolmentTest() override { std::filesystem::remove_all(path); }

    [[nodiscard]] std::string jwt(base::WallTime from, base::Duration life) const {
        return identity::mint_user_jwt(account, folder().key()->public_key(), "car-7", {}, from,
                                       from + life, identity::vehicle_tag);
    }
    [[nodiscard]] wire::EnrolAnswer answer() const {
        wire::EnrolAnswer made;
        made.vehicle = core::VehicleId("car-7");
        made.cell = "c1";
        made.nats_urls = {"nats://127.0.0.1:4222", "nats://127.0.0.1:4223"};
        made.user_jwt = jwt(now, base::minutes(60));
        made.membership = "iwm1.first";
        made.account_public_key = account.public_key();
        made.expires_at = now + base::minutes(60);
        return made;
    }
    [[nodiscard]] EnrolmentFolder folder() const { return EnrolmentFolder(path); }

    std::string path;
    identity::KeyPair account = identity::KeyPair::for_test(identity::KeyKind::account, 1);
};

TEST_F(EnrolmentTest, KeepsWhatACarNeedsForItsOwnerAlone) {
    EXPECT_FALSE(*folder().read());
    const std::string key = folder().key()->public_key();
    EXPECT_EQ(folder().key()->public_key(), key) << "made once";
    ASSERT_TRUE(folder().keep(answer(), "https://cell.example"));
    const auto enrolment = folder().read();
    ASSERT_TRUE(enrolment && *enrolment);
    EXPECT_EQ((*enrolment)->vehicle.value, "car-7");
    EXPECT_EQ((*enrolment)->nats_urls.size(), 2U);
    EXPECT_EQ((*enrolment)->coordinator_url, "https://cell.example");
    EXPECT_EQ(folder().membership(), "iwm1.first");
    EXPECT_EQ(*folder().user_jwt(), answer().user_jwt);
    const auto life = folder().life(**enrolment, now + base::minutes(1));
    ASSERT_TRUE(life && *life);
    EXPECT_EQ((*life)->expires_at, now + base::minutes(60));
    for (const auto& file : std::filesystem::directory_iterator(path)) {
        struct stat found {};
        ASSERT_EQ(::stat(file.path().c_str(), &found), 0);
        EXPECT_EQ(found.st_mode & 077U, 0U) << file.path();
    }
}

TEST_F(EnrolmentTest, ARenewalReplacesCredentialsAndMembershipAndKeepsTheKey) {
    ASSERT_TRUE(folder().keep(answer(), "https://cell.example"));
    const std::string key = folder().key()->public_key();
    const base::WallTime later = now + base::minutes(30);
    ASSERT_TRUE(folder().keep(wire::Renewal{jwt(later, base::minutes(60)), "iwm1.second", {}}));
    const auto enrolment = folder().read();
    ASSERT_TRUE(enrolment && *enrolment);
    EXPECT_EQ(folder().life(**enrolment, now + base::minutes(70)).value()->issued_at, later);
    EXPECT_EQ(folder().membership(), "iwm1.second");
    EXPECT_EQ(folder().key()->public_key(), key);
    const auto ended = folder().life(**enrolment, now + base::minutes(91));
    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().kind, base::ErrorKind::denied);
}

TEST_F(EnrolmentTest, SaysWhichFileIsDamaged) {
    ASSERT_TRUE(folder().keep(answer(), "https://cell.example"));
    for (const char* text : {"", "{", "[]", R"({"vehicle":"../x","cell":"c1","nats_urls":["n"]})",
                             R"({"vehicle":"a","cell":"c1","nats_urls":[]})"}) {
        std::ofstream(path + "/enrolment.json", std::ios::trunc) << text;
        const auto read = folder().read();
        ASSERT_FALSE(read) << text;
        EXPECT_EQ(read.error().kind, base::ErrorKind::bad_input);
    }
    std::ofstream(path + "/car.seed", std::ios::trunc) << "not a seed";
    EXPECT_FALSE(folder().key()) << "a damaged key is not silently replaced";
}

}  // namespace
}  // namespace idlewatt::agent
