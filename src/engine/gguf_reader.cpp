// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "engine/gguf_reader.hpp"

#include <algorithm>
#include <bit>
#include <filesystem>
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
constexpr std::uint32_t alignment_default = 32;

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

// How many values of a type (ggml_type) stand together, in how many bytes.
struct Block {
    std::uint32_t type = 0;
    std::uint32_t values = 0;
    std::uint32_t bytes = 0;
};
constexpr Block value_blocks[] = {
    {0, 1, 4},      {1, 1, 2},      {2, 32, 18},   {3, 32, 20},    {6, 32, 22},    {7, 32, 24},
    {8, 32, 34},    {9, 32, 36},    {10, 256, 84}, {11, 256, 110}, {12, 256, 144}, {13, 256, 176},
    {14, 256, 210}, {15, 256, 292}, {16, 256, 66}, {17, 256, 74},  {18, 256, 98},  {19, 256, 50},
    {20, 32, 18},   {21, 256, 110}, {22, 256, 82}, {23, 256, 136}, {24, 1, 1},     {25, 1, 2},
    {26, 1, 4},     {27, 1, 8},     {28, 1, 8},    {29, 256, 56},  {30, 1, 2},     {34, 256, 54},
    {35, 256, 66},  {39, 32, 17},   {40, 64, 36},  {41, 128, 18}};

struct TensorPlace {
    std::uint64_t values = 0;  // the product of the dimensions
    std::uint64_t end = 0;     // behind its last byte, from where the data begins
};

// Of a type that is not known, only where it begins.
std::optional<std::uint64_t> end_of_tensor(std::uint64_t values, std::uint32_t type,
                                           std::uint64_t offset) {
    const auto* const block = std::ranges::find(value_blocks, type, &Block::type);
    if (block == std::end(value_blocks))
        return offset;
    const std::uint64_t whole = values / block->values + (values % block->values != 0 ? 1 : 0);
    std::uint64_t end = 0;
    if (__builtin_mul_overflow(whole, std::uint64_t{block->bytes}, &end) ||
        __builtin_add_overflow(end, offset, &end))
        return std::nullopt;
    return end;
}

// Nothing: damaged.
std::optional<TensorPlace> read_tensor(GgufReader& reader) {
    static_cast<void>(reader.text(tensor_name_bytes_max));
    const std::uint32_t dimensions = reader.u32();
    if (!reader.good() || dimensions > dimensions_max)
        return std::nullopt;
    std::uint64_t values = 1;
    for (std::uint32_t i = 0; i < dimensions; ++i) {
        if (__builtin_mul_overflow(values, reader.u64(), &values))
            return std::nullopt;
    }
    const std::uint32_t type = reader.u32();
    const std::uint64_t offset = reader.u64();
    const auto end = end_of_tensor(values, type, offset);
    if (!reader.good() || !end)
        return std::nullopt;
    return TensorPlace{values, *end};
}

// data_bytes: from the first tensor to behind the last one.
base::Result<void> check_size(const std::string& path, std::uint64_t header_bytes,
                              std::uint64_t alignment, std::uint64_t data_bytes) {
    std::error_code error;
    const std::uint64_t size = std::filesystem::file_size(path, error);
    if (error) {
        return base::fail(base::ErrorKind::io,
                          "cannot read the model '" + path + "': " + error.message());
    }
    const std::uint64_t begin = (header_bytes + alignment - 1) / alignment * alignment;
    if (data_bytes == 0 || (begin <= size && data_bytes <= size - begin))
        return {};
    return base::fail(base::ErrorKind::bad_input,
                      "'" + path + "' is cut off or damaged: it has " + std::to_string(size) +
                          " bytes, but by its own list of tensors " + std::to_string(data_bytes) +
                          " bytes must follow byte " + std::to_string(begin) +
                          "; copy or download it again");
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
    std::uint32_t alignment = alignment_default;
    for (std::uint64_t i = 0; i < entries; ++i) {
        const std::string key = reader.text(key_bytes_max);
        const std::uint32_t type = reader.u32();
        if (key == "general.alignment" && type == gguf_type_u32) {
            alignment = reader.u32();
            if (!std::has_single_bit(alignment))
                return damaged("has a damaged header");
            continue;
        }
        const GgufStep step = reader.good() ? visitor.on_entry(key, type, reader) : GgufStep::skip;
        if (!reader.good() || (step == GgufStep::skip && !skip_value(reader, type)))
            return damaged("has a damaged header");
        if (step == GgufStep::stop)
            return {};
    }
    if (!visitor.on_tensor)
        return {};
    std::uint64_t data_bytes = 0;
    for (std::uint64_t i = 0; i < tensors; ++i) {
        const auto tensor = read_tensor(reader);
        if (!tensor)
            return damaged("has a damaged list of tensors");
        data_bytes = std::max(data_bytes, tensor->end);
        visitor.on_tensor(tensor->values);
    }
    return check_size(path, reader.bytes_read(), alignment, data_bytes);
}

}  // namespace idlewatt::engine
