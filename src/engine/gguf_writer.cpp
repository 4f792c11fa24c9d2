// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "engine/gguf_writer.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "base/assert.hpp"

namespace idlewatt::engine {

namespace {

constexpr std::uint32_t gguf_version = 3;
constexpr std::uint64_t alignment_bytes = 32;
constexpr std::size_t q8_0_block = 32;
constexpr std::size_t q8_0_block_bytes = 34;

enum Type : std::uint32_t {
    type_u32 = 4,
    type_i32 = 5,
    type_f32 = 6,
    type_bool = 7,
    type_string = 8,
    type_array = 9
};

template <class T>
void put(std::string& out, T value) {
    static_assert(std::endian::native == std::endian::little);
    char raw[sizeof value];
    std::memcpy(raw, &value, sizeof value);
    out.append(raw, sizeof value);
}

void put_text(std::string& out, std::string_view text) {
    put(out, static_cast<std::uint64_t>(text.size()));
    out.append(text);
}

std::uint64_t padded(std::uint64_t bytes) {
    return (bytes + alignment_bytes - 1) / alignment_bytes * alignment_bytes;
}

std::uint32_t tensor_type(WeightType type) {
    switch (type) {
        case WeightType::f32:
            return 0;
        case WeightType::f16:
            return 1;
        case WeightType::q8_0:
            return 8;
    }
    return 0;
}

// Round to nearest, ties to even.
std::uint16_t to_half(float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000U);
    const std::int32_t exponent = static_cast<std::int32_t>((bits >> 23) & 0xffU) - 127 + 15;
    std::uint32_t mantissa = bits & 0x7fffffU;
    if (exponent >= 31)
        return sign | 0x7c00U;
    if (exponent < -10)
        return sign;
    const int shift = exponent > 0 ? 13 : 14 - exponent;
    if (exponent <= 0)
        mantissa |= 0x800000U;
    std::uint32_t half = mantissa >> shift;
    if (exponent > 0)
        half += static_cast<std::uint32_t>(exponent) << 10;
    const std::uint32_t rest = mantissa & ((1U << shift) - 1);
    const std::uint32_t middle = 1U << (shift - 1);
    if (rest > middle || (rest == middle && (half & 1U) != 0))
        ++half;
    return static_cast<std::uint16_t>(sign | half);
}

void encode_q8_0(std::span<const float> row, std::string& out) {
    IDLEWATT_ASSERT(row.size() % q8_0_block == 0);
    for (std::size_t begin = 0; begin < row.size(); begin += q8_0_block) {
        const auto block = row.subspan(begin, q8_0_block);
        float largest = 0.0F;
        for (const float value : block)
            largest = std::max(largest, std::fabs(value));
        const float scale = largest / 127.0F;
        put(out, to_half(scale));
        for (const float value : block) {
            const float quotient = scale > 0.0F ? value / scale : 0.0F;
            put(out, static_cast<std::int8_t>(std::lround(std::clamp(quotient, -127.0F, 127.0F))));
        }
    }
}

}  // namespace

void GgufHead::begin(std::string_view key, std::uint32_t type) {
    put_text(values_, key);
    put(values_, type);
    ++value_count_;
}

void GgufHead::begin_array(std::string_view key, std::uint32_t type, std::uint64_t count) {
    begin(key, type_array);
    put(values_, type);
    put(values_, count);
}

void GgufHead::add(std::string_view key, std::uint32_t value) {
    begin(key, type_u32);
    put(values_, value);
}

void GgufHead::add(std::string_view key, float value) {
    begin(key, type_f32);
    put(values_, value);
}

void GgufHead::add(std::string_view key, bool value) {
    begin(key, type_bool);
    put(values_, static_cast<std::uint8_t>(value ? 1 : 0));
}

void GgufHead::add(std::string_view key, std::string_view value) {
    begin(key, type_string);
    put_text(values_, value);
}

void GgufHead::add(std::string_view key, const std::vector<std::string>& values) {
    begin_array(key, type_string, values.size());
    for (const std::string& value : values)
        put_text(values_, value);
}

void GgufHead::add(std::string_view key, const std::vector<float>& values) {
    begin_array(key, type_f32, values.size());
    for (const float value : values)
        put(values_, value);
}

void GgufHead::add(std::string_view key, const std::vector<std::int32_t>& values) {
    begin_array(key, type_i32, values.size());
    for (const std::int32_t value : values)
        put(values_, value);
}

void GgufHead::add_tensor(std::string_view name, std::uint64_t columns, std::uint64_t rows,
                          WeightType type) {
    put_text(tensors_, name);
    put(tensors_, static_cast<std::uint32_t>(rows == 1 ? 1 : 2));
    put(tensors_, columns);
    if (rows != 1)
        put(tensors_, rows);
    put(tensors_, tensor_type(type));
    put(tensors_, offset_);
    offset_ += padded(tensor_bytes(columns, rows, type));
    ++tensor_count_;
}

std::string GgufHead::bytes() const {
    std::string all = "GGUF";
    put(all, gguf_version);
    put(all, tensor_count_);
    put(all, value_count_);
    all += values_;
    all += tensors_;
    all.resize(padded(all.size()), '\0');
    return all;
}

void encode_row(std::span<const float> row, WeightType type, std::string& out) {
    switch (type) {
        case WeightType::f32:
            for (const float value : row)
                put(out, value);
            return;
        case WeightType::f16:
            for (const float value : row)
                put(out, to_half(value));
            return;
        case WeightType::q8_0:
            encode_q8_0(row, out);
            return;
    }
}

void pad_tensor(std::string& out, std::uint64_t tensor_bytes) {
    out.append(padded(tensor_bytes) - tensor_bytes, '\0');
}

std::uint64_t tensor_bytes(std::uint64_t columns, std::uint64_t rows, WeightType type) {
    switch (type) {
        case WeightType::f32:
            return columns * rows * 4;
        case WeightType::f16:
            return columns * rows * 2;
        case WeightType::q8_0:
            return columns * rows / q8_0_block * q8_0_block_bytes;
    }
    return 0;
}

}  // namespace idlewatt::engine
