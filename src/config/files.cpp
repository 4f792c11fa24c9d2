// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Which files are read, and how: settings and secrets.
#include <algorithm>
#include <filesystem>
#include <fstream>

#include <sys/stat.h>

#include "base/assert.hpp"
#include "config/config.hpp"

namespace idlewatt::config {

namespace {

namespace fs = std::filesystem;
using base::ErrorKind;

// At most so many bytes and one more, so that the reader sees that there are too many.
base::Result<std::string> read_start(const std::string& path, std::size_t bytes_max) {
    std::error_code error;
    if (fs::is_directory(path, error))
        return base::fail(ErrorKind::bad_input, path + " is a folder; expected a file");
    std::ifstream file(path, std::ios::binary);
    if (!file)
        return base::fail_errno("cannot read " + path);
    std::string text(bytes_max + 1, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(file.gcount()));
    return text;
}

}  // namespace

std::vector<SourceFile> usual_files(const Environment& environment, const std::string& named,
                                    const std::string& system_folder) {
    std::vector<SourceFile> files{{Origin::system, system_folder + "/idlewatt.toml"}};
    std::vector<std::string> parts;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(system_folder + "/conf.d", error)) {
        if (entry.path().extension() == ".toml")
            parts.push_back(entry.path());
    }
    std::ranges::sort(parts);
    if (parts.size() > files_max)
        parts.resize(files_max);
    for (const std::string& part : parts)
        files.push_back({Origin::system, part});
    std::string user = environment("XDG_CONFIG_HOME").value_or("");
    if (user.empty()) {
        const std::string home = environment("HOME").value_or("");
        user = home.empty() ? "" : home + "/.config";
    }
    if (!user.empty())
        files.push_back({Origin::user, user + "/idlewatt/config.toml"});
    std::string project = named;
    if (project.empty())
        project = environment("IDLEWATT_CONFIG").value_or("");
    if (!project.empty())
        files.push_back({Origin::project, project, true});
    return files;
}

base::Result<void> Settings::read_file(const SourceFile& file) {
    std::error_code error;
    if (!file.must_exist && !fs::exists(file.path, error))
        return {};
    const auto text = read_start(file.path, file_bytes_max);
    if (!text)
        return tl::unexpected(text.error());
    return read_toml(*text, file.origin, file.path);
}

base::Result<std::optional<std::string>> Settings::secret(std::string_view key) const {
    const Setting* setting = find(key);
    IDLEWATT_ASSERT(setting != nullptr && setting->type == Type::secret_file);
    if (const auto found = secrets_.find(key); found != secrets_.end())
        return std::optional(found->second);
    const Value& path = value(key);
    if (path.text.empty())
        return std::optional<std::string>{};
    struct stat status {};
    if (stat(path.text.c_str(), &status) != 0)
        return base::fail_errno(std::string(key) + " (" + path.where + "): cannot read " +
                                path.text);
    if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return base::fail(ErrorKind::denied,
                          path.text + " can be read by others; do: chmod 600 " + path.text);
    }
    auto text = read_start(path.text, secret_bytes_max);
    if (!text)
        return tl::unexpected(text.error());
    if (text->size() > secret_bytes_max) {
        return base::fail(ErrorKind::bad_input, path.text + " has more than " +
                                                    std::to_string(secret_bytes_max) +
                                                    " bytes; expected a secret alone");
    }
    while (text->ends_with('\n') || text->ends_with('\r'))
        text->pop_back();
    return std::optional(std::move(*text));
}

}  // namespace idlewatt::config
