// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <utility>

#include "net/asio.h"
#include "net/tls.h"

namespace driveshaft::net {

// One connection, plain or over TLS. Reads and writes do not block; without TLS each is one call of the
// socket. A closed stream stays closed: operations in progress end with operation_aborted. Once their
// handlers have run, another stream may be moved into this one. On the loop's thread.
class Stream {
 public:
  using Socket = asio::generic::stream_protocol::socket;
  using error_code = boost::system::error_code;

  explicit Stream(asio::io_context& loop) : socket_(loop) {}
  // The socket is connected and does not block. `tls`: null for plain text; else handshake() comes first.
  explicit Stream(Socket socket, TlsSession tls = nullptr);
  Stream(Stream&&) = default;
  // Closes the connection that this stream had.
  Stream& operator=(Stream&& other) noexcept;
  ~Stream() { close(); }

  Socket& socket() { return socket_; }
  bool is_open() const { return socket_.is_open(); }
  bool is_tls() const { return tls_ != nullptr; }
  SSL* tls() const { return tls_.get(); }

  // Goes on with the TLS handshake as far as it can without waiting. would_block: call it again when
  // async_wait() has ended. No error: the handshake is done.
  void handshake(error_code& error);

  // would_block: there is nothing to read yet, or no room to write. If bytes were moved before an error, this
  // call returns the bytes, and the next call the error. `room`, `pieces`: one buffer, or a sequence of
  // buffers.
  template <class Buffers>
  std::size_t read_some(const Buffers& room, error_code& error) {
    if (!tls_) return socket_.read_some(room, error);
    return read_tls({asio::buffer_sequence_begin(room), asio::buffer_sequence_end(room)}, error);
  }
  // The next call must begin with the first byte that this one has not written.
  template <class Buffers>
  std::size_t write_some(const Buffers& pieces, error_code& error) {
    if (tls_)
      return write_tls({asio::buffer_sequence_begin(pieces), asio::buffer_sequence_end(pieces)}, error);
    const std::size_t written = socket_.write_some(pieces, error);
    sent_ += written;
    return written;
  }

  // Does what read_some() does, once there are bytes. One at a time; the buffers must be valid until its end.
  template <class Buffers, class Token>
  auto async_read_some(const Buffers& room, Token&& token) {
    if (!tls_) return socket_.async_read_some(room, std::forward<Token>(token));
    std::decay_t<Token> then(std::forward<Token>(token));
    return asio::async_compose<std::decay_t<Token>, void(error_code, std::size_t)>(Read<Buffers>{*this, room},
                                                                                   then, socket_);
  }
  // After would_block of write_some() or handshake(): ends when that call may get further.
  template <class Token>
  auto async_wait(Token&& token) {
    return socket_.async_wait(write_waits_for_, std::forward<Token>(token));
  }

  // Bytes that the kernel has taken so far; over TLS these are the encrypted bytes.
  std::uint64_t sent() const { return tls_ ? BIO_number_written(SSL_get_wbio(tls_.get())) : sent_; }

  // Closes the socket. Over TLS, close_notify is sent before if this needs no waiting.
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
  // The errors after which nothing more can be read, or written. After a failed write, a read may still give
  // the peer's reason.
  error_code read_failed_;
  error_code write_failed_;
  Socket::wait_type read_waits_for_ = Socket::wait_read;
  Socket::wait_type write_waits_for_ = Socket::wait_write;
};

}  // namespace driveshaft::net
