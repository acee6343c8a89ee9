// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/asio.h"
#include "net/test_acceptor.h"

namespace driveshaft::http {

// A response with a body of a stated length.
inline std::string test_response(std::string_view body, std::string_view status = "200 OK",
                                 std::string_view lines = "") {
  std::string response = "HTTP/1.1 ";
  response.append(status).append("\r\nContent-Length: ").append(std::to_string(body.size()));
  return response.append("\r\n").append(lines).append("\r\n").append(body);
}

// For tests: an HTTP server on the loopback, in the loop of the test. It takes requests, and answers them
// when the test says so, or by itself.
class TestEndpoint {
 public:
  using Tcp = asio::ip::tcp;

  // One connection, as the server sees it.
  class Peer : public std::enable_shared_from_this<Peer> {
   public:
    Peer(TestEndpoint& endpoint, Tcp::socket socket) : endpoint_(endpoint), socket_(std::move(socket)) {}

    // The next whole request, head and body; empty if there is none.
    std::string take_request() {
      const auto end = received_.find("\r\n\r\n");
      if (end == received_.npos) return "";
      constexpr std::string_view kLength = "Content-Length: ";
      const auto length = received_.find(kLength);
      const std::size_t size =
          end + 4 + (length < end ? std::stoul(received_.substr(length + kLength.size(), 20)) : 0);
      if (received_.size() < size) return "";
      std::string request = received_.substr(0, size);
      received_.erase(0, size);
      return request;
    }
    // A small number of bytes, which the kernel takes at once.
    void send(std::string_view bytes) {
      boost::system::error_code ignored;
      asio::write(socket_, asio::buffer(bytes), ignored);
    }
    void close() {
      boost::system::error_code ignored;
      socket_.close(ignored);
    }
    // As the kernel does with a connection that a server has not accepted when it ends.
    void reset() {
      boost::system::error_code ignored;
      socket_.set_option(Tcp::socket::linger(true, 0), ignored);
      socket_.close(ignored);
    }
    // Whether a part of a request is there.
    bool receives() const { return !received_.empty(); }
    // Whether the client has closed the connection.
    bool ended() const { return ended_; }
    void pause_reading() { reads_ = false; }
    Tcp::socket& socket() { return socket_; }

   private:
    friend class TestEndpoint;
    void read() {
      socket_.async_read_some(asio::buffer(room_),
                              [self = shared_from_this()](const auto& error, std::size_t bytes) {
                                if (error) {
                                  self->ended_ = true;
                                  return;
                                }
                                self->received_.append(self->room_.data(), bytes);
                                if (self->endpoint_.answer) self->answer_requests();
                                if (self->reads_) self->read();
                              });
    }
    void answer_requests() {
      while (true) {
        const std::string request = take_request();
        if (request.empty()) return;
        ++endpoint_.requests;
        if (const auto response = endpoint_.answer(request)) send(*response);
      }
    }

    TestEndpoint& endpoint_;
    Tcp::socket socket_;
    std::array<char, 16 * 1024> room_;
    std::string received_;
    bool ended_ = false;
    bool reads_ = true;
  };

  explicit TestEndpoint(asio::io_context& loop)
      : acceptor_(loop, [this](Tcp::socket socket) {
          peers.push_back(std::make_shared<Peer>(*this, std::move(socket)));
          peers.back()->read();
          if (closes_at_once) peers.back()->close();
        }) {}
  ~TestEndpoint() { stop(); }

  std::string uri() const { return "http://127.0.0.1:" + std::to_string(acceptor_.port()) + "/jobs"; }

  // Closes all connections; new ones are refused until start().
  void stop() {
    acceptor_.stop();
    for (const auto& peer : peers) peer->close();
  }
  void start() { acceptor_.start(); }
  // Keeps the present connections; new ones are refused until start().
  void refuse() { acceptor_.stop(); }
  // In the order in which they were opened.
  std::vector<std::shared_ptr<Peer>> peers;

  // If set, it answers each request; nothing: not now.
  std::function<std::optional<std::string>(const std::string& request)> answer;
  bool closes_at_once = false;  // new connections, as a balancer does that has no server
  int requests = 0;             // that `answer` was called with

 private:
  net::TestAcceptor acceptor_;
};

}  // namespace driveshaft::http
