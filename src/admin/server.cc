// SPDX-License-Identifier: MIT
#include "admin/server.h"

#include <unistd.h>

#include <optional>
#include <thread>
#include <utility>

#include "admin/connection.h"
#include "admin/listen.h"
#include "admin/served_certificate.h"
#include "admin/token_file.h"
#include "base/blocked_signals.h"
#include "log/log.h"
#include "net/asio.h"
#include "net/descriptors.h"
#include "net/exceptions.h"
#include "net/tls_server.h"

namespace driveshaft::admin {
namespace {

using asio::ip::tcp;
using asio::local::stream_protocol;
using log::kMainLog;
using net::kResult;

constexpr std::chrono::milliseconds kAcceptPause{100};  // after an error such as "too many open files"
constexpr std::chrono::seconds kAnswersWithin{1};       // in stop()
constexpr const char* kReadToken = "admin_read_token_file";
constexpr const char* kAdminToken = "admin_token_file";

}  // namespace

struct Server::Impl {
  Impl(const std::optional<net::Address>& address, Sources sources, monitor::Watched watched,
       const ExporterSettings& access, const Limits& bounds, const Listeners& inherited)
      : serving(io, monitor, std::move(sources),
                {.hosts = access.hosts,
                 .read_token = {},
                 .admin_token = {},
                 .tls = !access.certificate_file.empty()},
                bounds),
        exporter(Clients::Of::exporter, bounds.connections,
                 access.admin_token_file.empty() ? bounds.body_bytes : bounds.control_body_bytes),
        control(Clients::Of::control_socket, bounds.control_connections, bounds.control_body_bytes),
        read_token(io, kReadToken, access.read_token_file, serving.rules.read_token),
        admin_token(io, kAdminToken, access.admin_token_file, serving.rules.admin_token),
        certificate(io, access.certificate_file, access.key_file),
        monitor(io, std::move(watched)) {
    if (inherited.exporter >= 0) {
      acceptor.emplace(adopt(io, inherited.exporter));
    } else if (address) {
      acceptor.emplace(listen(io, *address));
    }
    if (inherited.control >= 0) control_acceptor.emplace(io, stream_protocol(), inherited.control);
  }
  ~Impl() {
    if (owns_control_path) ::unlink(control_path.c_str());
  }

  template <class Acceptor>
  void spawn(const char* what, Acceptor& from, Clients& clients);
  template <class Acceptor>
  asio::awaitable<void> accept_all(Acceptor& from, Clients& clients);
  asio::awaitable<void> serve(Stream::Socket socket, Clients& clients, ScopedCount open,
                              ScopedCount unanswered);
  asio::awaitable<void> retire(std::function<void()> done);

  std::string control_path;
  bool owns_control_path = false;
  Serving serving;  // the admin thread's once it runs, as all members below are
  Clients exporter;
  Clients control;
  asio::io_context io{1};  // destroyed before the members above, which its coroutines use
  TokenFile read_token;
  TokenFile admin_token;
  ServedCertificate certificate;
  monitor::Monitor monitor;
  std::optional<tcp::acceptor> acceptor;
  std::optional<stream_protocol::acceptor> control_acceptor;
  std::thread thread;
};

template <class Acceptor>
asio::awaitable<void> Server::Impl::accept_all(Acceptor& from, Clients& clients) {
  asio::steady_timer pause(io);
  bool failing = false;
  while (true) {
    Stream::Socket socket(io);
    const auto [error] = co_await from.async_accept(socket, kResult);
    if (error && serving.retiring) co_return;
    if (error) {
      if (!failing) kMainLog.warn("cannot accept connections on {}: {}", clients.name, error.message());
      failing = true;
      if (error == asio::error::no_descriptors) {
        net::note_lack_of_descriptors();
        if (clients.make_room()) continue;
      }
      pause.expires_after(kAcceptPause);
      co_await pause.async_wait(kResult);
      continue;
    }
    failing = false;
    if (clients.open >= clients.most && !clients.make_room()) continue;
    asio::co_spawn(io,
                   serve(std::move(socket), clients, ScopedCount(clients.open), ScopedCount(serving.busy)),
                   net::kRethrow);
  }
}

asio::awaitable<void> Server::Impl::serve(Stream::Socket socket, Clients& clients, ScopedCount,
                                          ScopedCount unanswered) {
  net::TlsSession tls;
  if (clients.of == Clients::Of::exporter && certificate.context()) {
    tls = net::server_session(*certificate.context());
    if (!tls) co_return;
  }
  Connection connection(std::move(socket), std::move(tls), clients, serving);
  co_await connection.serve(std::move(unanswered));
}

Server::Server(const std::optional<net::Address>& address, Sources sources, monitor::Watched watched,
               const ExporterSettings& access, const Limits& limits, const Listeners& inherited)
    : impl_(std::make_unique<Impl>(address, std::move(sources), std::move(watched), access, limits,
                                   inherited)) {}

Server::~Server() { stop(); }

void Server::obey(Act act) { impl_->serving.answers.obey(std::move(act)); }

void Server::listen_for_control(const std::string& path) {
  if (!impl_->control_acceptor) {
    impl_->control_acceptor.emplace(bind_control_socket(impl_->io, path));
    impl_->owns_control_path = true;
  }
  impl_->control_path = path;
}

void Server::read_files() {
  impl_->read_token.load();
  impl_->admin_token.load();
  impl_->certificate.load();
}

template <class Acceptor>
void Server::Impl::spawn(const char* what, Acceptor& from, Clients& clients) {
  asio::co_spawn(io, net::restarted(what, [this, &from, &clients] { return accept_all(from, clients); }),
                 net::kRethrow);
}

void Server::start() {
  impl_->owns_control_path = impl_->control_acceptor.has_value();
  impl_->monitor.start();
  impl_->read_token.watch();
  impl_->admin_token.watch();
  impl_->certificate.watch();
  if (impl_->acceptor) {
    impl_->spawn("accepting connections on the exporter address", *impl_->acceptor, impl_->exporter);
  }
  if (impl_->control_acceptor) {
    impl_->spawn("accepting connections on the control socket", *impl_->control_acceptor, impl_->control);
  }
  const base::BlockedSignals blocked;
  impl_->thread = std::thread([impl = impl_.get()] {
    ::pthread_setname_np(::pthread_self(), "admin");
    net::run_past_exceptions(impl->io, "the admin thread");
  });
}

// Waits for pending actions: an action may end this process before its own answer is sent.
void Server::stop() {
  if (impl_->thread.joinable()) impl_->serving.pending_actions.wait_for_end(kAnswersWithin);
  impl_->io.stop();
  if (impl_->thread.joinable()) impl_->thread.join();
}

Listeners Server::listeners() const {
  return {.exporter = impl_->acceptor ? impl_->acceptor->native_handle() : -1,
          .control = impl_->control_acceptor ? impl_->control_acceptor->native_handle() : -1};
}

asio::awaitable<void> Server::Impl::retire(std::function<void()> done) {
  constexpr std::chrono::milliseconds kLookEvery{20};
  serving.retiring = true;
  stop_listening(acceptor);
  stop_listening(control_acceptor);
  for (Stream* stream : serving.streams) stream->close();
  asio::steady_timer pause(io);
  while (serving.busy > 0) {
    pause.expires_after(kLookEvery);
    co_await pause.async_wait(kResult);
  }
  done();
}

void Server::retire(std::function<void()> done) {
  impl_->owns_control_path = false;
  asio::co_spawn(impl_->io, impl_->retire(std::move(done)), net::kRethrow);
}

std::optional<net::Certificate> Server::certificate() const { return impl_->certificate.shown(); }

net::Address Server::address() const {
  const auto endpoint = impl_->acceptor->local_endpoint();
  return {endpoint.address().to_string(), endpoint.port()};
}

}  // namespace driveshaft::admin
