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

// Reads the letters on gearmands, runs their jobs again, or deletes the letters.
//
// To read a letter, it has to be grabbed. gearmand requeues each letter that is not completed when the
// connection ends, for whatever reason, so no letter is lost if this process is killed: a letter is completed
// only after gearmand has accepted its job. In the worst case a job runs twice. No more letters are grabbed
// than there are at the beginning, so a run ends even if the jobs that it submits fail again.
//
// gearmand puts requeued letters behind those that were not grabbed, in reverse order (measured: 1.1.20).
namespace driveshaft::letters {

// run() reports to this object what happens, in the thread that called run().
class Observer {
 public:
  // A letter was chosen. If the action removes letters, this is called before the letter is removed.
  // `new_handle` is the handle of the job that was submitted, or empty. Returns false if the letter could not
  // be shown: the letter then stays, and the run ends.
  [[nodiscard]] virtual bool on_letter(const Place& place, const Letter& letter,
                                       std::string_view new_handle) = 0;
  virtual void on_stays(const Place& place, const Letter& letter, std::string_view why) = 0;
  // `taken` letters were grabbed, of the `of` letters that waited at the beginning.
  virtual void on_progress(const Place& place, std::uint64_t taken, std::uint64_t of) = 0;
  // So many letters are handed out to other connections, so they were not read.
  virtual void on_handed_out(const Place& place, std::uint64_t letters) = 0;
  // The server could not be reached, or the exchange with it broke off.
  virtual void on_server_lost(std::string_view server, std::string_view why) = 0;

 protected:
  ~Observer() = default;
};

struct Order {
  std::vector<config::ServerConfig> servers;
  std::vector<std::string> functions;  // dead letter functions
  bool dry_run = false;                // no job is submitted, and no letter is removed
  std::chrono::milliseconds timeout;   // how long a server may be silent
  // Only these letters may be chosen; nothing: any letter.
  std::optional<Named::Letters> only = {};
  // Ends the run early; any thread may request it. The current letter is finished, and gearmand requeues the
  // others. If the server does not answer within kFinishesWithin, its connection is closed.
  std::stop_token stop = {};
};

inline constexpr std::chrono::seconds kFinishesWithin{1};

// Carries out the account's action, one server after the other. Returns when all servers are done, the
// account is complete, a letter could not be shown, or `order.stop` is requested. Blocks: it runs a loop of
// its own.
void run(const Order& order, Account& account, Observer& observer);

}  // namespace driveshaft::letters
