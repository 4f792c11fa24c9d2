// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Streams what has ended of a batch that still runs, as lines of its files to come. A page is read
// from the store when the client has taken most of the one before. Threads: the loop's.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "coordinator/client_door.hpp"
#include "http/http.hpp"
#include "store/store.hpp"

namespace idlewatt::coordinator {

// At a time.
inline constexpr std::size_t partial_downloads_max = 16;
inline constexpr std::string_view batch_has_ended =
    "This batch has ended: see its output_file_id and error_file_id.";

class BatchPartial {
public:
    BatchPartial(store::Store& store, ClientDoor& door) : store_(store), door_(door) {}

    BatchPartial(const BatchPartial&) = delete;
    BatchPartial& operator=(const BatchPartial&) = delete;

    void begin(http::RequestId request, const std::string& batch);
    void on_written(http::RequestId request, std::uint64_t bytes);
    void on_gone(http::RequestId request) { downloads_.erase(request); }

private:
    struct Download {
        std::string batch;
        std::uint32_t after = 0;
        std::uint64_t given_bytes = 0;
        std::uint64_t taken_bytes = 0;
        bool begun = false;
        bool reading = false;
        bool more = true;
    };

    void next_page(http::RequestId request, Download& download);
    void take_page(http::RequestId request, const base::Result<store::BatchItemPage>& page);
    void answer_without_lines(http::RequestId request, Download& download);

    store::Store& store_;
    ClientDoor& door_;
    std::map<http::RequestId, Download> downloads_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace idlewatt::coordinator
