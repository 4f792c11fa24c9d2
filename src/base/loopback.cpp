// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "base/loopback.hpp"

#include <string>

#include <arpa/inet.h>
#include <netinet/in.h>

namespace idlewatt::base {

bool is_loopback(std::string_view host) {
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
        host = host.substr(1, host.size() - 2);
    }
    if (host == "localhost") {
        return true;
    }
    const std::string text(host);
    in_addr v4{};
    if (::inet_pton(AF_INET, text.c_str(), &v4) == 1) {
        return ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET;
    }
    in6_addr v6{};
    if (::inet_pton(AF_INET6, text.c_str(), &v6) != 1) {
        return false;
    }
    return IN6_IS_ADDR_LOOPBACK(&v6) != 0 ||
           (IN6_IS_ADDR_V4MAPPED(&v6) != 0 && v6.s6_addr[12] == IN_LOOPBACKNET);
}

bool url_is_loopback(std::string_view url) {
    constexpr std::string_view mark = "://";
    const std::size_t scheme = url.find(mark);
    if (scheme == std::string_view::npos) {
        return false;
    }
    std::string_view authority = url.substr(scheme + mark.size());
    authority = authority.substr(0, authority.find_first_of("/?#"));
    const std::size_t user = authority.rfind('@');
    if (user != std::string_view::npos) {
        authority.remove_prefix(user + 1);
    }
    if (authority.starts_with('[')) {
        return is_loopback(authority.substr(0, authority.find(']') + 1));
    }
    return is_loopback(authority.substr(0, authority.find(':')));
}

}  // namespace idlewatt::base
