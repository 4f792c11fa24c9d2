// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What the program is told: from flags, the environment, files and defaults, in this order. Hides
// toml++. A key that is not in the schema is an error which names file, line and the nearest right
// key; so is a value of the wrong type or out of range.
//
//   flag > environment > project file (--config) > user file > system files > default
//
// Files of strangers: bounded in size and depth. Blocks while files are read. Any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "config/schema.hpp"

namespace idlewatt::config {

inline constexpr std::size_t file_bytes_max = 256 * 1024;
inline constexpr std::size_t files_max = 64;
inline constexpr std::size_t value_bytes_max = 4096;
inline constexpr std::size_t list_entries_max = 64;
inline constexpr std::size_t secret_bytes_max = 16 * 1024;

// A later one wins.
enum class Origin { fallback, system, user, project, environment, flag };
[[nodiscard]] std::string_view name(Origin origin);

struct Value {
    std::string text;  // entries of a list are separated by commas
    Origin origin = Origin::fallback;
    std::string where;  // "/etc/idlewatt/idlewatt.toml:7", "IDLEWATT_URL", "--port"
};

using Environment = std::function<std::optional<std::string>(std::string_view name)>;

struct SourceFile {
    Origin origin = Origin::system;
    std::string path;
    bool must_exist = false;
};

// The files there may be, the weakest first: the system's (with conf.d in the order of the names),
// the user's, and the one that was named.
[[nodiscard]] std::vector<SourceFile> usual_files(const Environment& environment,
                                                  const std::string& named,
                                                  const std::string& system_folder);
inline constexpr std::string_view default_system_folder = "/etc/idlewatt";

class Settings {
public:
    Settings();  // all defaults

    // Each takes what is stronger than what is there; call them from the weakest to the strongest.
    [[nodiscard]] base::Result<void> read_file(const SourceFile& file);
    [[nodiscard]] base::Result<void> read_toml(std::string_view toml, Origin origin,
                                               const std::string& source);
    [[nodiscard]] base::Result<void> read_environment(const Environment& environment);
    [[nodiscard]] base::Result<void> set(std::string_view key, std::string text, Origin origin,
                                         std::string where);

    // The key is in the schema and of the type that is asked for; anything else is a bug.
    [[nodiscard]] const Value& value(std::string_view key) const;
    [[nodiscard]] const std::string& text(std::string_view key) const { return value(key).text; }
    [[nodiscard]] std::int64_t integer(std::string_view key) const;
    [[nodiscard]] bool boolean(std::string_view key) const;
    [[nodiscard]] std::vector<std::string> list(std::string_view key) const;
    // From the environment or the file that the setting names; nothing if neither is said. The
    // file's last line break is no part of it; a file that others may read is refused.
    [[nodiscard]] base::Result<std::optional<std::string>> secret(std::string_view key) const;

private:
    std::map<std::string, Value, std::less<>> values_;
    std::map<std::string, std::string, std::less<>> secrets_;  // from the environment
};

struct Sources {
    Environment environment;
    std::string named_file;  // --config; empty: none
    std::string system_folder{default_system_folder};
    std::map<std::string, std::string> flags{};  // by key
};
[[nodiscard]] base::Result<Settings> load(const Sources& sources);

}  // namespace idlewatt::config
