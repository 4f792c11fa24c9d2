// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "engine/gguf_reader.hpp"

#include <iterator>
#include <optional>

namespace idlewatt::engine {

namespace {

constexpr std::uint32_t magic = 0x46554747;  // "GGUF"
constexpr std::uint64_t key_bytes_max = 65'535;
constexpr std::uint64_t tensor_name_bytes_max = 256;
constexpr std::uint32_t dimensions_max = 8;
constexpr std::uint32_t version_min = 2;  // version 1 had 32-bit lengths
constexpr std::uint32_t version_max = 3;
constexpr std::uint32_t type_list = 9;

// Of the scalar types 0..12; 0 for those that have no fixed size or do not exist.
std::uint64_t bytes_of(std::uint32_t type) {
    constexpr std::uint64_t sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    return type < std::size(sizes) ? sizes[type] : 0;
}

bool skip_value(GgufReader& reader, std::uint32_t type) {
    if (type == gguf_type_string) {
        reader.skip(reader.u64());
        return reader.good();
    }
    if (type != type_list) {
        reader.skip(bytes_of(type));
        return bytes_of(type) != 0 && reader.good();
    }
    const std::uint32_t element = reader.u32();
    const std::uint64_t count = reader.u64();
    if (count > gguf_header_bytes_max)
        return false;
    if (element == gguf_type_string) {
        for (std::uint64_t i = 0; i < count && reader.good(); ++i)
            reader.skip(reader.u64());
        return reader.good();
    }
    reader.skip(count * bytes_of(element));
    return bytes_of(element) != 0 && reader.good();
}

// The product of the dimensions; nothing: damaged.
std::optional<std::uint64_t> read_tensor(GgufReader& reader) {
    static_cast<void>(reader.text(tensor_name_bytes_max));
    const std::uint32_t dimensions = reader.u32();
    if (!reader.good() || dimensions > dimensions_max)
        return std::nullopt;
    std::uint64_t values = 1;
    for (std::uint32_t i = 0; i < dimensions; ++i) {
        if (__builtin_mul_overflow(values, reader.u64(), &values))
            return std::nullopt;
    }
    reader.skip(sizeof(std::uint32_t) + sizeof(std::uint64_t));  // type and place
    if (!reader.good())
        return std::nullopt;
    return values;
}

}  // namespace

bool GgufReader::take(std::uint64_t bytes) {
    over_ = over_ || bytes > gguf_header_bytes_max || taken_ + bytes > gguf_header_bytes_max;
    if (!over_)
        taken_ += bytes;
    return good();
}

std::uint32_t GgufReader::u32() {
    std::uint32_t value = 0;
    if (take(sizeof value))
        file_.read(reinterpret_cast<char*>(&value), sizeof value);
    return good() ? value : 0;
}

std::uint64_t GgufReader::u64() {
    std::uint64_t value = 0;
    if (take(sizeof value))
        file_.read(reinterpret_cast<char*>(&value), sizeof value);
    return good() ? value : 0;
}

std::string GgufReader::text(std::uint64_t bytes_max) {
    const std::uint64_t size = u64();
    if (size > bytes_max) {
        over_ = true;
        return {};
    }
    std::string value(size, '\0');
    if (take(size))
        file_.read(value.data(), static_cast<std::streamsize>(size));
    return value;
}

void GgufReader::skip(std::uint64_t bytes) {
    if (take(bytes))
        file_.seekg(static_cast<std::streamoff>(bytes), std::ios::cur);
}

base::Result<void> walk_gguf(const std::string& path, const GgufVisitor& visitor) {
    const auto damaged = [&path](const char* what) {
        return base::fail(base::ErrorKind::bad_input,
                          "'" + path + "' " + what + "; expected a model in GGUF format");
    };
    GgufReader reader(path);
    if (!reader.good())
        return base::fail_errno("cannot read the model '" + path + "'");
    if (reader.u32() != magic)
        return damaged("does not begin with GGUF");
    const std::uint32_t version = reader.u32();
    if (version < version_min || version > version_max)
        return damaged("has a format version that is not known");
    const std::uint64_t tensors = reader.u64();
    const std::uint64_t entries = reader.u64();
    if (!reader.good() || entries > gguf_entries_max || tensors > gguf_entries_max)
        return damaged("has a damaged header");
    for (std::uint64_t i = 0; i < entries; ++i) {
        const std::string key = reader.text(key_bytes_max);
        const std::uint32_t type = reader.u32();
        const GgufStep step = reader.good() ? visitor.on_entry(key, type, reader) : GgufStep::skip;
        if (!reader.good() || (step == GgufStep::skip && !skip_value(reader, type)))
            return damaged("has a damaged header");
        if (step == GgufStep::stop)
            return {};
    }
    for (std::uint64_t i = 0; visitor.on_tensor && i < tensors; ++i) {
        const auto values = read_tensor(reader);
        if (!values)
            return damaged("has a damaged list of tensors");
        visitor.on_tensor(*values);
    }
    return {};
}

}  // namespace idlewatt::engine
