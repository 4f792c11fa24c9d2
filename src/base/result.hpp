// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Results of operations that can fail for reasons outside the program. A message says what was
// found, what was expected and what to do; the kind exists only where a caller acts on it.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <tl/expected.hpp>

namespace idlewatt::base {

enum class ErrorKind {
    bad_input,       // the bytes or values given are wrong: never retry unchanged
    not_found,       // the named thing does not exist
    denied,          // credentials or permissions do not allow it
    unavailable,     // the other side is away: may be retried later
    limit_exceeded,  // a named limit was reached
    io,              // the operating system or a device refused
};

[[nodiscard]] std::string_view name(ErrorKind kind);

struct Error {
    ErrorKind kind = ErrorKind::io;
    std::string message;
};

template <class T>
using Result = tl::expected<T, Error>;

[[nodiscard]] inline tl::unexpected<Error> fail(ErrorKind kind, std::string message) {
    return tl::unexpected<Error>(Error{kind, std::move(message)});
}

// For a failed system call: appends the text of errno.
[[nodiscard]] tl::unexpected<Error> fail_errno(std::string message);

}  // namespace idlewatt::base
