// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/file_stamp.h"
#include "config/parse.h"
#include "net/asio.h"
#include "net/blocking_calls.h"

namespace driveshaft::daemon {

// What was found when the jobs file was read again.
struct Reload {
  std::vector<std::string> errors;  // none: the file is good, and in force
  std::vector<std::string> warnings;
};
// In one line, for an operator.
std::string describe(const Reload& reload);

// The jobs file on disk with the files that it names, which are parts of it. It is read at the start, watched
// for changes, and read again. A file that is broken or missing changes nothing, and is reported once for
// each change. The loop's thread drives this class; once watch() is called, other threads look at the files,
// so that a file system that hangs delays no job.
class JobsFile {
 public:
  // Called for each file that differs from the one in force.
  using OnChange = std::function<void(const config::Config& config)>;
  // Called when the file was read again.
  using OnReload = std::function<void(const Reload& reload)>;

  JobsFile(asio::io_context& loop, std::string path);

  // Reads the file for the first time. Throws base::StartupError with all errors. Blocks.
  const config::Config& load();
  // Is called after load(), when the process has become `user`. Throws base::StartupError if this user may
  // not read a file that the jobs file names. Blocks.
  void check_files_as(const std::string& user) const;

  // Polls the file from now on, and reads it when a change has not been followed by another for one poll.
  void watch(OnChange on_change, OnReload on_reload);
  // Reads the file now, and then calls `done`.
  void reload(OnReload done);
  // From now on no change is looked for, and none is applied.
  void stop();

 private:
  using Stamps =
      std::map<std::string, std::optional<base::FileStamp>>;  // by path; none of a file that is not there
  using Loaded = base::Result<config::Parsed, config::Rejected>;

  // What is known of the files. A thread that looks at them works on a copy.
  struct Files {
    std::string path;             // of the jobs file
    std::set<std::string> names;  // the jobs file, those that it names, and that the one in force names
    Stamps read;                  // as last read, good or not
    Stamps seen;                  // at the last look

    Stamps stamps() const;
    Loaded read_all();
    std::optional<Loaded> look(bool read_now);
    void watch_only(const std::vector<std::string>& named);
  };
  struct Look {
    Files files;
    std::optional<Loaded> loaded;  // where they were read
  };

  void pause();
  void look();
  void looked(Look look);
  void apply(const Loaded& loaded);
  void log_notes(const std::vector<std::string>& notes);
  void on_timer();

  net::BlockingCalls calls_;
  asio::steady_timer timer_;
  bool stopped_ = false;
  std::vector<std::string> notes_;  // of the file in force
  std::optional<std::chrono::steady_clock::time_point>
      looking_since_;            // set while a thread looks at the files
  std::vector<OnReload> asked_;  // called after the next look, which reads the files
  Files files_;
  config::Config config_;  // in force
  OnChange on_change_;
  OnReload on_reload_;
};

// --check: reads the jobs file, and prints what is wrong with it, or what it would run.
struct CheckedJobsFile {
  std::optional<config::Parsed> good;
  std::size_t errors = 0;
  std::size_t warnings = 0;
};
CheckedJobsFile check_jobs_file(const std::string& path);

// Which of its files this process may not read or use, as this user; a line each.
std::vector<std::string> unusable_files(const std::string& jobs_file, const config::Parsed& parsed);

}  // namespace driveshaft::daemon
