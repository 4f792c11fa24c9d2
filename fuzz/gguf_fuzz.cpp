// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Heads of model files: read within limits, or an error.
#include <cstdint>

#include <sys/mman.h>
#include <unistd.h>

#include "engine/gguf_file_type.hpp"
#include "engine/gguf_writer.hpp"
#include "engine/model_header.hpp"
#include "fuzz.hpp"

namespace idlewatt::fuzz {

namespace {

// A file in memory, by a path, because models are read by path.
class MemoryFile {
public:
    explicit MemoryFile(std::string_view bytes) : descriptor_(memfd_create("gguf", MFD_CLOEXEC)) {
        require(descriptor_ >= 0, "a file in memory");
        require(
            write(descriptor_, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()),
            "is written");
    }
    ~MemoryFile() { close(descriptor_); }
    MemoryFile(const MemoryFile&) = delete;
    MemoryFile& operator=(const MemoryFile&) = delete;

    [[nodiscard]] std::string path() const {
        return "/proc/self/fd/" + std::to_string(descriptor_);
    }

private:
    int descriptor_;
};

engine::GgufHead head(const char* architecture, std::uint32_t file_type) {
    engine::GgufHead head;
    head.add("general.architecture", std::string_view(architecture));
    head.add("general.name", std::string_view("A small model"));
    head.add("general.file_type", file_type);
    head.add(std::string(architecture) + ".context_length", std::uint32_t{512});
    return head;
}

}  // namespace

bool one_input(std::string_view bytes) {
    const MemoryFile file(bytes);
    const auto type = engine::read_file_type(file.path());
    require(type || !type.error().message.empty(), "an error has words");
    static_cast<void>(engine::names_pooling(file.path()));
    const auto header = engine::read_model_header(file.path());
    if (!header) {
        require(
            header.error().kind == base::ErrorKind::bad_input && !header.error().message.empty(),
            "an error that blames the file");
        return false;
    }
    require(header->name.size() <= engine::model_word_bytes_max &&
                header->architecture.size() <= engine::model_word_bytes_max,
            "words are bounded");
    return true;
}

std::vector<std::string> seeds() {
    engine::GgufHead large = head("llama", 1);
    large.add("llama.pooling_type", std::uint32_t{1});
    large.add("llama.rope.freq_base", 10000.0F);
    large.add("tokenizer.ggml.add_bos_token", true);
    large.add("tokenizer.ggml.tokens", std::vector<std::string>{"a", "b", "▁"});
    large.add("tokenizer.ggml.scores", std::vector<float>{0.0F, -1.0F, 2.0F});
    large.add("tokenizer.ggml.token_type", std::vector<std::int32_t>{1, 1, 6});
    large.add_tensor("token_embd.weight", 64, 32, engine::WeightType::f32);
    large.add_tensor("output.weight", 64, 32, engine::WeightType::q8_0);
    // A file that ends before its tensors do is refused.
    const std::uint64_t data_bytes = engine::tensor_bytes(64, 32, engine::WeightType::f32) +
                                     engine::tensor_bytes(64, 32, engine::WeightType::q8_0);
    return {large.bytes() + std::string(data_bytes, '\0'), head("qwen2", 0).bytes()};
}

}  // namespace idlewatt::fuzz
