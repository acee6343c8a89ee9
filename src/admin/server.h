// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "admin/action.h"
#include "admin/limits.h"
#include "admin/routes.h"
#include "monitor/monitor.h"
#include "net/address.h"
#include "net/tls.h"

namespace driveshaft::admin {

// Who may use the exporter address, and how. A path is empty if there is no such file.
struct ExporterSettings {
  std::vector<std::string> hosts{"localhost"};  // as in AccessRules
  std::string read_token_file{};                // none: everybody may read
  std::string admin_token_file{};               // none: actions are not allowed
  std::string certificate_file{};               // none: the exporter address does not use TLS
  std::string key_file{};                       // empty if and only if certificate_file is
};

// Listening sockets, as descriptors; -1: none.
struct Listeners {
  int exporter = -1;
  int control = -1;
};

// Serves HTTP on the exporter address and on the control socket. It runs in a thread of its own, so a slow
// scrape never delays a job. Everything but certificate() is called by the thread that made it.
class Server {
 public:
  // Binds and listens, so that this can be done before privileges are dropped. Requests are answered after
  // start(). Port 0 picks a free port. Throws base::StartupError when the address cannot be bound. Without an
  // address no socket is bound. `inherited` has the sockets of a process that hands over: this object owns
  // them from now on, and listens on them instead.
  Server(const std::optional<net::Address>& address, Sources sources, monitor::Watched watched,
         const ExporterSettings& exporter = {}, const Limits& limits = {}, const Listeners& inherited = {});
  ~Server();  // calls stop()
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // From now on `act` is called for each action that is asked for with the admin token or on the control
  // socket. Call this before start().
  void obey(Act act);

  // Listens on a Unix socket at this path too. It serves the same answers, and actions need no token there.
  // Call this before start(). Throws base::StartupError.
  void listen_for_control(const std::string& path);

  // Reads the files of the settings. Call this before start(), and after the process has become its user;
  // start() then watches the files for changes. Throws base::StartupError. Blocks.
  void read_files();

  // Starts the thread, so call it after any fork. An inherited control socket's file is removed at the end
  // only if this was called.
  void start();

  // The sockets, for a process that takes over. The descriptors stay valid until retire(), or until this
  // object is destroyed.
  Listeners listeners() const;
  // Another process listens on the sockets now, so this server accepts no more connections. Requests on
  // connections that it has accepted are still answered, with `Connection: close`. The connections of clients
  // that listen to events are closed, because they would go on to show this process. Then `done` is called,
  // in the server's thread. Call this after start().
  void retire(std::function<void()> done);

  // Closes every connection and joins the thread. It waits for no client, but up to one second for the
  // answers of pending actions to be sent. May be called again.
  void stop();

  // The certificate of the exporter address, as it was last read; nothing without TLS. Any thread.
  std::optional<net::Certificate> certificate() const;

  // The bound address: an IP address, and the port that was picked if 0 was asked for. There must be an
  // exporter address.
  net::Address address() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace driveshaft::admin
