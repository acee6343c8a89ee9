// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/exit_codes.h"
#include "base/file_stamp.h"
#include "log/log.h"
#include "net/asio.h"
#include "net/blocking_calls.h"

namespace driveshaft::admin {

// Files from which a value is read at the start, and again when one of them changes. What is broken then
// changes nothing, and is said once. Files are only touched in other threads once watch() is called, so that
// a file system that hangs stops nobody.
template <class Value>
class WatchedFiles {
 public:
  static constexpr std::chrono::milliseconds kLookEvery{500};

  // Blocks. The error names the file and the option that names it. Any thread.
  using Read = std::function<base::Result<Value>()>;
  // Takes the value in use: from load(), and then from the loop's thread.
  using Use = std::function<void(Value)>;

  // Without paths nothing is ever read.
  WatchedFiles(asio::io_context& loop, std::vector<std::string> paths, Read read, Use use)
      : paths_(std::move(paths)),
        read_value_(std::move(read)),
        use_(std::move(use)),
        calls_(loop),
        timer_(loop) {}

  // Reads them for the first time. Throws base::StartupError. Blocks.
  void load() {
    if (paths_.empty()) return;
    read_ = seen_ = stamps_of(paths_);
    auto value = read_value_();
    if (!value) throw base::StartupError(base::kExitUsage, value.error().message);
    use_(std::move(*value));
  }

  // Looks at them from now on.
  void watch() {
    if (!paths_.empty()) pause();
  }

 private:
  using Stamps = std::vector<std::optional<base::FileStamp>>;
  struct Look {
    Stamps seen;
    std::optional<base::Result<Value>> value;  // where they were read
  };

  static Stamps stamps_of(const std::vector<std::string>& paths) {
    Stamps stamps;
    stamps.reserve(paths.size());
    for (const auto& path : paths) stamps.push_back(base::stamp_file(path));
    return stamps;
  }

  void pause() {
    timer_.expires_after(kLookEvery);
    timer_.async_wait([this](const boost::system::error_code& error) {
      if (!error) look();
    });
  }

  // A writer may not have finished: they are read when two looks in a row have seen the same.
  void look() {
    try {
      calls_.run(
          "watched files",
          [paths = paths_, read_value = read_value_, read = read_, seen = seen_] {
            Look found{stamps_of(paths), {}};
            if (found.seen != read && found.seen == seen) found.value = read_value();
            return found;
          },
          [this](Look found) { looked(std::move(found)); });
    } catch (const std::system_error&) {  // no thread; the next look may have one
      pause();
    }
  }

  void looked(Look found) {
    seen_ = found.seen;
    if (found.value) {
      read_ = std::move(found.seen);
      if (auto& value = *found.value; value) {
        log::kMainLog.info("{} has changed, and is in force", paths_.front());
        use_(std::move(*value));
      } else {
        log::kMainLog.error("{}; what was read before stays in force", value.error().message);
      }
    }
    pause();
  }

  const std::vector<std::string> paths_;
  const Read read_value_;
  const Use use_;
  net::BlockingCalls calls_;
  asio::steady_timer timer_;
  Stamps read_;  // as last read, good or not
  Stamps seen_;  // at the last look
};

}  // namespace driveshaft::admin
