// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The common base64 with padding (RFC 4648, part 4), as clients of the OpenAI API expect vectors.
// Pure; any thread.
#pragma once

#include <string>
#include <string_view>

namespace idlewatt::wire {

void append_base64(std::string& out, std::string_view bytes);

}  // namespace idlewatt::wire
