// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Configuration files: settings of their types and within their bounds, or an error that names the
// file.
#include "config/config.hpp"
#include "fuzz.hpp"

namespace idlewatt::fuzz {

namespace {

void check_settings(const config::Settings& settings) {
    for (const config::Setting& setting : config::schema()) {
        const std::string& text = settings.text(setting.key);
        switch (setting.type) {
            case config::Type::integer: {
                const std::int64_t value = settings.integer(setting.key);
                require(value >= setting.min && value <= setting.max, "a number in its range");
                break;
            }
            case config::Type::boolean:
                static_cast<void>(settings.boolean(setting.key));
                break;
            case config::Type::list:
                require(settings.list(setting.key).size() <= config::list_entries_max,
                        "a list is bounded");
                break;
            default:
                require(text.size() <= config::value_bytes_max, "a text is bounded");
                require(text.find('\n') == text.npos, "a text is one line");
        }
    }
}

}  // namespace

bool one_input(std::string_view bytes) {
    config::Settings settings;
    const auto read = settings.read_toml(bytes, config::Origin::project, "a.toml");
    require(read || (read.error().message.find("a.toml") != std::string::npos &&
                     read.error().message.size() < 1000),
            "a short error names the file");
    check_settings(settings);
    return read.has_value();
}

std::vector<std::string> seeds() {
    return {"# nothing\n",
            "[cell]\nname = \"c1\"\nnats = [\"nats://a:1\", 'tls://b:2']\n"
            "[log]\nverbose = true\n[client]\nurl = \"http://127.0.0.1:8080\"\n"
            "ca_file = \"/a\"\n",
            "cell.name = \"c\\u0031\"\n[log]\nverbose = false # quiet\n",
            "[gateway]\nport = 8_080\nlisten = '::1'\ninsecure = true\nallow_origins = [\"*\"]\n"
            "[coordinator]\nport = 0x1F\nstore = 'a.db'\n[up]\nvehicles = 2\n"};
}

}  // namespace idlewatt::fuzz
