// SPDX-License-Identifier: MIT
#include "admin/server.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "admin/listen.h"
#include "base/error.h"
#include "base/exit_codes.h"
#include "base/test_dir.h"
#include "log/log.h"
#include "net/asio.h"
#include "net/tls_test_files.h"

namespace driveshaft::admin {
namespace {

using namespace std::chrono_literals;
using asio::ip::tcp;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const net::Address kLoopback{"127.0.0.1", 0};

Health turning() { return {true, "turning"}; }

Health without_gearmand() { return {false, "no gearmand"}; }

Sources sources() {
  return {.metrics = [] { return std::string("m 1\n"); }, .health = turning, .ready = without_gearmand};
}

// A daemon without pools, whose jobs file has these errors. It answers in the thread that asks.
monitor::Watched watched(std::vector<std::string> errors = {}) {
  static metrics::Registry registry;
  static net::TlsClients tls;
  return {.about = {},
          .snapshot =
              [errors = std::move(errors)](monitor::Detail,
                                           const std::function<void(monitor::SnapshotPtr)>& done) {
                done(std::make_shared<const monitor::Snapshot>(monitor::Snapshot{
                    .at = std::chrono::steady_clock::now(),
                    .wall = std::chrono::system_clock::now(),
                    .draining = false,
                    .config = {std::make_shared<const config::Config>(), {}, errors, {}, {}},
                    .process = {},
                    .pools = {}}));
              },
          .metrics = registry,
          .tls = tls};
}

// A client that fails instead of waiting for ever: nothing here takes ten seconds.
class Client {
 public:
  explicit Client(const net::Address& address) : Client() { connect(address); }
  Client() : socket_(io_) {}

  void open() { socket_.open(tcp::v4()); }
  void connect(const net::Address& address) {
    socket_.connect({asio::ip::make_address(address.host), address.port});
    const timeval ten_seconds{10, 0};
    ::setsockopt(socket_.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &ten_seconds, sizeof ten_seconds);
  }

  void send(const std::string& text) {
    boost::system::error_code ignored;  // the server may have closed already
    asio::write(socket_, asio::buffer(text), ignored);
  }

  // Reads up to and with `end`, or up to the close.
  std::string read_until(const std::string& end) {
    while (pending_.find(end) == std::string::npos) {
      char bytes[4096];
      const ssize_t size = ::recv(socket_.native_handle(), bytes, sizeof bytes, 0);
      if (size < 0 && errno != ECONNRESET) return "(time-out) " + pending_;
      if (size <= 0) return std::exchange(pending_, "");
      pending_.append(bytes, static_cast<std::size_t>(size));
    }
    const std::size_t size = pending_.find(end) + end.size();
    std::string text = pending_.substr(0, size);
    pending_.erase(0, size);
    return text;
  }
  std::string read_all() { return read_until("no answer has this"); }

  std::string ask(const std::string& request) {
    send(request);
    return read_all();
  }

 private:
  asio::io_context io_;
  tcp::socket socket_;
  std::string pending_;
};

std::string get(const std::string& path) {
  return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
}

TEST(AdminServer, AnswersOnIpv4AndIpv6AndByName) {
  for (const char* host : {"127.0.0.1", "::1", "localhost"}) {
    Server server(net::Address{host, 0}, sources(), watched());
    server.start();
    EXPECT_NE(server.address().port, 0);
    const std::string reply = Client(server.address()).ask(get("/metrics"));
    EXPECT_THAT(reply, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(reply, HasSubstr("\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    EXPECT_THAT(reply, EndsWith("\r\n\r\nm 1\n"));
  }
}

TEST(AdminServer, ItsThreadGetsNoSignals) {
  std::promise<bool> is_blocked;
  Sources of_thread = sources();
  of_thread.metrics = [&] {
    sigset_t signals;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &signals);
    is_blocked.set_value(sigismember(&signals, SIGTERM) == 1);
    return std::string();
  };
  Server server(kLoopback, std::move(of_thread), watched());
  server.start();
  Client(server.address()).ask(get("/metrics"));
  EXPECT_TRUE(is_blocked.get_future().get());
}

TEST(AdminServer, HeadHasTheLengthButNoBody) {
  Server server(kLoopback, sources(), watched());
  server.start();
  const std::string reply =
      Client(server.address()).ask("HEAD /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(reply, HasSubstr("\r\nContent-Length: 4\r\n"));
  EXPECT_THAT(reply, EndsWith("\r\n\r\n"));
}

TEST(AdminServer, StatusesOfTheRoutesArrive) {
  Server server(kLoopback, sources(), watched());
  server.start();
  EXPECT_THAT(Client(server.address()).ask(get("/readyz")), StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(Client(server.address()).ask(get("/nothing")), StartsWith("HTTP/1.1 404 "));
  const std::string refused = Client(server.address())
                                  .ask(
                                      "POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n"
                                      "Connection: close\r\n\r\nhi");
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 405 "));
  EXPECT_THAT(refused, HasSubstr("\r\nAllow: GET, HEAD\r\n"));
}

TEST(AdminServer, KeepsConnectionsAlive) {
  Server server(kLoopback, sources(), watched());
  server.start();
  Client client(server.address());
  for (int i = 0; i < 3; ++i) {
    client.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    EXPECT_THAT(client.read_until("m 1\n"), StartsWith("HTTP/1.1 200 OK\r\n"));
  }
  client.send(
      "HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(client.read_until("\r\n\r\n"), HasSubstr("Content-Length: 4"));
  EXPECT_THAT(client.read_until("turning\n"), StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST(AdminServer, Http10ClosesUnlessKeepAliveIsAsked) {
  Server server(kLoopback, sources(), watched());
  server.start();
  EXPECT_THAT(Client(server.address()).ask("GET /metrics HTTP/1.0\r\n\r\n"), EndsWith("m 1\n"));
}

TEST(AdminServer, AnswersToNamesOfItsHostAlone) {
  const ExporterSettings access{.hosts = {"localhost", "worker-1"}};
  Server server(kLoopback, sources(), watched(), access);
  server.start();
  const auto ask = [&](const std::string& target, const std::string& host) {
    return Client(server.address())
        .ask("GET " + target + " HTTP/1.1\r\n" + host + "Connection: close\r\n\r\n");
  };
  EXPECT_THAT(ask("/metrics", "Host: worker-1:8888\r\n"), EndsWith("m 1\n"));
  for (const char* target : {"/", "/metrics", "/healthz", "/api/v1/status", "/api/v1/events", "/nothing"}) {
    const std::string reply = ask(target, "Host: evil.example\r\n");
    EXPECT_THAT(reply, StartsWith("HTTP/1.1 421 Misdirected Request\r\n")) << target;
    EXPECT_THAT(reply, HasSubstr("start it with --exporter_host evil.example")) << target;
  }
  EXPECT_THAT(ask("/metrics", ""), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(ask("/metrics", "Host: localhost\r\nHost: evil.example\r\n"), StartsWith("HTTP/1.1 400 "));
}

TEST(AdminServer, BrowsersAreToldToKeepItFromOtherSites) {
  Server server(kLoopback, sources(), watched());
  server.start();
  for (const char* path : {"/", "/metrics", "/api/v1/status", "/nothing"}) {
    const std::string reply = Client(server.address()).ask(get(path));
    for (const char* header :
         {"Content-Security-Policy: default-src 'none'; ", "X-Content-Type-Options: nosniff",
          "Referrer-Policy: no-referrer", "Cross-Origin-Resource-Policy: same-origin",
          "Cross-Origin-Opener-Policy: same-origin", "X-Frame-Options: DENY", "Cache-Control: no-store"}) {
      EXPECT_THAT(reply, HasSubstr(std::string("\r\n") + header)) << path;
    }
  }
}

TEST(AdminServer, TheApiIsJson) {
  Server server(kLoopback, sources(), watched());
  server.start();
  const std::string reply = Client(server.address()).ask(get("/api/v1/status"));
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(reply, HasSubstr("\r\nContent-Type: application/json\r\n"));
  EXPECT_THAT(reply, HasSubstr("no pool takes jobs yet"));
  EXPECT_THAT(Client(server.address()).ask(get("/api/v1/jobs")), HasSubstr("\"jobs\":[]"));
  EXPECT_THAT(Client(server.address()).ask(get("/api/v1/pools/none")), StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(Client(server.address())
                  .ask("POST /api/v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n"
                       "Connection: close\r\n\r\n"),
              StartsWith("HTTP/1.1 405 "));
}

TEST(AdminServer, TheApiReportsThatTheLoopHasNeverAnswered) {
  auto stuck = watched();
  stuck.snapshot = [](monitor::Detail, const std::function<void(monitor::SnapshotPtr)>&) {};
  Server server(kLoopback, sources(), std::move(stuck));
  server.start();
  EXPECT_THAT(Client(server.address()).ask(get("/api/v1/status")), StartsWith("HTTP/1.1 503 "));
}

constexpr std::string_view kListen = "GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n";

TEST(AdminServer, EventsKeepComing) {
  Server server(kLoopback, sources(), watched());
  server.start();
  Client client(server.address());
  client.send(std::string(kListen));
  EXPECT_THAT(client.read_until("\r\n\r\n"), HasSubstr("\r\nContent-Type: text/event-stream\r\n"));
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(client.read_until("}\n\n"), HasSubstr("event: status\ndata: {\"at\":"));
  }
  server.stop();
}

TEST(AdminServer, ListenersToEventsAreLimited) {
  Server server(kLoopback, sources(), watched(), {}, {.streams = 1});
  server.start();
  Client client(server.address());
  client.send(std::string(kListen));
  EXPECT_THAT(client.read_until("\r\n\r\n"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(Client(server.address()).ask(get("/api/v1/events")), StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(Client(server.address()).ask(get("/metrics")), EndsWith("m 1\n"));
}

TEST(AdminServer, AListenerThatDoesNotReadIsDropped) {
  constexpr std::size_t kMuch = 32 * 1024 * 1024;  // more than the kernel takes for a client
  Server server(kLoopback, sources(), watched({std::string(kMuch, 'x')}), {},
                {.request = 200ms, .streams = 1});
  server.start();
  Client client(server.address());
  client.send(std::string(kListen));
  EXPECT_THAT(client.read_until("data: "), EndsWith("data: "));
  // When the client is dropped, another one can listen.
  const auto give_up = std::chrono::steady_clock::now() + 10s;
  bool free = false;
  while (!free && std::chrono::steady_clock::now() < give_up) {
    Client other(server.address());
    other.send(std::string(kListen));
    free = other.read_until("\r\n\r\n").starts_with("HTTP/1.1 200 ");
  }
  EXPECT_TRUE(free);
  EXPECT_LT(client.read_all().size(), kMuch);
}

TEST(AdminServer, RefusesRequestsThatAreTooLargeOrNotHttp) {
  Server server(kLoopback, sources(), watched());
  server.start();
  const std::string long_header =
      "GET / HTTP/1.1\r\nHost: localhost\r\nA: " + std::string(9'000, 'a') + "\r\n\r\n";
  EXPECT_THAT(Client(server.address()).ask(long_header), StartsWith("HTTP/1.1 431 "));
  EXPECT_THAT(
      Client(server.address()).ask("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n\r\n"),
      StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(Client(server.address()).ask("\x16\x03\x01\x02 hello\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(Client(server.address()).ask(get("/metrics")), EndsWith("m 1\n")) << "the server is well";
}

TEST(AdminServer, ClosesConnectionsThatAreTooSlowOrIdle) {
  Server server(kLoopback, sources(), watched(), {}, {.request = 50ms, .keep_alive = 50ms});
  server.start();
  EXPECT_EQ(Client(server.address()).read_all(), "") << "says nothing";
  EXPECT_EQ(Client(server.address()).ask("GET /metr"), "") << "never finishes";
  Client idle(server.address());
  idle.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(idle.read_all(), EndsWith("m 1\n"));
}

TEST(AdminServer, TheConnectionThatWaitsLongestMakesRoom) {
  Server server(kLoopback, sources(), watched(), {}, {.connections = 2});
  server.start();
  Client first(server.address());
  Client second(server.address());
  for (Client* client : {&first, &second, &first}) {  // the second has now been idle for longer
    client->send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    EXPECT_THAT(client->read_until("m 1\n"), EndsWith("m 1\n"));
  }
  EXPECT_THAT(Client(server.address()).ask(get("/metrics")), EndsWith("m 1\n"));
  EXPECT_EQ(second.read_all(), "");
  first.send(get("/metrics"));
  EXPECT_THAT(first.read_all(), EndsWith("m 1\n"));
}

TEST(AdminServer, AnswersBesideAnyNumberOfSilentConnections) {
  Server server(kLoopback, sources(), watched(), {}, {.connections = 2});
  server.start();
  std::vector<std::unique_ptr<Client>> silent;
  for (int i = 0; i < 20; ++i) {
    silent.push_back(std::make_unique<Client>(server.address()));
    if (i % 2 == 0) silent.back()->send("GET /met");
  }
  EXPECT_THAT(Client(server.address()).ask(get("/metrics")), EndsWith("m 1\n"));
}

TEST(AdminServer, AnExceptionIsAnswered) {
  Sources broken = sources();
  broken.metrics = []() -> std::string { throw std::runtime_error("secret"); };
  monitor::Watched also_broken = watched();
  also_broken.snapshot = [](monitor::Detail detail, const auto&) {
    if (detail == monitor::Detail::all) throw std::runtime_error("secret");
  };
  Server server(kLoopback, broken, also_broken);
  server.start();
  for (const char* path : {"/metrics", "/api/v1/jobs"}) {
    const std::string reply = Client(server.address()).ask(get(path));
    EXPECT_THAT(reply, StartsWith("HTTP/1.1 500 ")) << path;
    EXPECT_THAT(reply, HasSubstr("internal error, see the log")) << path;
    EXPECT_THAT(reply, Not(HasSubstr("secret"))) << path;
  }
}

TEST(AdminServer, MonitoringGoesOnAfterAnException) {
  monitor::Watched once_broken = watched();
  once_broken.snapshot = [good = once_broken.snapshot, asked = 0](monitor::Detail detail,
                                                                  const auto& done) mutable {
    if (++asked == 1) throw std::runtime_error("a bug");
    good(detail, done);
  };
  Server server(kLoopback, sources(), once_broken);
  server.start();
  std::string reply;
  for (int i = 0; i < 10 && !reply.starts_with("HTTP/1.1 200 "); ++i) {  // each waits for a second
    reply = Client(server.address()).ask(get("/api/v1/status"));
  }
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 200 "));
}

TEST(AdminServer, ManyScrapersAtOnce) {
  Server server(kLoopback, sources(), watched());
  server.start();
  std::vector<std::thread> scrapers;
  scrapers.reserve(8);
  std::atomic<int> answered{0};
  for (int i = 0; i < 8; ++i) {
    scrapers.emplace_back([&] {
      for (int j = 0; j < 25; ++j)
        answered += Client(server.address()).ask(get("/metrics")).ends_with("m 1\n");
    });
  }
  for (std::thread& scraper : scrapers) scraper.join();
  EXPECT_EQ(answered, 200);
}

TEST(AdminServer, BigAnswersArriveWhole) {
  Sources big = sources();
  big.metrics = [] { return std::string(5'000'000, 'm') + "end"; };
  Server server(kLoopback, big, watched());
  server.start();
  const std::string reply = Client(server.address()).ask(get("/metrics"));
  EXPECT_GT(reply.size(), 5'000'000U);
  EXPECT_THAT(reply.substr(reply.size() - 4), "mend");
}

TEST(AdminServer, AddressInUseIsAStartupError) {
  Server server(kLoopback, sources(), watched());
  const std::string taken = net::to_string(server.address());
  try {
    Server other(server.address(), sources(), watched());
    FAIL() << "bound twice";
  } catch (const base::StartupError& e) {
    EXPECT_EQ(e.exit_code(), base::kExitExporter);
    EXPECT_THAT(e.what(), HasSubstr("cannot listen on " + taken + " for metrics: Address already in use"));
    EXPECT_THAT(e.what(), HasSubstr("--exporter_addr"));
  }
}

TEST(AdminServer, AControlSocketInADirectoryThatDoesNotExistIsAStartupError) {
  asio::io_context io;
  const base::TestDir dir;
  const std::string path = dir / "none/control.sock";
  try {
    bind_control_socket(io, path);
    FAIL() << "there is no such directory";
  } catch (const base::StartupError& e) {
    EXPECT_EQ(e.what(), "cannot listen on " + path + " for control: the directory " + (dir / "none") +
                            " does not exist; name another path with --control_socket, in a directory that "
                            "can be written");
  }
}

TEST(AdminServer, ForeignAddressIsAStartupError) {
  EXPECT_THROW(Server(net::Address{"192.0.2.1", 0}, sources(), watched()), base::StartupError);
  EXPECT_THROW(Server(net::Address{"no-such-host.invalid", 0}, sources(), watched()), base::StartupError);
}

TEST(AdminServer, StopsWithConnectionsOpen) {
  Server server(kLoopback, sources(), watched());
  server.start();
  Client alive(server.address());
  alive.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(alive.read_until("m 1\n"), EndsWith("m 1\n"));
  Client halfway(server.address());
  halfway.send("GET /met");
  server.stop();
  server.stop();
}

// An upgrade takes longer than a client may take for a request.
TEST(AdminServer, AnActionMayTakeLongerThanARequest) {
  static constexpr auto kRequest = 50ms;
  const base::TestDir dir;
  const std::string path = dir / "control.sock";
  Server server(kLoopback, sources(), watched(), {}, Limits{.request = kRequest});
  server.listen_for_control(path);
  std::thread acting;
  server.obey([&](const Action&, const std::string&, std::function<void(ActionResult)> done) {
    acting = std::thread([done = std::move(done)] {
      std::this_thread::sleep_for(4 * kRequest);
      done({200, "it is done"});
    });
  });
  server.start();
  asio::io_context io;
  asio::local::stream_protocol::socket socket(io);
  socket.connect(asio::local::stream_protocol::endpoint(path));
  asio::write(socket, asio::buffer(std::string("POST /api/v1/control/reload HTTP/1.1\r\nHost: localhost\r\n"
                                               "Content-Length: 2\r\nConnection: close\r\n\r\n{}")));
  std::string answer;
  boost::system::error_code end;
  asio::read(socket, asio::dynamic_buffer(answer), end);
  acting.join();
  EXPECT_THAT(answer, HasSubstr("it is done"));
}

// Both servers are in this process; the second gets copies of the sockets, as another process would.
TEST(AdminServer, AnotherProcessTakesOverWithoutARefusedConnection) {
  const base::TestDir dir;
  const std::string path = dir / "control.sock";
  std::optional<Server> old(std::in_place, kLoopback, sources(), watched());
  old->listen_for_control(path);
  old->start();
  const auto address = old->address();
  Client kept(address);
  kept.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(kept.read_until("m 1\n"), Not(HasSubstr("Connection: close")));
  Client kept_too(address);
  kept_too.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
  kept_too.read_until("m 1\n");
  Client silent(address);
  Client listener(address);
  listener.send(std::string(kListen));
  EXPECT_THAT(listener.read_until("\r\n\r\n"), HasSubstr("text/event-stream"));

  auto next_sources = sources();
  next_sources.metrics = [] { return std::string("m 2\n"); };
  const auto listeners = old->listeners();
  Server next(kLoopback, next_sources, watched(), {}, {},
              {.exporter = ::dup(listeners.exporter), .control = ::dup(listeners.control)});
  next.listen_for_control(path);
  EXPECT_EQ(next.address(), address);
  std::promise<void> quiet;
  old->retire([&] { quiet.set_value(); });
  listener.read_all();    // the old server closes this connection after it has stopped listening
  Client early(address);  // this connection waits in the socket's queue
  early.send(get("/metrics"));
  next.start();
  EXPECT_THAT(early.read_all(), EndsWith("m 2\n"));
  auto done = quiet.get_future();
  EXPECT_EQ(done.wait_for(0s), std::future_status::timeout) << "one has connected and asked nothing yet";
  EXPECT_THAT(silent.ask("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"),
              testing::AllOf(HasSubstr("Connection: close"), EndsWith("m 1\n")));
  EXPECT_EQ(done.wait_for(10s), std::future_status::ready) << "a kept connection is not waited for";
  kept.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(kept.read_all(), testing::AllOf(HasSubstr("Connection: close"), EndsWith("m 1\n")));
  EXPECT_EQ(kept_too.ask(std::string(kListen)), "") << "it asks again, the next one";
  old.reset();
  EXPECT_TRUE(std::filesystem::exists(path)) << "the control socket is the other's now";
  EXPECT_THAT(Client(address).ask(get("/metrics")), EndsWith("m 2\n"));
}

TEST(AdminServer, AHandshakeIsWaitedForBeforeAnotherProcessTakesOver) {
  const base::TestDir dir;
  const auto own = net::make_certificate(dir, "one");
  ExporterSettings settings;
  settings.certificate_file = own.certificate_file;
  settings.key_file = own.key_file;
  Server server(kLoopback, sources(), watched(), settings);
  server.read_files();
  server.start();
  Client silent(server.address());
  Client open(server.address());  // it is accepted after the other one
  EXPECT_THAT(open.ask("this is no TLS"), Not(HasSubstr("time-out")));
  std::promise<void> quiet;
  server.retire([&] { quiet.set_value(); });
  EXPECT_EQ(quiet.get_future().wait_for(200ms), std::future_status::timeout);
}

TEST(AdminServer, AnInheritedControlSocketStaysIfTheProcessNeverServes) {
  const base::TestDir dir;
  Server old({}, sources(), watched());
  old.listen_for_control(dir / "control.sock");
  {
    Server next({}, sources(), watched(), {}, {}, {.control = ::dup(old.listeners().control)});
    next.listen_for_control(dir / "control.sock");
  }
  EXPECT_TRUE(std::filesystem::exists(dir / "control.sock"));
}

TEST(AdminServer, NeedNotBeStarted) { const Server server(kLoopback, sources(), watched()); }

// When the process has no file descriptor left, accepting goes on as soon as there is one again.
TEST(AdminServer, SurvivesTooManyOpenFiles) {
  const base::TestDir dir;
  log::configure_logging(dir.write("log.properties",
                                   "log4j.rootLogger=WARN, file\n"
                                   "log4j.appender.file=org.apache.log4j.FileAppender\n"
                                   "log4j.appender.file.File=" +
                                       (dir / "a.log") +
                                       "\n"
                                       "log4j.appender.file.layout=org.apache.log4j.SimpleLayout\n"));
  const int log = ::open((dir / "a.log").c_str(), O_RDONLY | O_CLOEXEC);
  Server server(kLoopback, sources(), watched());
  Client client;
  client.open();
  server.start();
  // A connection before the shortage is needed: the accept that waits already has its descriptor when it
  // returns.
  EXPECT_THAT(Client(server.address()).ask(get("/metrics")), EndsWith("m 1\n"));

  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const rlimit none{0, before.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &none);
  client.connect(server.address());
  client.send(get("/metrics"));
  const auto give_up = std::chrono::steady_clock::now() + 10s;
  std::string told;
  while (told.find('\n') == std::string::npos && std::chrono::steady_clock::now() < give_up) {
    char bytes[512];
    const ssize_t size = ::read(log, bytes, sizeof bytes);
    if (size > 0) told.append(bytes, static_cast<std::size_t>(size));
    std::this_thread::yield();
  }
  ::setrlimit(RLIMIT_NOFILE, &before);
  ::close(log);
  EXPECT_THAT(told, HasSubstr("cannot accept connections on the exporter address: Too many open files"));
  EXPECT_THAT(client.read_all(), EndsWith("m 1\n"));
}

}  // namespace
}  // namespace driveshaft::admin
