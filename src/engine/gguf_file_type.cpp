// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "engine/gguf_file_type.hpp"

#include "engine/gguf_reader.hpp"

namespace idlewatt::engine {

base::Result<FileType> read_file_type(const std::string& path) {
    FileType found = FileType::other;
    const auto walked = walk_gguf(
        path, {[&found](const std::string& key, std::uint32_t type, GgufReader& reader) {
            if (key != "general.file_type" || type != gguf_type_u32)
                return GgufStep::skip;
            const std::uint32_t value = reader.u32();
            found = value == 0 ? FileType::f32 : value == 1 ? FileType::f16 : FileType::other;
            return GgufStep::stop;
        }});
    if (!walked)
        return tl::unexpected(walked.error());
    return found;
}

bool names_pooling(const std::string& path) {
    bool found = false;
    const auto walked =
        walk_gguf(path, {[&found](const std::string& key, std::uint32_t, GgufReader&) {
                      found = key.ends_with(".pooling_type");
                      // The architecture's entries stand before the long lists of the tokeniser.
                      const bool enough = found || key.starts_with("tokenizer.");
                      return enough ? GgufStep::stop : GgufStep::skip;
                  }});
    return walked && found;
}

}  // namespace idlewatt::engine
