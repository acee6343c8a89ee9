// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>

#include "base/deadlines.h"
#include "gearman/dialect.h"
#include "net/address.h"

namespace driveshaft::gearman {

// One gearmand, as all connections to it see it. There are as many connections as pools, or more, and they
// are lost together: the log gets one line when the server is lost, and one line when it is back. On the
// loop's thread.
class ServerState final : private base::Deadline {
 public:
  ServerState(base::DeadlineWheel& deadlines, const net::Address& server)
      : deadlines_(deadlines), name_(net::to_string(server)) {}

  // A connection is open. One call of closed() follows.
  void connected();
  void closed(std::chrono::steady_clock::time_point now) {
    --connections_;
    last_seen_ = now;
  }
  // A connection with `running` jobs is lost, or a connection cannot be made. Called before closed(), and
  // once for each change of state of a connection.
  void failed(const std::string& why, int running);
  // The server answered GRAB_JOB_UNIQ with `error`, so the connection uses `dialect` from now on. This is
  // logged once each time the server comes up.
  void falls_back(Dialect dialect, const std::string& error);

  // When a connection to it was last up, if one ever was.
  std::optional<std::chrono::steady_clock::time_point> last_seen(
      std::chrono::steady_clock::time_point now) const {
    return connections_ > 0 ? now : last_seen_;
  }

  // The dialect of the connections that were made since the server came up.
  Dialect dialect() const { return dialect_; }

 private:
  enum class Said { nothing, up, down };

  void on_deadline() override;

  base::DeadlineWheel& deadlines_;
  const std::string name_;  // host:port
  int connections_ = 0;
  std::optional<std::chrono::steady_clock::time_point> last_seen_;
  Said said_ = Said::nothing;
  Dialect dialect_ = Dialect::gearmand;
  // Failures that are not logged yet.
  int failures_ = 0;
  int running_ = 0;
  std::string why_;  // the reason of the first failure
};

// All servers that are or were in the jobs file. Each is made when it is first asked for. On the loop's
// thread.
class Servers {
 public:
  explicit Servers(base::DeadlineWheel& deadlines) : deadlines_(deadlines) {}
  // The reference stays valid.
  ServerState& operator[](const net::Address& server) {
    return states_.try_emplace(net::to_string(server), deadlines_, server).first->second;
  }

 private:
  base::DeadlineWheel& deadlines_;
  std::map<std::string, ServerState> states_;
};

}  // namespace driveshaft::gearman
