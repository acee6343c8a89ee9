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

// One gearmand as all its connections see it. They are as many as there are pools, or more, and lose it
// together: the log gets one line when it goes and one when it is back. On the loop's thread.
class ServerState final : private base::Deadline {
 public:
  ServerState(base::DeadlineWheel& deadlines, const net::Address& server)
      : deadlines_(deadlines), name_(net::to_string(server)) {}

  // A connection is up; each is followed by one closed().
  void connected();
  void closed(std::chrono::steady_clock::time_point now) {
    --connections_;
    last_seen_ = now;
  }
  // A connection is lost, with `running` jobs on it, or cannot be made. Called before closed(), once for each
  // change of state of a connection.
  void failed(const std::string& why, int running);
  // A connection was answered with `error` to GRAB_JOB_UNIQ, and speaks `dialect` from now on. Said once each
  // time that the server comes up.
  void falls_back(Dialect dialect, const std::string& error);

  // When a connection to it was last up, if one ever was.
  std::optional<std::chrono::steady_clock::time_point> last_seen(
      std::chrono::steady_clock::time_point now) const {
    return connections_ > 0 ? now : last_seen_;
  }

  // That of the connections made since it came up.
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
  // Failures not yet told.
  int failures_ = 0;
  int running_ = 0;
  std::string why_;  // the first of them
};

// All servers that there are or have been, each made when it is first asked for. On the loop's thread.
class Servers {
 public:
  explicit Servers(base::DeadlineWheel& deadlines) : deadlines_(deadlines) {}
  // Stays where it is.
  ServerState& operator[](const net::Address& server) {
    return states_.try_emplace(net::to_string(server), deadlines_, server).first->second;
  }

 private:
  base::DeadlineWheel& deadlines_;
  std::map<std::string, ServerState> states_;
};

}  // namespace driveshaft::gearman
