// SPDX-License-Identifier: MIT
#include "http/connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "http/endpoint.h"
#include "http/response_reader.h"

namespace driveshaft::http {
namespace {

using namespace std::chrono_literals;
using boost::system::error_code;

constexpr std::size_t kSmallBuffer = 4 * 1024;
constexpr std::size_t kLargeBuffer = ResponseReader::kMaxHeader + kSmallBuffer;

// An endpoint may close an idle connection while a request is being sent on it. This shows within one round
// trip. If a connection breaks later, it broke while the job ran.
constexpr auto kStaleWithin = 100ms;
// A php-fpm that is stopped resets the connections that none of its processes has accepted. On a busy machine
// it takes this long to stop.
constexpr auto kStaleFastcgiWithin = 1s;

// With TLS 1.3 the handshake is done on our side before the endpoint has checked our certificate. If the
// endpoint refuses the certificate, its alert comes within one round trip. A balancer may accept a
// connection, find no server, and close the connection. A probe over TLS waits for the alert; a connection
// that is to replace another one waits for both.
constexpr auto kSettled = 200ms;

// A connection that is to replace another one leaves so many file descriptors to connections that jobs wait
// for.
constexpr int kSpareDescriptors = 64;

}  // namespace

Connection::Connection(Endpoint& endpoint)
    : age_share(endpoint.settings_.age_share()),
      endpoint_(endpoint),
      stream_(endpoint.connector_.loop()),
      protocol_(endpoint.make_protocol()) {}

void Connection::open(Exchange* exchange, bool replaces) {
  replaces_ = replaces;
  exchange_ = exchange;
  if (exchange) exchange->connection_ = this;
  opening_at_ = Clock::now();
  endpoint_.deadlines_.set(*this, endpoint_.settings_.connect_timeout);
  const auto connected_or_not = [this](auto stream) {
    const auto self = shared_from_this();
    try {
      connected(std::move(stream));
    } catch (const std::bad_alloc&) {
      out_of_memory();
    }
  };
  attempt_ = endpoint_.connector_.connect(connected_or_not, replaces ? kSpareDescriptors : 0);
}

void Connection::on_deadline() {
  if (state_ == State::settling) return opened();
  const char* phase = attempt_->shaking_hands()
                          ? "the TLS handshake is not done (does it speak TLS on this port?)"
                      : attempt_->looking_up() ? "its name is still being looked up"
                                               : "nothing answers";
  const bool unanswered = !attempt_->shaking_hands() && !attempt_->looking_up();
  open_failed({unanswered ? Failure::Kind::full : Failure::Kind::unreachable,
               fmt::format("no connection within endpoint_connect_timeout ({} ms): {}",
                           endpoint_.settings_.connect_timeout.count(), phase)});
}

void Connection::connected(base::Result<net::Stream, net::Connector::Failure> stream) {
  attempt_.reset();
  if (!stream) {
    return open_failed({stream.error().no_capacity ? Failure::Kind::full : Failure::Kind::unreachable,
                        stream.error().message, stream.error().denied});
  }
  stream_ = std::move(*stream);
  protocol_->opened(stream_.socket());
  buffer_.resize(kSmallBuffer);
  if (!exchange_ && (stream_.is_tls() || replaces_)) {
    state_ = State::settling;
    endpoint_.deadlines_.set(*this, kSettled);
    read();
  } else {
    read();
    opened();
  }
}

void Connection::opened() {
  clear();
  opened_in_ = Clock::now() - opening_at_;
  state_ = State::idle;
  if (exchange_) {
    exchange_->phases_.connect = opened_in_;
    endpoint_.opening_done(*this, {});
    if (exchange_) send(*exchange_);
  } else {
    Endpoint& endpoint = endpoint_;
    const auto self = shared_from_this();  // it may be closed at once
    try {
      endpoint.became_idle(*this);
    } catch (const std::bad_alloc&) {  // of a request that has waited for a connection
      out_of_memory();
    }
    was_idle_ = state_ == State::idle;
    endpoint.opening_done(*this, {});
  }
}

void Connection::open_failed(const Failure& failure) {
  Endpoint& endpoint = endpoint_;
  Exchange* exchange = exchange_;
  const auto self = shared_from_this();
  close();
  endpoint.forget(*this);
  endpoint.opening_done(*this, failure);
  if (exchange) endpoint.deliver(*exchange, failure);
}

void Connection::send(Exchange& exchange) {
  state_ = State::busy;
  exchange_ = &exchange;
  exchange.connection_ = this;
  used_since_sweep = true;
  protocol_->start(exchange.request_, endpoint_.settings_.max_response_size, exchange.streams_);
  sent_at_ = Clock::now();
  request_sent_ = false;
  paused_ = false;
  write();
}

// Most often the kernel takes the whole request at once, and no completion handler has to run.
void Connection::write() {
  error_code error;
  const auto rest = protocol_->unwritten();
  protocol_->written(rest.size() == 1 ? stream_.write_some(rest[0], error) : stream_.write_some(rest, error));
  if (error && error != asio::error::would_block) return;  // the read in progress reports it
  request_sent_ = protocol_->unwritten().empty();
  if (!request_sent_) wait_to_write();
}

void Connection::wait_to_write() {
  stream_.async_wait([self = shared_from_this(), of = exchange_](const error_code& error) {
    // The response may have come meanwhile, and the connection may be closed.
    if (error || self->state_ != State::busy || self->exchange_ != of) return;
    try {
      self->write();
    } catch (const std::bad_alloc&) {
      self->out_of_memory();
    }
  });
}

void Connection::read() {
  const auto room = asio::buffer(buffer_) + filled_;
  stream_.async_read_some(room, [self = shared_from_this()](const error_code& error, std::size_t bytes) {
    try {
      self->on_read(error, bytes);
    } catch (const std::bad_alloc&) {
      self->out_of_memory();
    }
  });
}

void Connection::on_read(const error_code& error, std::size_t bytes) {
  if (state_ == State::closed) return;
  if (state_ == State::settling) {
    return open_failed(
        {Failure::Kind::unreachable,
         error ? fmt::format("{}: {}", stream_.is_tls() ? "TLS handshake failed" : "cannot connect",
                             error.message())
               : "it sent bytes before any request"});
  }
  if (state_ == State::idle) {  // the endpoint closed it, or sent bytes without a request
    close();
    endpoint_.forget(*this);
    return;
  }
  if (bytes > 0 && !exchange_->phases_.first_byte) {
    response_began_at_ = Clock::now();
    exchange_->phases_.first_byte = response_began_at_ - sent_at_;
  }
  filled_ += bytes;
  const auto taken = read_response();
  pass_stderr(/*over=*/false);
  if (!taken) return fail(taken.error());
  filled_ -= *taken;
  if (filled_ > 0 && *taken > 0) std::memmove(buffer_.data(), buffer_.data() + *taken, filled_);
  if (const auto more = pass_chunk()) {
    paused_ = !*more;
  } else {
    return fail(more.error());
  }

  if (!protocol_->done() && error) {
    if (refused_by_tls(error)) {
      return fail({Failure::Kind::unreachable, fmt::format("TLS handshake failed: {}", error.message())});
    }
    if (error != asio::error::eof) {
      return fail({Failure::Kind::connection_lost, fmt::format("the connection broke: {}", error.message())},
                  error == asio::error::connection_reset);
    }
    if (auto ended = protocol_->end_of_stream(); !ended) return fail(ended.error());
  }
  if (protocol_->done()) return take_response(error);

  // The header is long, or the body comes faster than it is read.
  if (*taken + filled_ == buffer_.size() && buffer_.size() < kLargeBuffer) buffer_.resize(kLargeBuffer);
  if (filled_ == buffer_.size()) {
    return fail(
        {Failure::Kind::too_large, fmt::format("the head of a chunk is larger than {} bytes", kLargeBuffer)});
  }
  if (!paused_) read();
}

void Connection::resume_reading() {
  if (std::exchange(paused_, false)) read();
}

// False: reading is paused.
base::Result<bool, Failure> Connection::pass_chunk() try {
  const auto chunk = protocol_->chunk();
  if (chunk.empty()) return true;
  auto more = exchange_->on_chunk(chunk);
  protocol_->chunk_taken();
  return more;
} catch (const std::bad_alloc&) {
  return Failure{Failure::Kind::too_large, "out of memory"};
}

void Connection::pass_stderr(bool over) try {
  const auto lines = protocol_->stderr_lines(over);
  if (lines.empty()) return;
  exchange_->on_stderr(lines);
  protocol_->stderr_lines_taken();
} catch (const std::bad_alloc&) {  // the lines are lost, which costs no job
}

// Whether a TLS alert ended the connection before the endpoint has read the request.
bool Connection::refused_by_tls(const error_code& error) const {
  return net::is_tls_alert(error) && !was_idle_ && !protocol_->started() && filled_ == 0;
}

base::Result<std::size_t, Failure> Connection::read_response() try {
  return protocol_->read({buffer_.data(), filled_});
} catch (const std::bad_alloc&) {
  return Failure{Failure::Kind::too_large, "out of memory"};
}

void Connection::take_response(const error_code& error) {
  pass_stderr(/*over=*/true);
  Response response = protocol_->response();
  response.keep_alive = response.keep_alive && !error && filled_ == 0 && request_sent_;
  Exchange& exchange = *std::exchange(exchange_, nullptr);
  exchange.connection_ = nullptr;
  state_ = State::idle;
  const bool keep = response.keep_alive;
  endpoint_.deliver(exchange, response);

  if (!keep) {
    if (!error && endpoint_.endpoint_closes_first()) {
      endpoint_.leave_to_close(*this);
      return read();
    }
    close();
    endpoint_.forget(*this);
    return;
  }
  if (buffer_.size() > kSmallBuffer) {
    buffer_.resize(kSmallBuffer);
    buffer_.shrink_to_fit();
  }
  was_idle_ = true;
  read();
  endpoint_.became_idle(*this);
}

// Whether the endpoint has most likely not read the request, when the connection breaks at once.
bool Connection::is_likely_unread(bool reset) const {
  // An endpoint may close a kept connection at any time. When php-fpm ends, it resets the connections that
  // none of its processes has read from. A job that makes its process die looks the same as both.
  if (was_idle_ || endpoint_.uri().is_fastcgi()) return true;
  // When a web server ends, the kernel resets the connections that the server has not accepted. A server that
  // dies with a request that it has read closes the connection, but does not reset it. While a large request
  // is being sent, a server reads it, and may have begun the job.
  return reset && request_sent_;
}

void Connection::fail(Failure failure, bool reset) {
  const Clock::duration soon =
      endpoint_.uri().is_fastcgi() ? Clock::duration(kStaleFastcgiWithin) : kStaleWithin + 2 * opened_in_;
  if (failure.kind == Failure::Kind::connection_lost && !protocol_->started() &&
      Clock::now() - sent_at_ < soon && is_likely_unread(reset)) {
    failure.kind = Failure::Kind::stale_connection;
  }
  pass_stderr(/*over=*/true);
  Exchange& exchange = *exchange_;
  close();
  endpoint_.forget(*this);
  endpoint_.deliver(exchange, std::move(failure));
}

// This ends the connection and the exchange on it. The message is short enough to need no memory.
void Connection::out_of_memory() {
  if (state_ == State::closed) return;
  if (opening()) return open_failed({Failure::Kind::unreachable, "out of memory"});
  if (exchange_) return fail({Failure::Kind::too_large, "out of memory"});
  close();
  endpoint_.forget(*this);
}

void Connection::abandon() { exchange_ = nullptr; }

void Connection::close() {
  if (state_ == State::closed) return;
  state_ = State::closed;
  clear();
  attempt_.reset();
  stream_.close();
  if (exchange_) exchange_->connection_ = nullptr;
  exchange_ = nullptr;
}

}  // namespace driveshaft::http
