// SPDX-License-Identifier: MIT
#include "net/stream.h"

#include <openssl/err.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace driveshaft::net {
namespace {

using boost::system::error_code;

constexpr std::size_t kRecordSize = SSL3_RT_MAX_PLAIN_LENGTH;
// After so many bytes other connections are served: a peer may send as fast as it is read.
constexpr std::size_t kReadAtOnce = 256 * 1024;

using Record = std::array<char, kRecordSize>;

// The next bytes to be sent, past the first `done`, as much as one record holds. Small pieces are gathered in
// `memory`; from the same bytes the same record is made again.
asio::const_buffer next_record(std::span<const asio::const_buffer> pieces, std::size_t done, Record& memory) {
  std::size_t gathered = 0;
  for (asio::const_buffer piece : pieces) {
    const std::size_t skipped = std::min(done, piece.size());
    piece += skipped;
    done -= skipped;
    if (piece.size() == 0) continue;
    if (gathered == 0 && (piece.size() >= kRecordSize || pieces.size() == 1)) {
      return asio::buffer(piece, kRecordSize);
    }
    gathered += asio::buffer_copy(asio::buffer(memory) + gathered, piece);
    if (gathered == kRecordSize) break;
  }
  return asio::buffer(memory, gathered);
}

}  // namespace

Stream::Stream(Socket socket, TlsSession tls) : socket_(std::move(socket)), tls_(std::move(tls)) {
  if (tls_ && SSL_set_fd(tls_.get(), socket_.native_handle()) != 1) {
    ERR_clear_error();
    read_failed_ = write_failed_ = asio::error::no_memory;
  }
}

Stream& Stream::operator=(Stream&& other) noexcept {
  close();
  socket_ = std::move(other.socket_);
  sent_ = other.sent_;
  tls_ = std::move(other.tls_);
  read_failed_ = other.read_failed_;
  write_failed_ = other.write_failed_;
  read_waits_for_ = other.read_waits_for_;
  write_waits_for_ = other.write_waits_for_;
  return *this;
}

void Stream::handshake(error_code& error) {
  error = write_failed_;
  if (error) return;
  ERR_clear_error();
  const int result = SSL_do_handshake(tls_.get());
  if (result == 1) return;
  error = explain(result, write_waits_for_);
  if (error != asio::error::would_block) read_failed_ = write_failed_ = error;
}

std::size_t Stream::read_tls(std::span<const asio::mutable_buffer> room, error_code& error) {
  std::size_t total = 0;
  error = read_failed_;
  if (error) return 0;
  for (asio::mutable_buffer piece : room) {
    while (piece.size() > 0 && total < kReadAtOnce) {
      ERR_clear_error();
      std::size_t count = 0;
      const int result = SSL_read_ex(tls_.get(), piece.data(), piece.size(), &count);
      if (result != 1) {
        error = stopped(result, read_waits_for_, read_failed_, total);
        return total;
      }
      total += count;
      piece += count;
    }
  }
  return total;
}

std::size_t Stream::write_tls(std::span<const asio::const_buffer> pieces, error_code& error) {
  Record memory;
  std::size_t total = 0;
  error = write_failed_;
  if (error) return 0;
  for (;;) {
    const auto record = next_record(pieces, total, memory);
    if (record.size() == 0) return total;
    ERR_clear_error();
    std::size_t count = 0;
    const int result = SSL_write_ex(tls_.get(), record.data(), record.size(), &count);
    if (result != 1) {
      error = stopped(result, write_waits_for_, write_failed_, total);
      return total;
    }
    total += count;
  }
}

// The error that a read or write returns. If it has moved bytes before the error, it returns none, and the
// next call returns the error.
error_code Stream::stopped(int result, Socket::wait_type& waits_for, error_code& failed, std::size_t done) {
  const error_code error = explain(result, waits_for);
  if (error != asio::error::would_block) failed = error;
  return done > 0 ? error_code() : error;
}

// The error of a call of OpenSSL that did not succeed.
error_code Stream::explain(int result, Socket::wait_type& waits_for) {
  const int system_error = errno;
  error_code error = asio::error::would_block;
  switch (SSL_get_error(tls_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      waits_for = Socket::wait_read;
      break;
    case SSL_ERROR_WANT_WRITE:
      waits_for = Socket::wait_write;
      break;
    case SSL_ERROR_ZERO_RETURN:
      error = asio::error::eof;
      break;
    case SSL_ERROR_SYSCALL:
      error = system_error == 0 ? error_code(asio::error::eof)
                                : error_code(system_error, boost::system::system_category());
      break;
    default:
      error = tls_error(ERR_peek_error());
  }
  ERR_clear_error();
  return error;
}

void Stream::close() {
  if (tls_ && socket_.is_open() && SSL_is_init_finished(tls_.get()) && !read_failed_ && !write_failed_) {
    SSL_shutdown(tls_.get());
    ERR_clear_error();
  }
  error_code ignored;
  socket_.close(ignored);
}

}  // namespace driveshaft::net
