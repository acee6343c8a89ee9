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

// Reads a value from files at the start, and again when one of the files changes. If the new value is broken,
// the old one stays in force, and one line in the log says so. Once watch() is called, only other threads
// read the files, so that a file system that hangs stops nobody.
template <class Value>
class WatchedFiles {
 public:
  static constexpr std::chrono::milliseconds kLookEvery{500};

  // Reads the value. Blocks. The error names the file, and the option that names the file. Called in any
  // thread.
  using Read = std::function<base::Result<Value>()>;
  // Takes a new value into use. load() calls it, and later the loop's thread does.
  using Use = std::function<void(Value)>;

  // Without paths nothing is ever read. `loop` outlives this object.
  WatchedFiles(asio::io_context& loop, std::vector<std::string> paths, Read read, Use use)
      : paths_(std::move(paths)),
        read_value_(std::move(read)),
        use_(std::move(use)),
        calls_(loop),
        timer_(loop) {}

  // Reads the value for the first time. Throws base::StartupError. Blocks.
  void load() {
    if (paths_.empty()) return;
    read_ = seen_ = stamps_of(paths_);
    auto value = read_value_();
    if (!value) throw base::StartupError(base::kExitUsage, value.error().message);
    use_(std::move(*value));
  }

  // From now on looks at the files every kLookEvery.
  void watch() {
    if (!paths_.empty()) pause();
  }

 private:
  using Stamps = std::vector<std::optional<base::FileStamp>>;
  struct Look {
    Stamps seen;
    std::optional<base::Result<Value>> value;  // nothing: the files were not read
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

  // A writer may not have finished yet, so the files are read only when two looks in a row have found them
  // unchanged.
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
    } catch (const std::system_error&) {  // no thread could be started; the next look may get one
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
  Stamps read_;  // of the files as last read, be the value good or broken
  Stamps seen_;  // of the files at the last look
};

}  // namespace driveshaft::admin
