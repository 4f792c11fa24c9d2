// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "bus/nats_address.hpp"

#include <algorithm>

namespace idlewatt::bus {

namespace {

constexpr std::size_t port_digits_max = 5;
constexpr unsigned long port_max = 65535;

tl::unexpected<base::Error> no_address(std::string_view url, const char* why) {
    return base::fail(base::ErrorKind::bad_input,
                      "'" + std::string(url) + "' is no address of a NATS server: " + why);
}

bool is_port(std::string_view text) {
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    if (text.empty() || text.size() > port_digits_max || !std::ranges::all_of(text, is_digit))
        return false;
    const unsigned long number = std::stoul(std::string(text));
    return number > 0 && number <= port_max;
}

}  // namespace

base::Result<NatsAddress> parse_nats_address(std::string_view url) {
    NatsAddress address;
    if (url.find('@') != url.npos) {
        // Not with the address itself: it holds a secret.
        return base::fail(base::ErrorKind::bad_input,
                          "an address of a NATS server holds a name or password, which others can "
                          "see; use a credentials file");
    }
    std::string_view rest = url;
    if (const std::size_t scheme = rest.find("://"); scheme != rest.npos) {
        const std::string_view name = rest.substr(0, scheme);
        if (name != "nats" && name != "tls")
            return no_address(url, "it must begin with nats:// or tls://");
        address.tls = name == "tls";
        rest.remove_prefix(scheme + 3);
    }
    rest = rest.substr(0, rest.find('/'));
    std::size_t port = rest.rfind(':');
    if (rest.starts_with('[')) {
        const std::size_t bracket = rest.find(']');
        if (bracket == rest.npos)
            return no_address(url, "']' is missing");
        address.host = rest.substr(1, bracket - 1);
        rest.remove_prefix(bracket + 1);
        port = rest.empty() ? rest.npos : 0;
        if (!rest.empty() && rest.front() != ':')
            return no_address(url, "after ']' a port must follow");
    } else {
        address.host = rest.substr(0, port);
    }
    address.port = port == rest.npos ? nats_port : rest.substr(port + 1);
    if (address.host.empty())
        return no_address(url, "no host");
    if (!is_port(address.port))
        return no_address(url, "a port is a number from 1 to 65535");
    return address;
}

}  // namespace idlewatt::bus
