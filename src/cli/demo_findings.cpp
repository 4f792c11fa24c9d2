// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/demo_findings.hpp"

#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <set>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "http/response_tap.hpp"
#include "spool/file_spool.hpp"
#include "store/sqlite_store.hpp"

namespace idlewatt::cli {

base::Duration story_delay(std::uint32_t vehicles) {
    // Engines of a demo load one after the other on a small machine.
    return base::seconds(2) + base::milliseconds(250) * vehicles;
}

std::string first_model(const std::vector<wire::VehicleRow>& rows) {
    for (const wire::VehicleRow& row : rows) {
        if (!row.announcement.models.empty())
            return row.announcement.models.front();
    }
    return {};
}

std::vector<std::string> usage_lines(const std::string& url, const std::string& api_key,
                                     const std::string& model) {
    const std::string named = model.empty() ? std::string{} : "\"model\":\"" + model + "\",";
    return {"Live page: " + url + "/#key=" + api_key,
            "OpenAI API: " + url + "/v1   key: " + api_key,
            "curl -N " + url + "/v1/chat/completions -H 'Authorization: Bearer " + api_key +
                "' -d '{" + named +
                "\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"How much is 17 + "
                "25?\"}]}'"};
}

std::vector<std::vector<engine::TapFrame>> read_taps(
    const std::vector<std::string>& vehicle_folders) {
    std::vector<std::vector<engine::TapFrame>> taps;
    for (const std::string& folder : vehicle_folders) {
        const std::string path = folder + "/tap.bin";
        // A car that never had work has no tap.
        if (!std::filesystem::exists(path))
            continue;
        auto frames = engine::read_tap(path);
        if (frames) {
            taps.push_back(std::move(*frames));
        } else {
            std::cerr << "idlewatt demo: " << frames.error().message << '\n';
        }
    }
    return taps;
}

std::vector<AnswerRecord> read_responses(const std::string& tap_path) {
    struct Reading {
        AnswerRecord record;
        AnswerReader reader;
    };
    std::map<std::uint64_t, Reading> readings;
    std::map<std::uint64_t, std::size_t> ended;  // request, place in records
    if (!std::filesystem::exists(tap_path))
        return {};
    auto frames = http::read_response_tap(tap_path);
    if (!frames) {
        std::cerr << "idlewatt demo: " << frames.error().message << '\n';
        return {};
    }
    std::vector<AnswerRecord> records;
    const auto finish = [&records](Reading& reading, bool abandoned, base::Instant at) {
        reading.record.abandoned = abandoned;
        reading.reader.on_end(reading.record, "", at);
        records.push_back(std::move(reading.record));
    };
    // A gateway that was killed has broken off everything that was open.
    const auto abandon_all = [&](base::Instant at) {
        for (auto& [request, reading] : readings)
            finish(reading, true, at);
        readings.clear();
        ended.clear();
    };
    base::Instant at;
    for (const http::ResponseFrame& frame : *frames) {
        at = base::Instant{frame.at.us * 1000};
        const std::size_t space = frame.data.find(' ');
        switch (frame.kind) {
            case http::ResponseFrame::Kind::run:
                abandon_all(at);
                break;
            case http::ResponseFrame::Kind::head: {
                Reading& reading = readings[frame.request];
                // What was asked for is not in the tap; an answer in events was surely streamed.
                reading.record.streamed = frame.data.find(" text/event-stream") == space;
                reading.reader.on_status(reading.record, std::atoi(frame.data.c_str()),
                                         frame.data.substr(space + 1));
                break;
            }
            case http::ResponseFrame::Kind::body: {
                Reading& reading = readings[frame.request];
                reading.reader.on_body(reading.record, frame.data, at);
                break;
            }
            case http::ResponseFrame::Kind::end:
            case http::ResponseFrame::Kind::broken: {
                const bool broken = frame.kind == http::ResponseFrame::Kind::broken;
                if (const auto known = ended.find(frame.request); known != ended.end()) {
                    // The client left before the last bytes.
                    records[known->second].abandoned |= broken;
                    break;
                }
                ended[frame.request] = records.size();
                finish(readings[frame.request], broken, at);
                readings.erase(frame.request);
                break;
            }
        }
    }
    abandon_all(at);
    return records;
}

std::vector<AnswerRecord> with_strangers(std::vector<AnswerRecord> own,
                                         std::vector<AnswerRecord> at_the_door) {
    std::set<std::string> known;
    for (const AnswerRecord& record : own)
        known.insert(record.request_id);
    for (AnswerRecord& record : at_the_door) {
        if (!known.contains(record.request_id))
            own.push_back(std::move(record));
    }
    return own;
}

std::vector<double> read_recalls(const std::vector<std::string>& vehicle_folders) {
    std::vector<double> took_ms;
    for (const std::string& folder : vehicle_folders) {
        std::ifstream file(folder + "/recalls.jsonl");
        for (std::string line; std::getline(file, line);) {
            const auto json = nlohmann::json::parse(line, nullptr, false);
            if (json.is_object() && json.contains("took_ms")) {
                took_ms.push_back(json["took_ms"].get<double>());
            }
        }
    }
    return took_ms;
}

ReceiptFindings count_receipts(base::AsioLoop& loop, const std::string& store_path,
                               const std::vector<std::string>& vehicle_folders) {
    ReceiptFindings findings;
    for (const std::string& folder : vehicle_folders) {
        auto spool = spool::open_file_spool(folder + "/receipts.spool");
        if (!spool) {
            std::cerr << "idlewatt demo: " << spool.error().message << '\n';
            continue;
        }
        for (const spool::Record& record : (*spool)->records()) {
            if (record.key.starts_with("receipt/"))
                ++findings.signed_receipts;
        }
    }
    auto store = store::open_sqlite_store(loop, store_path);
    if (!store) {
        std::cerr << "idlewatt demo: " << store.error().message << '\n';
        return findings;
    }
    bool answered = false;
    (*store)->receipt_totals([&](const base::Result<store::ReceiptTotals>& totals) {
        answered = true;
        if (totals)
            findings.acknowledged = totals->receipts;
    });
    const base::Instant end = loop.now() + base::seconds(5);
    while (!answered && loop.now() < end)
        loop.run_for(base::milliseconds(5));
    findings.signed_receipts += findings.acknowledged;
    return findings;
}

}  // namespace idlewatt::cli
