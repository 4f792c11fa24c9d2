// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Chat templates that can be seen to put the words of a chat out as they are, wherever they put
// them out: what such a template makes of one chat tells for certain what it makes of another one
// of the same shape. Pure functions; a template that is not understood is not plain.
#pragma once

#include <string_view>

namespace idlewatt::engine {

// True: messages are walked through in order, roles are compared and printed, words are printed
// (or trimmed first), and nothing else is looked at but the place in the chat.
[[nodiscard]] bool is_plain_template(std::string_view chat_template);

}  // namespace idlewatt::engine
