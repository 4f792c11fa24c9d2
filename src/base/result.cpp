// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "base/result.hpp"

#include <cerrno>
#include <cstring>

#include "base/assert.hpp"

namespace idlewatt::base {

std::string_view name(ErrorKind kind) {
    switch (kind) {
        case ErrorKind::bad_input:
            return "bad_input";
        case ErrorKind::not_found:
            return "not_found";
        case ErrorKind::denied:
            return "denied";
        case ErrorKind::unavailable:
            return "unavailable";
        case ErrorKind::limit_exceeded:
            return "limit_exceeded";
        case ErrorKind::io:
            return "io";
    }
    assertion_failed("closed enum ErrorKind", __FILE__, __LINE__);
}

tl::unexpected<Error> fail_errno(std::string message) {
    const int number = errno;
    return fail(ErrorKind::io, message + ": " + std::strerror(number));
}

}  // namespace idlewatt::base
