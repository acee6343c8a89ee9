// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <utility>

#include "net/asio.h"
#include "net/tls.h"

namespace driveshaft::net {

// The bytes of one connection, plain or over TLS: reads and writes take what there is and do not block.
// Plain, each is the socket's own. A closed one is closed for good, and what waits on it ends with
// operation_aborted; another may be moved into its place once that has been called back. On the loop's
// thread.
class Stream {
 public:
  using Socket = asio::generic::stream_protocol::socket;
  using error_code = boost::system::error_code;

  explicit Stream(asio::io_context& loop) : socket_(loop) {}
  // The socket is connected and does not block. `tls`: null for plain text; else handshake() comes first.
  explicit Stream(Socket socket, TlsSession tls = nullptr);
  Stream(Stream&&) = default;
  // Closes what was there.
  Stream& operator=(Stream&& other) noexcept;
  ~Stream() { close(); }

  Socket& socket() { return socket_; }
  bool is_open() const { return socket_.is_open(); }
  bool is_tls() const { return tls_ != nullptr; }
  SSL* tls() const { return tls_.get(); }

  // Takes the handshake as far as it goes without waiting: would_block until async_wait() calls back, no
  // error when it is done.
  void handshake(error_code& error);

  // would_block where there is nothing to read yet, or no room to write. An error does not hide what was read
  // or written before it: the next call has it. `room`, `pieces`: buffers, or an array of them.
  template <class Buffers>
  std::size_t read_some(const Buffers& room, error_code& error) {
    if (!tls_) return socket_.read_some(room, error);
    return read_tls({asio::buffer_sequence_begin(room), asio::buffer_sequence_end(room)}, error);
  }
  // What a call has not written must be offered again, from its first byte.
  template <class Buffers>
  std::size_t write_some(const Buffers& pieces, error_code& error) {
    if (tls_)
      return write_tls({asio::buffer_sequence_begin(pieces), asio::buffer_sequence_end(pieces)}, error);
    const std::size_t written = socket_.write_some(pieces, error);
    sent_ += written;
    return written;
  }

  // As read_some(), when there is something. One at a time; the buffers stay until then.
  template <class Buffers, class Token>
  auto async_read_some(const Buffers& room, Token&& token) {
    if (!tls_) return socket_.async_read_some(room, std::forward<Token>(token));
    std::decay_t<Token> then(std::forward<Token>(token));
    return asio::async_compose<std::decay_t<Token>, void(error_code, std::size_t)>(Read<Buffers>{*this, room},
                                                                                   then, socket_);
  }
  // After would_block: ends when it is worth trying again to write, or to shake hands.
  template <class Token>
  auto async_wait(Token&& token) {
    return socket_.async_wait(write_waits_for_, std::forward<Token>(token));
  }

  // Bytes given to the kernel so far, as they go over the wire.
  std::uint64_t sent() const { return tls_ ? BIO_number_written(SSL_get_wbio(tls_.get())) : sent_; }

  // Over TLS the peer is told, if that needs no waiting.
  void close();

 private:
  // Over TLS. Calls back from the loop, never from within.
  template <class Buffers>
  struct Read {
    Stream& stream;
    Buffers room;
    bool begun = false;

    template <class Self>
    void operator()(Self& self, error_code error = {}) {
      if (!std::exchange(begun, true)) {
        if (stream.has_read_ahead()) return asio::post(stream.socket_.get_executor(), std::move(self));
        return stream.socket_.async_wait(Socket::wait_read, std::move(self));
      }
      std::size_t bytes = 0;
      if (!error && !stream.socket_.is_open()) error = asio::error::operation_aborted;
      if (!error) bytes = stream.read_some(room, error);
      if (error == asio::error::would_block) {
        return stream.socket_.async_wait(stream.read_waits_for_, std::move(self));
      }
      self.complete(error, bytes);
    }
  };

  bool has_read_ahead() const { return SSL_has_pending(tls_.get()) == 1; }
  std::size_t read_tls(std::span<const asio::mutable_buffer> room, error_code& error);
  std::size_t write_tls(std::span<const asio::const_buffer> pieces, error_code& error);
  error_code stopped(int result, Socket::wait_type& waits_for, error_code& failed, std::size_t done);
  error_code explain(int result, Socket::wait_type& waits_for);

  Socket socket_;
  std::uint64_t sent_ = 0;  // plain
  TlsSession tls_;
  // Nothing more can be read, or written. What cannot be written may still be explained by what can be read.
  error_code read_failed_;
  error_code write_failed_;
  Socket::wait_type read_waits_for_ = Socket::wait_read;
  Socket::wait_type write_waits_for_ = Socket::wait_write;
};

}  // namespace driveshaft::net
