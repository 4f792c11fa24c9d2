// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The files of the page that a gateway serves to anybody: they hold nothing of the fleet. The
// program brings them; without any there is no page. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "http/http.hpp"

namespace idlewatt::gateway {

struct PageFile {
    std::string path;  // as in a request: "/", "/assets/page.js"
    std::string content_type;
    std::string etag;
    std::string bytes;
};
using Page = std::vector<PageFile>;

// With its tag, from what it holds.
[[nodiscard]] PageFile page_file(std::string path, std::string content_type, std::string bytes);
// Null: none of the page.
[[nodiscard]] const PageFile* find_page_file(const Page& page, std::string_view path);
// 304 if the reader has it already.
[[nodiscard]] http::Response page_response(const PageFile& file, const http::Request& request);

}  // namespace idlewatt::gateway
