// SPDX-License-Identifier: MIT
#include "gearman/dialer.h"

#include <fmt/format.h>
#include <netinet/tcp.h>

#include <utility>

#include "net/descriptors.h"

namespace driveshaft::gearman {
namespace {

using namespace std::chrono_literals;

constexpr auto kConnectTimeout = 5s;

}  // namespace

Dialer::Dialer(net::Resolver& resolver, base::DeadlineWheel& deadlines, const net::Address& server,
               std::shared_ptr<net::TlsClient> tls, std::chrono::milliseconds dead_after)
    : deadlines_(deadlines),
      dead_after_(dead_after),
      connector_(resolver, deadlines, server, 0s, std::move(tls), net::kReservedForExporter) {}

asio::awaitable<Dialer::Dialled> Dialer::dial() {
  const auto begin = [this](auto handler) {
    // A std::function can be copied, so its handler has to be copyable.
    done_ = [shared = std::make_shared<decltype(handler)>(std::move(handler))](Dialled result) {
      (*shared)(std::move(result));
    };
    deadlines_.set(*this, kConnectTimeout);
    attempt_ = connector_.connect([this](base::Result<net::Stream, net::Connector::Failure> stream) {
      if (!stream) return finish(LinkError{stream.error().message});
      set_options(stream->socket());
      finish(std::move(*stream));
    });
  };
  co_return co_await asio::async_initiate<decltype(asio::use_awaitable), void(Dialled)>(begin,
                                                                                        asio::use_awaitable);
}

void Dialer::finish(Dialled result) {
  clear();
  attempt_.reset();
  std::exchange(done_, nullptr)(std::move(result));
}

void Dialer::cancel() {
  if (!attempt_) return;
  clear();
  attempt_.reset();
  // The waiting coroutine is resumed by the loop, not from within cancel(). If the loop runs no more, the
  // coroutine is destroyed with it.
  asio::post(connector_.loop(), [done = std::exchange(done_, nullptr)] { done(LinkError{"given up"}); });
}

void Dialer::on_deadline() {
  finish(LinkError{attempt_->looking_up() ? "its name cannot be resolved: no answer in time"
                   : attempt_->shaking_hands()
                       ? "TLS handshake failed: no answer in time (does it speak TLS on this "
                         "port?)"
                       : "cannot connect: no answer in time"});
}

// If an option cannot be set, the connection is used without it.
void Dialer::set_options(net::Stream::Socket& socket) const {
  boost::system::error_code ignored;
  socket.set_option(asio::socket_base::keep_alive(true), ignored);
  const auto set = [&](int option, int value) {
    ::setsockopt(socket.native_handle(), IPPROTO_TCP, option, &value, sizeof value);
  };
  set(TCP_KEEPIDLE, 30);
  set(TCP_KEEPINTVL, 10);
  set(TCP_KEEPCNT, 3);
  set(TCP_USER_TIMEOUT, static_cast<int>(dead_after_.count()));
}

}  // namespace driveshaft::gearman
