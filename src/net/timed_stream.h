// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <memory>
#include <tuple>
#include <utility>

#include "net/asio.h"
#include "net/stream.h"
#include "net/tls_server.h"

namespace driveshaft::net {

// A Stream for Beast and for coroutines, with a time limit. When the time is over, the stream closes itself,
// and operations in progress end with operation_aborted. On the loop's thread.
class TimedStream {
 public:
  using Socket = Stream::Socket;
  using error_code = boost::system::error_code;
  using executor_type = Socket::executor_type;

  // The socket is connected. `tls`: null for plain text; else handshake() comes first.
  explicit TimedStream(Socket socket, TlsSession tls = nullptr)
      : stream_(not_blocking(std::move(socket)), std::move(tls)), timer_(stream_.socket().get_executor()) {}
  TimedStream(const TimedStream&) = delete;

  executor_type get_executor() { return stream_.socket().get_executor(); }
  Socket& socket() { return stream_.socket(); }
  SSL* tls() const { return stream_.tls(); }  // null: plain text

  // Limits the time of all operations from now on together.
  void expires_after(std::chrono::nanoseconds time) {
    timer_.expires_after(time);
    timer_.async_wait([this, alive = std::weak_ptr<void>(alive_)](const error_code& error) {
      // The timer may have been set again after it had expired.
      if (error || alive.expired() || timer_.expiry() > std::chrono::steady_clock::now()) return;
      expired_ = true;
      stream_.close();
    });
  }
  void expires_never() { timer_.cancel(); }
  // Whether the time limit has closed the stream.
  bool has_expired() const { return expired_; }

  // Does the TLS handshake. Without TLS it does nothing.
  asio::awaitable<error_code> handshake() {
    error_code error;
    while (stream_.is_tls()) {
      stream_.handshake(error);
      if (error != asio::error::would_block) break;
      std::tie(error) = co_await stream_.async_wait(kResult);
      if (error) break;
    }
    co_return error;
  }

  template <class Buffers, class Token>
  auto async_read_some(const Buffers& room, Token&& token) {
    return stream_.async_read_some(room, std::forward<Token>(token));
  }

  template <class Buffers, class Token>
  auto async_write_some(const Buffers& pieces, Token&& token) {
    std::decay_t<Token> then(std::forward<Token>(token));
    return asio::async_compose<std::decay_t<Token>, void(error_code, std::size_t)>(
        Write{stream_, first_of(pieces)}, then, stream_.socket());
  }

  // Ends sending. What the peer sends may still be read.
  void shutdown_send() {
    if (SSL* tls = stream_.tls()) send_close_notify(*tls);
    error_code ignored;
    stream_.socket().shutdown(Socket::shutdown_send, ignored);
  }
  void close() { stream_.close(); }

 private:
  // The buffers of one write. Unused ones are empty.
  using Pieces = std::array<asio::const_buffer, 8>;

  struct Write {
    Stream& stream;
    Pieces pieces;
    bool begun = false;

    template <class Self>
    void operator()(Self& self, error_code error = {}) {
      if (!std::exchange(begun, true)) {
        return stream.socket().async_wait(Socket::wait_write, std::move(self));
      }
      std::size_t bytes = 0;
      if (!error && !stream.is_open()) error = asio::error::operation_aborted;
      if (!error) bytes = stream.write_some(pieces, error);
      if (error == asio::error::would_block) return stream.async_wait(std::move(self));
      self.complete(error, bytes);
    }
  };

  template <class Buffers>
  static Pieces first_of(const Buffers& buffers) {
    Pieces pieces;
    std::size_t count = 0;
    const auto end = asio::buffer_sequence_end(buffers);
    for (auto one = asio::buffer_sequence_begin(buffers); one != end && count < pieces.size(); ++one) {
      const asio::const_buffer piece(*one);
      if (piece.size() > 0) pieces[count++] = piece;
    }
    return pieces;
  }

  static Socket not_blocking(Socket socket) {
    error_code ignored;
    socket.non_blocking(true, ignored);
    return socket;
  }

  Stream stream_;
  asio::steady_timer timer_;
  bool expired_ = false;
  const std::shared_ptr<char> alive_ = std::make_shared<char>();
};

}  // namespace driveshaft::net
