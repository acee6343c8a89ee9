// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "letters/account.h"
#include "letters/letter.h"
#include "letters/named.h"
#include "net/asio.h"

// Looks at the letters of gearmands, runs their jobs again, or deletes them.
//
// A letter can be read only by being taken. gearmand has back what is not completed when the connection ends,
// however it ends, so nothing is lost when this process is killed: a letter is completed only when gearmand
// has taken its job. At the worst a job runs twice. As many letters are taken as there are at the beginning,
// so it ends although jobs that are run again fail again.
//
// What gearmand has back comes behind the letters that were not taken, the last one first (measured: 1.1.20).
namespace driveshaft::letters {

// Is told what happens. Called on the loop's thread.
class Observer {
 public:
  // A letter was chosen. To rerun and to delete, this comes before the letter is removed; `new_handle` is of
  // the job that was submitted, else empty. False: it could not be shown. Nothing more is done then, and the
  // letter stays.
  [[nodiscard]] virtual bool on_letter(const Place& place, const Letter& letter,
                                       std::string_view new_handle) = 0;
  virtual void on_stays(const Place& place, const Letter& letter, std::string_view why) = 0;
  // So many letters were taken, of those that there were at the beginning.
  virtual void on_progress(const Place& place, std::uint64_t taken, std::uint64_t of) = 0;
  // So many letters are with other connections, and were not looked at.
  virtual void on_handed_out(const Place& place, std::uint64_t letters) = 0;
  // The server could not be asked, or not to the end.
  virtual void on_server_lost(std::string_view server, std::string_view why) = 0;

 protected:
  ~Observer() = default;
};

struct Order {
  std::vector<config::ServerConfig> servers;
  std::vector<std::string> functions;  // dead letter functions
  bool dry_run = false;                // nothing is submitted, and no letter is removed
  std::chrono::milliseconds patience;  // how long a server may be silent
  // Of the letters of these servers only those may be meant; nothing: any.
  std::optional<Named::Letters> only = {};
  // Ends it early, from any thread: the letter in hand is done with, and gearmand has back the others. A
  // server that does not answer within kFinishesWithin is left.
  std::stop_token stop = {};
};

inline constexpr std::chrono::seconds kFinishesWithin{1};

// Does for the account what its action is, one server after the other. Ends when all servers have been asked,
// the account is complete, a letter could not be shown, or it is stopped.
void run(const Order& order, Account& account, Observer& observer);

}  // namespace driveshaft::letters
