// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Whether an address can be reached from this machine alone: what may go without encryption.
#pragma once

#include <string_view>

namespace idlewatt::base {

// A host without port: "localhost", 127.0.0.0/8, ::1 (with or without brackets), or a v4 address of
// these inside v6. Names are not looked up: any other name is not loopback.
[[nodiscard]] bool is_loopback(std::string_view host);

// Of "scheme://host:port/path"; false for what is no address.
[[nodiscard]] bool url_is_loopback(std::string_view url);

}  // namespace idlewatt::base
