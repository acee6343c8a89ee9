// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "admin/action.h"
#include "admin/routes.h"
#include "monitor/monitor.h"
#include "net/address.h"
#include "net/tls.h"

namespace driveshaft::admin {

// Limits on what clients may use. A client that exceeds a limit gets an error answer where HTTP has one, and
// its connection is closed.
struct Limits {
  std::uint32_t header_bytes = 8 * 1024;
  std::uint64_t body_bytes = 4 * 1024;
  std::chrono::milliseconds request{10'000};  // from a request's first byte to its last; then for its answer
  std::chrono::milliseconds keep_alive{60'000};  // between two requests
  std::size_t connections =
      256;  // a further one closes the connection that has waited longest for its client
  std::size_t control_connections = 32;  // of the control socket, likewise
  std::uint64_t control_body_bytes = 64 * 1024;
  std::size_t streams =
      128;  // of them, clients of /api/v1/events; more are told to ask for the status instead
};

// Who may use the exporter address, and how. Paths are empty where there is no such file.
struct ExporterSettings {
  std::vector<std::string> hosts{"localhost"};  // as in AccessRules
  std::string read_token_file{};                // none: no token is wanted to read
  std::string admin_token_file{};               // none: there are no actions
  std::string certificate_file{};               // none: it is served without TLS
  std::string key_file{};                       // there if and only if that is
};

// Listening sockets, as descriptors; -1: none.
struct Listeners {
  int exporter = -1;
  int control = -1;
};

// HTTP on the exporter address, in one thread of its own, so that a slow scrape never delays a job.
class Server {
 public:
  // Binds and listens, so that this can be done before privileges are dropped. Requests are answered after
  // start(). Port 0 picks a free one. Throws base::StartupError when the address cannot be bound.
  // None of that without an address. `inherited`: the sockets of a process that hands over, which are
  // this object's from now on, and are listened on instead.
  Server(const std::optional<net::Address>& address, Sources sources, monitor::Watched watched,
         const ExporterSettings& exporter = {}, const Limits& limits = {}, const Listeners& inherited = {});
  ~Server();  // stops
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Calls `act` for actions that are asked for with the admin token, or on the control socket. Before
  // start().
  void obey(Act act);

  // Listens on a Unix socket of that path, too, where the same is served, and actions need no token. Before
  // start(). Throws base::StartupError.
  void listen_for_control(const std::string& path);

  // Reads the files of the settings, as the user that the process has become. Before start(), which watches
  // them. Throws base::StartupError. Blocks.
  void read_files();

  // Starts the thread: after any fork. From now on an inherited control socket is removed at the end.
  void start();

  // For a process that takes over. Good until retire() or the end.
  Listeners listeners() const;
  // After start(): another process listens on the sockets, so this one accepts no more connections. Requests
  // of those that it has accepted are answered, with `Connection: close`, and listeners of events are sent
  // away, as they would go on to see this process. Then calls `done`, in the server's thread.
  void retire(std::function<void()> done);

  // Closes every connection and joins the thread; waits for no client, but for answers to actions, a second
  // at most. May be called again.
  void stop();

  // That of the exporter address, as it was last read; nothing without TLS. Any thread.
  std::optional<net::Certificate> certificate() const;

  // As bound: the literal, and the port that was picked.
  net::Address address() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace driveshaft::admin
