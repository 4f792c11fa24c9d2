// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "engine/gguf_file_type.hpp"

#include <fstream>
#include <optional>

namespace idlewatt::engine {

namespace {

constexpr std::uint64_t key_bytes_max = 65'535;
constexpr std::uint32_t version_min = 2;  // version 1 had 32-bit lengths
constexpr std::uint32_t version_max = 3;
constexpr std::uint32_t type_u32 = 4;
constexpr std::uint32_t type_string = 8;
constexpr std::uint32_t type_array = 9;

// Little-endian, as nearly all GGUF files are and as this program writes them.
class Reader {
public:
    explicit Reader(const std::string& path) : file_(path, std::ios::binary) {}

    [[nodiscard]] bool good() const { return file_.good() && !over_; }

    template <class T>
    T number() {
        T value{};
        take(sizeof value);
        if (good())
            file_.read(reinterpret_cast<char*>(&value), sizeof value);
        return good() ? value : T{};
    }

    std::string text(std::uint64_t bytes_max) {
        const auto size = number<std::uint64_t>();
        if (size > bytes_max) {
            over_ = true;
            return {};
        }
        take(size);
        std::string value(size, '\0');
        if (good())
            file_.read(value.data(), static_cast<std::streamsize>(size));
        return value;
    }

    void skip(std::uint64_t bytes) {
        take(bytes);
        if (good())
            file_.seekg(static_cast<std::streamoff>(bytes), std::ios::cur);
    }

private:
    void take(std::uint64_t bytes) {
        over_ = over_ || bytes > gguf_header_bytes_max || taken_ + bytes > gguf_header_bytes_max;
        if (!over_)
            taken_ += bytes;
    }

    std::ifstream file_;
    std::uint64_t taken_ = 0;
    bool over_ = false;
};

// Of the scalar types 0..12; 0 for those that have no fixed size or do not exist.
std::uint64_t bytes_of(std::uint32_t type) {
    constexpr std::uint64_t sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    return type < std::size(sizes) ? sizes[type] : 0;
}

bool skip_value(Reader& reader, std::uint32_t type) {
    if (type == type_string) {
        reader.skip(reader.number<std::uint64_t>());
        return reader.good();
    }
    if (type != type_array) {
        reader.skip(bytes_of(type));
        return bytes_of(type) != 0 && reader.good();
    }
    const auto element = reader.number<std::uint32_t>();
    const auto count = reader.number<std::uint64_t>();
    if (count > gguf_header_bytes_max)
        return false;
    if (element == type_string) {
        for (std::uint64_t i = 0; i < count && reader.good(); ++i) {
            reader.skip(reader.number<std::uint64_t>());
        }
        return reader.good();
    }
    reader.skip(count * bytes_of(element));
    return bytes_of(element) != 0 && reader.good();
}

// Calls take(key, type, reader) for each entry until it returns true, having read the value; else
// the value is skipped.
template <class Take>
base::Result<void> walk_entries(const std::string& path, Take take) {
    const auto damaged = [&path](const char* what) {
        return base::fail(base::ErrorKind::bad_input,
                          "'" + path + "' " + what + "; expected a model in GGUF format");
    };
    Reader reader(path);
    if (!reader.good())
        return base::fail_errno("cannot read the model '" + path + "'");
    if (reader.number<std::uint32_t>() != 0x46554747)  // "GGUF"
        return damaged("does not begin with GGUF");
    const auto version = reader.number<std::uint32_t>();
    if (version < version_min || version > version_max)
        return damaged("has a format version that is not known");
    reader.skip(sizeof(std::uint64_t));  // number of tensors
    const auto entries = reader.number<std::uint64_t>();
    if (!reader.good() || entries > gguf_entries_max)
        return damaged("has a damaged header");
    for (std::uint64_t i = 0; i < entries; ++i) {
        const std::string key = reader.text(key_bytes_max);
        const auto type = reader.number<std::uint32_t>();
        if (reader.good() && take(key, type, reader))
            return {};
        if (!skip_value(reader, type))
            return damaged("has a damaged header");
    }
    return {};
}

}  // namespace

base::Result<FileType> read_file_type(const std::string& path) {
    FileType found = FileType::other;
    const auto walked =
        walk_entries(path, [&found](const std::string& key, std::uint32_t type, Reader& reader) {
            if (key != "general.file_type" || type != type_u32)
                return false;
            const auto value = reader.number<std::uint32_t>();
            found = value == 0 ? FileType::f32 : value == 1 ? FileType::f16 : FileType::other;
            return true;
        });
    if (!walked)
        return tl::unexpected<base::Error>(walked.error());
    return found;
}

bool names_pooling(const std::string& path) {
    bool found = false;
    const auto walked =
        walk_entries(path, [&found](const std::string& key, std::uint32_t, Reader&) {
            found = key.ends_with(".pooling_type");
            // The architecture's entries stand before the long lists of the tokeniser.
            return found || key.starts_with("tokenizer.");
        });
    return walked && found;
}

}  // namespace idlewatt::engine
