// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "config/config.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "config/document.hpp"

namespace idlewatt::config {
namespace {

namespace fs = std::filesystem;

class ConfigTest : public testing::Test {
protected:
    void SetUp() override {
        std::string name = fs::temp_directory_path() / "idlewatt-config-XXXXXX";
        ASSERT_NE(mkdtemp(name.data()), nullptr);
        folder_ = name;
        sources_.system_folder = folder_ + "/etc";
        sources_.environment = [this](std::string_view key) -> std::optional<std::string> {
            const auto found = environment_.find(key);
            if (found == environment_.end())
                return std::nullopt;
            return found->second;
        };
        environment_["XDG_CONFIG_HOME"] = folder_ + "/home";
    }
    void TearDown() override { fs::remove_all(folder_); }

    std::string write(const std::string& name, const std::string& text, int mode = 0600) {
        const std::string path = folder_ + "/" + name;
        fs::create_directories(fs::path(path).parent_path());
        std::ofstream(path) << text;
        chmod(path.c_str(), static_cast<mode_t>(mode));
        return path;
    }

    std::string folder_;
    std::map<std::string, std::string, std::less<>> environment_;
    Sources sources_;
};

std::string error_of(std::string_view toml) {
    Settings settings;
    const auto read = settings.read_toml(toml, Origin::project, "t.toml");
    return read ? "" : read.error().message;
}

TEST(ConfigSchema, holds_together) {
    std::set<std::string_view> keys;
    std::set<std::string_view> variables;
    std::set<std::pair<std::string, Role>> flags;
    for (const Setting& setting : schema()) {
        EXPECT_TRUE(keys.insert(setting.key).second) << setting.key;
        EXPECT_TRUE(variables.insert(setting.environment).second) << setting.environment;
        EXPECT_TRUE(setting.environment.starts_with("IDLEWATT_")) << setting.key;
        EXPECT_FALSE(setting.help.empty() || setting.help.ends_with('.')) << setting.key;
        EXPECT_EQ(setting.flag.empty(), setting.roles == 0) << setting.key;
        EXPECT_EQ(setting.type == Type::integer, setting.max > 0) << setting.key;
        EXPECT_TRUE(setting.type != Type::secret_file || setting.key.ends_with("_file"));
        EXPECT_TRUE(find(setting.key) == &setting);
        const auto table = setting.key.substr(0, setting.key.find('.'));
        EXPECT_TRUE(std::ranges::any_of(tables(), [&](const Table& t) { return t.name == table; }));
        for (const Role role : {Role::gateway, Role::coordinator, Role::agent, Role::up}) {
            if (setting.is_for(role)) {
                EXPECT_TRUE(flags.insert({std::string(setting.flag), role}).second) << setting.key;
            }
        }
        Settings settings;
        const auto set =
            settings.set(setting.key, std::string(setting.fallback), Origin::environment, "here");
        EXPECT_TRUE(set) << setting.key << ": a default that is refused";
    }
    EXPECT_EQ(find("gateway.prot"), nullptr);
}

TEST(ConfigToml, says_what_is_wrong_and_where) {
    EXPECT_EQ(error_of("[gateway]\nprot = 1\n"),
              "t.toml:2: unknown key 'gateway.prot'; the nearest right key is 'gateway.port'");
    EXPECT_EQ(error_of("listen = \"::1\"\n"),
              "t.toml:1: unknown key 'listen'; the nearest right key is 'gateway.listen'");
    EXPECT_EQ(error_of("[gatway]\n"),
              "t.toml:1: unknown key 'gatway'; the nearest right key is 'gateway.name'");
    EXPECT_EQ(error_of("\n[gateway]\nport = \"8080\"\n"),
              "t.toml:3: gateway.port must be an integer");
    EXPECT_EQ(error_of("[gateway]\nport = 70000\n"),
              "t.toml:2: gateway.port is '70000'; expected an integer from 0 to 65535");
    EXPECT_EQ(error_of("[log]\nverbose = 1\n"), "t.toml:2: log.verbose must be true or false");
    EXPECT_EQ(error_of("[cell]\nnats = [1, 2]\n"), "t.toml:2: cell.nats must be a list of texts");
    EXPECT_EQ(error_of("[gateway.tls]\nkey = 1\n").substr(0, 36),
              "t.toml:1: unknown key 'gateway.tls';");
    EXPECT_NE(error_of("[gateway\n").find("t.toml:1: not TOML"), std::string::npos);
    EXPECT_NE(error_of(std::string(file_bytes_max + 1, '#')).find("more than"), std::string::npos);
    // The first line that is wrong, not the first in the order of the alphabet.
    EXPECT_EQ(error_of("[up]\nzzz = 1\n[agent]\naaa = 2\n").substr(0, 8), "t.toml:2");
}

TEST_F(ConfigTest, stronger_sources_win) {
    write("etc/idlewatt.toml", "[gateway]\nport = 1\nlisten = \"127.0.0.2\"\n");
    write("etc/conf.d/10-a.toml", "[gateway]\nport = 2\n");
    write("etc/conf.d/20-b.toml", "[gateway]\nport = 3\n");
    write("etc/conf.d/30-c.bak", "[gateway]\nport = 33\n");
    auto settings = load(sources_);
    ASSERT_TRUE(settings) << settings.error().message;
    EXPECT_EQ(settings->integer("gateway.port"), 3);
    EXPECT_EQ(settings->value("gateway.port").where, folder_ + "/etc/conf.d/20-b.toml:2");
    EXPECT_EQ(settings->value("gateway.listen").origin, Origin::system);
    EXPECT_EQ(settings->value("cell.name").origin, Origin::fallback);

    write("home/idlewatt/config.toml", "[gateway]\nport = 4\n");
    settings = load(sources_);
    EXPECT_EQ(settings->integer("gateway.port"), 4);
    EXPECT_EQ(settings->value("gateway.port").origin, Origin::user);

    sources_.named_file = write("here.toml", "[gateway]\nport = 5\n");
    EXPECT_EQ(load(sources_)->integer("gateway.port"), 5);
    environment_["IDLEWATT_GATEWAY_PORT"] = "6";
    EXPECT_EQ(load(sources_)->integer("gateway.port"), 6);
    sources_.flags["gateway.port"] = "7";
    settings = load(sources_);
    EXPECT_EQ(settings->integer("gateway.port"), 7);
    EXPECT_EQ(settings->value("gateway.port").where, "--port");
}

TEST_F(ConfigTest, what_is_wrong_names_its_source) {
    environment_["IDLEWATT_UP_VEHICLES"] = "many";
    const auto settings = load(sources_);
    ASSERT_FALSE(settings);
    EXPECT_EQ(settings.error().message,
              "IDLEWATT_UP_VEHICLES: up.vehicles is 'many'; expected an integer from 1 to 64");
    environment_.clear();
    sources_.named_file = folder_ + "/absent.toml";
    EXPECT_FALSE(load(sources_));
}

TEST_F(ConfigTest, lists_are_arrays_or_commas) {
    sources_.named_file =
        write("a.toml", "[cell]\nnats = [\"nats://a:4222\", \"nats://b:4222\"]\n");
    const std::vector<std::string> expected{"nats://a:4222", "nats://b:4222"};
    EXPECT_EQ(load(sources_)->list("cell.nats"), expected);
    environment_["IDLEWATT_NATS_URL"] = "nats://c:1 , nats://d:2,";
    EXPECT_EQ(load(sources_)->list("cell.nats").size(), 2U);
}

TEST_F(ConfigTest, secrets_come_from_files_or_the_environment) {
    EXPECT_EQ(load(sources_)->secret("client.api_key_file")->has_value(), false);
    const std::string path = write("key", "iw-secret\n");
    environment_["IDLEWATT_API_KEY_FILE"] = path;
    auto settings = load(sources_);
    EXPECT_EQ(settings->secret("client.api_key_file")->value(), "iw-secret");
    chmod(path.c_str(), 0644);
    EXPECT_EQ(settings->secret("client.api_key_file").error().message,
              path + " can be read by others; do: chmod 600 " + path);
    environment_["IDLEWATT_API_KEY"] = "from the environment";
    settings = load(sources_);
    EXPECT_EQ(settings->secret("client.api_key_file")->value(), "from the environment");
    EXPECT_EQ(settings->text("client.api_key_file"), "");
    environment_["IDLEWATT_API_KEY"] = "two\nlines";
    EXPECT_FALSE(load(sources_));
}

TEST(ConfigDocument, the_example_is_a_file_of_defaults) {
    const std::string example = example_file();
    EXPECT_EQ(error_of(example), "");
    // With all keys switched on it says the same.
    std::string all = example;
    for (const Setting& setting : schema()) {
        const std::string line =
            "\n#" + std::string(setting.key.substr(setting.key.find('.') + 1)) + " = ";
        const std::size_t at = all.find(line);
        ASSERT_NE(at, std::string::npos) << setting.key;
        all.erase(at + 1, 1);
    }
    Settings settings;
    const auto read = settings.read_toml(all, Origin::project, "all");
    ASSERT_TRUE(read) << read.error().message;
    for (const Setting& setting : schema()) {
        EXPECT_EQ(settings.text(setting.key), setting.fallback) << setting.key;
        EXPECT_EQ(settings.value(setting.key).origin, Origin::project) << setting.key;
    }
}

TEST(ConfigDocument, the_manual_names_every_setting) {
    const std::string page = manual_page("1.2.3");
    for (const Setting& setting : schema())
        EXPECT_NE(page.find(setting.environment), std::string::npos) << setting.key;
    for (std::size_t at = 0; at < page.size(); ++at) {
        EXPECT_TRUE(static_cast<unsigned char>(page[at]) < 0x80 || page[at - 1] != '\n');
        at = std::min(page.find('\n', at), page.size());
    }
}

}  // namespace
}  // namespace idlewatt::config
