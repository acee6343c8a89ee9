// SPDX-License-Identifier: MIT
#include "http/connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "http/endpoint.h"

namespace driveshaft::http {
namespace {

using namespace std::chrono_literals;
using boost::system::error_code;

constexpr std::size_t kSmallBuffer = 4 * 1024;
constexpr std::size_t kLargeBuffer = ResponseReader::kMaxHeader + kSmallBuffer;

// An endpoint may close an idle connection while a request is on its way to it. That shows within a round
// trip; a connection that breaks later broke while the job ran.
constexpr auto kStaleWithin = 1s;

bool is_name(const std::string& host) {
  error_code error;
  asio::ip::make_address(host, error);
  return error.failed();
}

}  // namespace

Connection::Connection(Endpoint& endpoint, asio::ssl::context* tls)
    : endpoint_(endpoint), socket_(endpoint.connector_.loop()) {
  if (tls) tls_.emplace(socket_, *tls);
}

void Connection::open(Exchange* exchange) {
  exchange_ = exchange;
  if (exchange) exchange->connection_ = this;
  opening_at_ = Clock::now();
  endpoint_.deadlines_.set(*this, endpoint_.settings_.connect_timeout);
  attempt_ = endpoint_.connector_.connect([this](auto socket) { connected(std::move(socket)); });
}

void Connection::on_deadline() {
  const char* phase = !attempt_                ? "the TLS handshake is not done"
                      : attempt_->looking_up() ? "its name is still being looked up"
                                               : "nothing answers";
  open_failed(fmt::format("no connection within connect_timeout ({} ms): {}",
                          endpoint_.settings_.connect_timeout.count(), phase));
}

void Connection::connected(base::Result<Socket> socket) {
  attempt_.reset();
  if (!socket) return open_failed(socket.error().message);
  socket_ = std::move(*socket);
  if (tls_) {
    handshake();
  } else {
    opened();
  }
}

void Connection::handshake() {
  const std::string& host = endpoint_.settings_.uri.host;
  SSL* const tls = tls_->native_handle();
  if (is_name(host)) {
    SSL_set_tlsext_host_name(tls, host.c_str());
    SSL_set1_host(tls, host.c_str());
  } else {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls), host.c_str());
  }
  tls_->async_handshake(asio::ssl::stream_base::client, [self = shared_from_this()](const error_code& error) {
    if (self->state_ == State::closed) return;
    if (error) return self->open_failed(self->describe_tls_failure(error));
    self->opened();
  });
}

std::string Connection::describe_tls_failure(const error_code& error) {
  const long verdict = SSL_get_verify_result(tls_->native_handle());
  if (verdict == X509_V_OK) return fmt::format("TLS handshake failed: {}", error.message());
  return fmt::format(
      "TLS handshake failed: its certificate is not accepted: {} (trusted are the system's CAs, or "
      "those that SSL_CERT_FILE or SSL_CERT_DIR names)",
      X509_verify_cert_error_string(verdict));
}

void Connection::opened() {
  clear();
  state_ = State::idle;
  buffer_.resize(kSmallBuffer);
  read();
  if (exchange_) {
    exchange_->phases_.connect = Clock::now() - opening_at_;
    send(*exchange_);
  } else {
    endpoint_.became_idle(*this);
  }
  endpoint_.opening_done(*this, {});
}

void Connection::open_failed(const std::string& why) {
  Endpoint& endpoint = endpoint_;
  Exchange* exchange = exchange_;
  const auto self = shared_from_this();
  close();
  endpoint.forget(*this);
  const Failure failure{Failure::Kind::unreachable, why};
  endpoint.opening_done(*this, failure);
  if (exchange) endpoint.deliver(*exchange, failure);
}

void Connection::send(Exchange& exchange) {
  state_ = State::busy;
  exchange_ = &exchange;
  exchange.connection_ = this;
  used_since_sweep = true;
  reader_.reset(endpoint_.settings_.max_response_size, exchange.streams_);
  sent_at_ = Clock::now();
  request_sent_ = false;
  paused_ = false;

  std::size_t written = 0;
  if (!tls_) {
    // Most often the kernel takes it all at once, and no completion needs to go through the loop.
    error_code error;
    const bool one_piece = exchange.request_[1].size() == 0;
    written = one_piece ? socket_.write_some(exchange.request_[0], error)
                        : socket_.write_some(exchange.request_, error);
    if (error && error != asio::error::would_block) return;  // the read under way reports it
    if (written == asio::buffer_size(exchange.request_)) {
      request_sent_ = true;
      return;
    }
  }
  write_rest(written);
}

void Connection::write_rest(std::size_t written) {
  auto rest = exchange_->request_;
  for (auto& piece : rest) {
    const std::size_t skipped = std::min(written, piece.size());
    piece += skipped;
    written -= skipped;
  }
  // An error is reported by the read under way.
  auto done = [self = shared_from_this()](const error_code& error, std::size_t) {
    self->request_sent_ = !error;
  };
  if (tls_) {
    asio::async_write(*tls_, rest, std::move(done));
  } else {
    asio::async_write(socket_, rest, std::move(done));
  }
}

void Connection::read() {
  const auto room = asio::buffer(buffer_) + filled_;
  auto done = [self = shared_from_this()](const error_code& error, std::size_t bytes) {
    self->on_read(error, bytes);
  };
  if (tls_) {
    tls_->async_read_some(room, std::move(done));
  } else {
    socket_.async_read_some(room, std::move(done));
  }
}

void Connection::on_read(const error_code& error, std::size_t bytes) {
  if (state_ == State::closed) return;
  if (state_ == State::idle) {  // closed by the endpoint, or it speaks unasked
    close();
    endpoint_.forget(*this);
    return;
  }
  if (bytes > 0 && !exchange_->phases_.first_byte) exchange_->phases_.first_byte = Clock::now() - sent_at_;
  filled_ += bytes;
  const auto taken = read_response();
  if (!taken) return fail(taken.error());
  filled_ -= *taken;
  if (filled_ > 0 && *taken > 0) std::memmove(buffer_.data(), buffer_.data() + *taken, filled_);
  if (const auto more = pass_on()) {
    paused_ = !*more;
  } else {
    return fail(more.error());
  }

  if (!reader_.done() && error) {
    if (error != asio::error::eof) {
      return fail({Failure::Kind::connection_lost, fmt::format("the connection broke: {}", error.message())});
    }
    if (auto ended = reader_.end_of_stream(); !ended) return fail(ended.error());
  }
  if (reader_.done()) return take_response(error);

  // A long header, or a body that comes faster than it is read.
  if (*taken + filled_ == buffer_.size() && buffer_.size() < kLargeBuffer) buffer_.resize(kLargeBuffer);
  if (filled_ == buffer_.size()) {
    return fail(
        {Failure::Kind::too_large, fmt::format("the head of a chunk is larger than {} bytes", kLargeBuffer)});
  }
  if (!paused_) read();
}

void Connection::read_on() {
  if (std::exchange(paused_, false)) read();
}

// False: no more, for now.
base::Result<bool, Failure> Connection::pass_on() try {
  if (!reader_.streamed() || reader_.body().empty()) return true;
  auto more = exchange_->piece(reader_.body());
  reader_.body_taken();
  return more;
} catch (const std::bad_alloc&) {
  return Failure{Failure::Kind::too_large, "there is no memory for its response"};
}

base::Result<std::size_t, Failure> Connection::read_response() try {
  return reader_.read({buffer_.data(), filled_});
} catch (const std::bad_alloc&) {
  return Failure{Failure::Kind::too_large, "there is no memory for its response"};
}

void Connection::take_response(const error_code& error) {
  const bool keep = !error && reader_.keep_alive() && filled_ == 0 && request_sent_;
  Exchange& exchange = *std::exchange(exchange_, nullptr);
  exchange.connection_ = nullptr;
  state_ = State::idle;
  endpoint_.deliver(
      exchange, Response{reader_.status(), reader_.body(), reader_.retry_after(), keep, reader_.streamed()});

  if (!keep) {
    close();
    endpoint_.forget(*this);
    return;
  }
  if (buffer_.size() > kSmallBuffer) {
    buffer_.resize(kSmallBuffer);
    buffer_.shrink_to_fit();
  }
  reused_ = true;
  read();
  endpoint_.became_idle(*this);
}

void Connection::fail(Failure failure) {
  const bool stale = failure.kind == Failure::Kind::connection_lost && reused_ && !reader_.started() &&
                     Clock::now() - sent_at_ < kStaleWithin;
  Exchange& exchange = *exchange_;
  close();
  endpoint_.forget(*this);
  if (stale) {
    endpoint_.send_again(exchange);
  } else {
    endpoint_.deliver(exchange, std::move(failure));
  }
}

void Connection::abandon() { exchange_ = nullptr; }

void Connection::close() {
  if (state_ == State::closed) return;
  state_ = State::closed;
  clear();
  attempt_.reset();
  error_code ignored;
  socket_.close(ignored);
  if (exchange_) exchange_->connection_ = nullptr;
  exchange_ = nullptr;
}

}  // namespace driveshaft::http
