// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Uploads as multipart/form-data: the first line is the content-type, the rest the body. The same
// parts come out however the bytes are cut, and never more bytes than went in.
#include <algorithm>
#include <utility>

#include "fuzz.hpp"
#include "http/multipart.hpp"

namespace idlewatt::fuzz {

namespace {

struct Form {
    std::vector<std::string> parts;  // head and bytes
    std::size_t ended = 0;
    bool complete = false;
    bool broken = false;
    friend bool operator==(const Form&, const Form&) = default;
};

Form read(std::string_view boundary, std::string_view body, std::size_t piece_bytes) {
    Form form;
    http::Multipart multipart(
        boundary, {[&](const http::MultipartHead& head) {
                       require(form.ended == form.parts.size(), "one part after the other");
                       form.parts.push_back(head.name + '\n' + head.filename.value_or("-") + '\n' +
                                            head.content_type + '\n');
                   },
                   [&](std::string_view bytes) {
                       require(form.ended + 1 == form.parts.size(), "bytes are of a part");
                       form.parts.back() += bytes;
                   },
                   [&] {
                       require(form.ended + 1 == form.parts.size(), "a part ends once");
                       ++form.ended;
                   }});
    for (std::size_t at = 0; at < body.size() && !form.broken; at += piece_bytes) {
        const auto fed = multipart.feed(body.substr(at, piece_bytes));
        form.broken = !fed;
        require(fed || (fed.error().kind == base::ErrorKind::bad_input &&
                        !fed.error().message.empty() && fed.error().message.size() < 1000),
                "a short error");
    }
    form.complete = multipart.complete();
    std::size_t bytes = 0;
    for (const std::string& part : form.parts)
        bytes += part.size();
    require(bytes <= body.size() + form.parts.size() * 4, "no more than came");
    require(form.parts.size() <= http::multipart_parts_max, "parts are few");
    return form;
}

}  // namespace

bool one_input(std::string_view bytes) {
    const std::size_t line = std::min(bytes.find('\n'), bytes.size());
    const auto boundary = http::multipart_boundary(bytes.substr(0, line));
    if (!boundary)
        return false;
    require(!boundary->empty() && boundary->size() <= http::multipart_boundary_bytes_max,
            "a boundary is bounded");
    const std::string_view body = bytes.substr(std::min(line + 1, bytes.size()));
    const Form whole = read(*boundary, body, std::max<std::size_t>(body.size(), 1));
    const Form cut = read(*boundary, body, 5);
    require(whole.broken == cut.broken && whole.complete == cut.complete, "the cuts do not matter");
    require(whole.broken || whole == cut, "the same parts");
    return whole.complete;
}

std::vector<std::string> seeds() {
    const std::string file =
        "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"in.jsonl\"\r\n"
        "Content-Type: application/json\r\n\r\n{\"a\":1}\r\n-b-\r\n-\n\r\n";
    const std::string purpose =
        "--b\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n";
    return {"multipart/form-data; boundary=b\n" + purpose + file + "--b--\r\n",
            "multipart/form-data; charset=utf-8; boundary=\"b\"\npreamble\r\n" + file + purpose +
                "--b--\r\nepilogue",
            "Multipart/Form-Data;boundary=----x\n------x\r\nContent-Disposition: form-data; "
            "name=\"a\\\"b\"\r\n\r\n\r\n------x--"};
}

}  // namespace idlewatt::fuzz
