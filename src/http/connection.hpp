// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// One client's connection of the real server: a small state machine that waits for readiness and
// moves bytes by itself, so that an open stream holds no buffer while nothing is under way.
//
//   idle ─▶ reading ─▶ waiting ─▶ streaming ─▶ draining ─▶ idle | lingering ─▶ closed
//             │  └ receiving ┘ (a claimed body)  ▲
//             └ refused ─────────────────────────┘
//
// connection.cpp holds what comes in and the end, connection_output.cpp what goes out.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/ip/tcp.hpp>

#include "http/channel.hpp"
#include "http/message_parser.hpp"
#include "http/server_state.hpp"

namespace idlewatt::http {

class Connection final : public std::enable_shared_from_this<Connection> {
public:
    Connection(boost::asio::ip::tcp::socket socket, std::shared_ptr<ServerState> server);

    void start();
    // Answers 503 and closes: there are too many connections.
    void turn_away();

    // The handler's calls, for the request that is with it.
    void respond(Response response);
    void respond_file(Response head, FilePart part);
    void consume_body(std::size_t bytes);
    void begin(Response response);
    void write(std::string_view bytes);
    void end();
    void break_off();

    // Sends what can be sent now. From the server's flush task.
    void flush();
    // Closes when the time of its phase is over.
    void check_deadline(base::Instant now);
    // At the end of the server: what the kernel takes is sent, no callback.
    void shut();

private:
    enum class Phase { idle, reading, receiving, waiting, streaming, draining, lingering, closed };

    // Up to here of the wire, so many of the bytes given are out.
    struct Mark {
        std::uint64_t wire_end;
        std::uint64_t given_bytes;
    };

    void enter(Phase phase);
    void wait_readable();
    [[nodiscard]] std::size_t room() const;
    [[nodiscard]] bool hung_up_unread();
    void on_readable();
    void read_some();
    void on_bytes(std::string_view bytes);
    void on_end_of_input(bool reset);
    void parse(std::string_view bytes);
    [[nodiscard]] bool open_body();
    void expect_more();
    void hand_body(std::string_view rest);
    void keep_pace(std::size_t bytes);
    void forget_body();
    void dispatch();
    void start_request();
    void refuse(int status, bool upload = false);

    [[nodiscard]] bool answerable() const;
    void append_head(const Response& response, std::optional<std::uint64_t> length);
    void append_chunk(std::string_view bytes);
    void answer(const Response& response);
    [[nodiscard]] bool read_file_part();
    [[nodiscard]] bool send_out();
    [[nodiscard]] bool send_some();
    void flush_soon();
    void wait_writable();
    bool report_written();
    void finish_answer();

    void lost();
    void close(bool reset);
    void count_receiving();

    boost::asio::ip::tcp::socket socket_;
    std::unique_ptr<Channel> channel_;
    std::shared_ptr<ServerState> server_;
    std::unique_ptr<RequestParser> parser_;  // while reading
    std::string ahead_;                      // received, not yet parsed
    std::string out_;                        // to be sent, from out_offset_
    std::size_t out_offset_ = 0;
    FilePart file_;                 // goes out behind out_; bytes: what is left of it
    std::uint64_t wire_bytes_ = 0;  // sent before out_[0]
    std::vector<Mark> marks_;
    std::uint64_t given_bytes_ = 0;
    std::uint64_t written_bytes_ = 0;
    std::optional<std::uint64_t> announced_bytes_;  // of a streamed answer that said its length
    base::Instant deadline_ = base::never;
    std::size_t receiving_bytes_ = 0;   // as counted in the server's total
    std::size_t unconsumed_bytes_ = 0;  // of a claimed body, with the handler
    std::size_t paced_bytes_ = 0;       // of it, since its time began
    RequestId request_{};
    Phase phase_ = Phase::idle;
    bool head_request_ = false;
    bool http_1_0_ = false;
    bool keep_alive_ = true;
    bool streamed_ = false;
    bool chunked_ = false;
    bool input_ended_ = false;
    bool waits_readable_ = false;
    bool waits_writable_ = false;
    bool read_wants_write_ = false;  // TLS only, as the next
    bool write_wants_read_ = false;
    bool flush_scheduled_ = false;
    bool served_one_ = false;
};

}  // namespace idlewatt::http
