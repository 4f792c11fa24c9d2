// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "coordinator/batch_partial.hpp"

#include "base/log.hpp"
#include "coordinator/batch_writer.hpp"

namespace idlewatt::coordinator {

namespace {

constexpr std::uint64_t untaken_bytes_max = 256 * 1024;

}  // namespace

void BatchPartial::begin(http::RequestId request, const std::string& batch) {
    if (downloads_.size() >= partial_downloads_max) {
        return door_.refuse(request, wire::ApiErrorCode::slow_down,
                            "Too many downloads are under way; try again.");
    }
    Download& download = downloads_[request];
    download.batch = batch;
    next_page(request, download);
}

void BatchPartial::next_page(http::RequestId request, Download& download) {
    download.reading = true;
    store_.batch_items(download.batch, download.after, items_per_page, item_bytes_per_page,
                       [this, alive = std::weak_ptr(alive_),
                        request](const base::Result<store::BatchItemPage>& page) {
                           if (!alive.expired())
                               take_page(request, page);
                       });
}

void BatchPartial::take_page(http::RequestId request,
                             const base::Result<store::BatchItemPage>& page) {
    const auto found = downloads_.find(request);
    if (found == downloads_.end())
        return;
    Download& download = found->second;
    download.reading = false;
    if (!page) {
        const bool begun = download.begun;
        downloads_.erase(found);
        if (!begun)
            return door_.refuse_later(request, page.error());
        base::log_warning("coordinator", page.error().message);
        return door_.server().abort(request);  // the client sees that it is not whole
    }
    if (page->items.empty()) {
        // The batch has ended meanwhile, and its lines went with it; or it has none yet.
        if (!download.begun)
            return answer_without_lines(request, download);
        downloads_.erase(found);
        return door_.server().abort(request);
    }
    std::string text;
    for (const store::BatchItem& item : page->items) {
        download.after = item.line.line;
        if (item.result)
            text += batch_file_line(item, download.batch, {});
    }
    download.more = page->more;
    download.given_bytes += text.size();
    if (!download.begun) {
        download.begun = true;
        door_.server().begin(request,
                             {200, door_.headers({{"content-type", "application/jsonl"}}), text});
    } else if (!text.empty()) {
        door_.server().write(request, std::move(text));
    }
    if (!download.more) {
        door_.server().end(request);
        downloads_.erase(found);
    } else if (download.given_bytes - download.taken_bytes <= untaken_bytes_max) {
        next_page(request, download);
    }
}

void BatchPartial::answer_without_lines(http::RequestId request, Download& download) {
    download.reading = true;
    store_.find_batch(download.batch, [this, alive = std::weak_ptr(alive_), request](
                                          const base::Result<std::optional<store::Batch>>& batch) {
        if (alive.expired() || downloads_.erase(request) == 0)
            return;
        if (!batch)
            return door_.refuse_later(request, batch.error());
        if (!*batch || (*batch)->ended_at)
            return door_.refuse(request, wire::ApiErrorCode::conflict, std::string(batch_has_ended),
                                "id");
        door_.server().respond(request,
                               {200, door_.headers({{"content-type", "application/jsonl"}}), {}});
    });
}

void BatchPartial::on_written(http::RequestId request, std::uint64_t bytes) {
    const auto found = downloads_.find(request);
    if (found == downloads_.end())
        return;
    Download& download = found->second;
    download.taken_bytes = bytes;
    if (!download.reading && download.more &&
        download.given_bytes - download.taken_bytes <= untaken_bytes_max)
        next_page(request, download);
}

}  // namespace idlewatt::coordinator
