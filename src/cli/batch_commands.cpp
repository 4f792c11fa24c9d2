// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/batch_commands.hpp"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <string_view>

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/asio/signal_set.hpp>
#include <nlohmann/json.hpp>

#include "cli/asking_command.hpp"
#include "cli/batch_status.hpp"
#include "cli/batch_transfer.hpp"
#include "cli/columns.hpp"

namespace idlewatt::cli {

namespace {

constexpr const char* batches_path = "/v1/batches";
constexpr int batch_interrupted = 130;

std::string batch_path(const std::string& id, const char* below = "") {
    return std::string(batches_path) + "/" + path_segment(id) + below;
}

// A word in red where somebody looks at it; what it means stands in the words.
std::string alarming(const std::string& text) {
    const char* terminal = std::getenv("TERM");
    const bool coloured = isatty(STDERR_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr &&
                          terminal != nullptr && std::string_view(terminal) != "dumb";
    return coloured ? "\x1b[31m" + text + "\x1b[0m" : text;
}

ExitCode say_verdict(const BatchStatus& batch, const Output& output) {
    const ExitCode code = batch_exit_code(batch);
    if (output.json)
        return code;
    const std::string verdict = batch_verdict(batch);
    output.err << batch.id << " " << (code == ExitCode::failure ? alarming(verdict) : verdict)
               << '\n';
    for (const std::string& fault : batch.faults)
        output.err << "  " << fault << '\n';
    if (!batch.output_file.empty() || !batch.error_file.empty())
        output.err << "next: idlewatt batch results " << batch.id << " --out FILE\n";
    return code;
}

// Looks at one batch until it has ended.
class BatchWatch {
public:
    BatchWatch(const Connection& connection, std::string id, const Output& output)
        : connection_(connection), id_(std::move(id)), output_(output), signals_(loop_.context()) {
        signals_.add(SIGINT);
        signals_.async_wait([this](const boost::system::error_code& error, int) {
            interrupted_ = interrupted_ || !error;
        });
    }

    ExitCode run() {
        base::Instant heard_at = loop_.now();
        while (true) {
            const auto response =
                http::call_and_wait(loop_, call_to(connection_, "GET", batch_path(id_)));
            if (interrupted_)
                return detach();
            const bool away = !response || response->status == 503;
            if (!away && response->status != 200) {
                progress_.reset();
                return report_refusal(connection_, *response, output_.json, output_.err);
            }
            if (!away) {
                heard_at = loop_.now();
                if (const auto code = take(response->body))
                    return *code;
            } else if (loop_.now() - heard_at > batch_patience) {
                progress_.reset();
                return response ? report_refusal(connection_, *response, output_.json, output_.err)
                                : report_error(not_reached(connection_, response.error()),
                                               output_.json, output_.err);
            }
            loop_.run_for(batch_look_period);
            if (interrupted_)
                return detach();
        }
    }

private:
    // The code to end with, if it is to end.
    std::optional<ExitCode> take(const std::string& body) {
        const auto batch = parse_batch_status(body);
        if (!batch)
            return report_not_understood(batch.error(), output_);
        if (!progress_ && batch->total > 0) {
            progress_.emplace(output_.err, progress_style(STDERR_FILENO, output_.json), batch->id,
                              batch->total, ProgressUnit::lines);
            progress_->begin(batch->completed + batch->failed, loop_.now());
        }
        if (progress_)
            progress_->update(batch->completed + batch->failed, loop_.now());
        if (!batch->ended())
            return std::nullopt;
        progress_.reset();
        if (output_.json)
            output_.out << body << '\n';
        return say_verdict(*batch, output_);
    }

    ExitCode detach() {
        progress_.reset();
        output_.err << "the batch goes on; to look again: idlewatt batch watch " << id_ << '\n';
        return static_cast<ExitCode>(batch_interrupted);
    }

    Connection connection_;
    std::string id_;
    Output output_;
    base::AsioLoop loop_;
    boost::asio::signal_set signals_;
    bool interrupted_ = false;
    std::optional<Progress> progress_;
};

// What was uploaded, or the code to end with.
tl::expected<std::string, ExitCode> upload_requests(const Connection& connection,
                                                    const BatchSubmission& submission,
                                                    const Output& output) {
    std::error_code error;
    const std::uint64_t bytes = std::filesystem::file_size(submission.path, error);
    if (error) {
        return tl::unexpected(report_error(
            {base::ErrorKind::not_found, "cannot read " + submission.path + ": " + error.message()},
            output.json, output.err));
    }
    base::AsioLoop loop;
    Progress progress(output.err, progress_style(STDERR_FILENO, output.json),
                      "send " + std::filesystem::path(submission.path).filename().string(), bytes);
    const auto response = upload_batch_file(loop, connection, submission.path, progress);
    if (!response)
        return tl::unexpected(report_error(response.error(), output.json, output.err));
    if (response->status < 200 || response->status > 299)
        return tl::unexpected(report_refusal(connection, *response, output.json, output.err));
    auto id = parse_file_id(response->body);
    if (!id)
        return tl::unexpected(report_not_understood(id.error(), output));
    return std::move(*id);
}

// A file takes the results' place only when all of them are there.
class ResultsFile {
public:
    explicit ResultsFile(std::string path) : path_(std::move(path)) {
        if (!path_.empty())
            file_.open(part(), std::ios::binary | std::ios::trunc);
    }
    ~ResultsFile() {
        std::error_code ignored;
        if (!path_.empty())
            std::filesystem::remove(part(), ignored);
    }
    ResultsFile(const ResultsFile&) = delete;
    ResultsFile& operator=(const ResultsFile&) = delete;

    bool take(std::string_view bytes, std::ostream& out) {
        std::ostream& to = path_.empty() ? out : file_;
        to.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
        return to.good();
    }
    base::Result<void> keep() {
        if (path_.empty())
            return {};
        file_.close();
        std::error_code error;
        if (file_.good())
            std::filesystem::rename(part(), path_, error);
        if (!file_.good() || error)
            return base::fail(base::ErrorKind::io, "cannot write " + path_);
        return {};
    }

private:
    [[nodiscard]] std::string part() const { return path_ + ".part"; }
    std::string path_;
    std::ofstream file_;
};

// Where the lines of this batch are.
std::vector<std::string> places_of_results(const BatchStatus& batch) {
    if (!batch.ended())
        return {batch_path(batch.id, "/x-partial")};
    std::vector<std::string> places;
    for (const std::string& file : {batch.output_file, batch.error_file}) {
        if (!file.empty())
            places.push_back("/v1/files/" + path_segment(file) + "/content");
    }
    return places;
}

}  // namespace

ExitCode batch_submit(const Connection& connection, const BatchSubmission& submission,
                      const Output& output) {
    std::string endpoint = submission.endpoint;
    if (endpoint.empty()) {
        const auto found = endpoint_in(submission.path);
        if (!found)
            return report_error(found.error(), output.json, output.err);
        endpoint = *found;
    }
    if (endpoint.empty()) {
        return report_error(
            {base::ErrorKind::bad_input, "the first line of " + submission.path +
                                             " names no url; is it JSONL with one request a line? "
                                             "--endpoint names one"},
            output.json, output.err);
    }
    const auto file = upload_requests(connection, submission, output);
    if (!file)
        return file.error();
    const nlohmann::json order = {
        {"input_file_id", *file}, {"endpoint", endpoint}, {"completion_window", "24h"}};
    const auto body = ask_for_body(connection, {"POST", batches_path, order.dump()}, output);
    if (!body)
        return body.error();
    const auto batch = parse_batch_status(*body);
    if (!batch)
        return report_not_understood(batch.error(), output);
    if (submission.wait) {
        if (!output.json)
            output.out << batch->id << std::endl;
        return batch_watch(connection, batch->id, output);
    }
    output.out << (output.json ? *body : batch->id) << '\n';
    if (!output.json)
        output.err << "next: idlewatt batch watch " << batch->id << '\n';
    return ExitCode::ok;
}

ExitCode batch_ls(const Connection& connection, const Output& output) {
    const auto body =
        ask_for_body(connection, {"GET", std::string(batches_path) + "?limit=100"}, output);
    if (!body)
        return body.error();
    const auto list = parse_batch_statuses(*body);
    if (!list)
        return report_not_understood(list.error(), output);
    if (output.json) {
        output.out << *body << '\n';
        return ExitCode::ok;
    }
    if (list->batches.empty()) {
        output.err << "there is no batch\nnext: idlewatt batch submit FILE\n";
        return ExitCode::ok;
    }
    std::vector<std::vector<std::string>> lines{
        {"BATCH", "STATUS", "OK", "FAILED", "LINES", "CREATED", "ENDPOINT"}};
    for (const BatchStatus& batch : list->batches) {
        lines.push_back({batch.id, batch.status, std::to_string(batch.completed),
                         std::to_string(batch.failed), std::to_string(batch.total),
                         time_text(base::WallTime{batch.created_at_s * 1'000'000}),
                         batch.endpoint});
    }
    print_columns(lines, output.out);
    if (list->has_more)
        output.err << "the newest " << list->batches.size() << "; there are more\n";
    return ExitCode::ok;
}

ExitCode batch_watch(const Connection& connection, const std::string& id, const Output& output) {
    return BatchWatch(connection, id, output).run();
}

ExitCode batch_results(const Connection& connection, const std::string& id,
                       const std::string& out_file, const Output& output) {
    const auto batch = ask_for(connection, {"GET", batch_path(id)}, output,
                               [](std::string_view body) { return parse_batch_status(body); });
    if (!batch)
        return batch.error();
    ResultsFile file(out_file);
    base::AsioLoop loop;
    for (const std::string& place : places_of_results(*batch)) {
        const auto response = download(loop, connection, place, [&](std::string_view bytes) {
            return file.take(bytes, output.out);
        });
        if (!response)
            return report_error(response.error(), output.json, output.err);
        if (response->status != 200)
            return report_refusal(connection, *response, output.json, output.err);
    }
    const auto kept = file.keep();
    if (!kept)
        return report_error(kept.error(), output.json, output.err);
    output.out << std::flush;
    if (batch->ended()) {
        const ExitCode code = batch_exit_code(*batch);
        const std::string verdict = batch_verdict(*batch);
        if (!output.json)
            output.err << (code == ExitCode::failure ? alarming(verdict) : verdict) << '\n';
        return code;
    }
    if (!output.json)
        output.err << batch->status << ": " << batch->completed + batch->failed << " of "
                   << batch->total << " lines so far\n";
    return ExitCode::partial;
}

ExitCode batch_cancel(const Connection& connection, const std::string& id, const Output& output) {
    const auto body = ask_for_body(connection, {"POST", batch_path(id, "/cancel")}, output);
    if (!body)
        return body.error();
    const auto batch = parse_batch_status(*body);
    if (!batch)
        return report_not_understood(batch.error(), output);
    if (output.json)
        output.out << *body << '\n';
    else
        output.err << batch->id << " is " << batch->status
                   << "; what was answered stays: idlewatt batch results " << batch->id << '\n';
    return ExitCode::ok;
}

namespace {

struct BatchWords {
    BatchSubmission submission;
    std::string id;
    std::string out_file;
    bool json = false;
};

}  // namespace

void add_batch_commands(CLI::App& app, Context& context) {
    const auto given = std::make_shared<BatchWords>();
    CLI::App* batch =
        app.add_subcommand("batch",
                           "Many requests from a file, answered while cars are free\n\nExamples:\n"
                           "  idlewatt batch submit requests.jsonl --wait\n  idlewatt batch ls\n"
                           "  idlewatt batch results BATCH --out answers.jsonl");
    batch->require_subcommand(1);
    AskingCommands<BatchWords> commands(*batch, context, given);
    const auto add = [&](const char* name, const char* about, auto run) {
        return commands.add(Party::gateway, name, about, run);
    };
    const auto add_one = [&](const char* name, const char* about, auto command) {
        CLI::App* sub = add(name, about, command);
        sub->add_option("BATCH", given->id, "Its id, as `batch ls` shows it")->required();
        return sub;
    };
    CLI::App* submit = add("submit", "Send a file with one request a line, and have it answered",
                           [](const Connection& to, const BatchWords& said, const Output& output) {
                               return batch_submit(to, said.submission, output);
                           });
    submit->add_option("FILE", given->submission.path, "JSONL, as for OpenAI's batches")
        ->required()
        ->type_name("FILE");
    submit
        ->add_option("--endpoint", given->submission.endpoint,
                     "/v1/chat/completions, /v1/completions or /v1/embeddings [that of the first "
                     "line]")
        ->type_name("PATH");
    submit->add_flag("--wait", given->submission.wait, "Watch it until it has ended");
    add("ls", "List the newest batches",
        [](const Connection& to, const BatchWords&, const Output& output) {
            return batch_ls(to, output);
        })
        ->alias("list");
    add_one("watch", "Follow a batch until it has ended",
            [](const Connection& to, const BatchWords& said, const Output& output) {
                return batch_watch(to, said.id, output);
            });
    add_one("results", "Print answers and errors; of a batch that runs, those there are",
            [](const Connection& to, const BatchWords& said, const Output& output) {
                return batch_results(to, said.id, said.out_file, output);
            })
        ->add_option("--out", given->out_file, "Write them to this file instead of stdout")
        ->type_name("FILE");
    add_one("cancel", "Stop a batch; what was answered stays",
            [](const Connection& to, const BatchWords& said, const Output& output) {
                return batch_cancel(to, said.id, output);
            });
}

}  // namespace idlewatt::cli
