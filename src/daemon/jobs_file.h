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

// The result of reading the jobs file again.
struct Reload {
  std::vector<std::string> errors;  // empty: the file is valid, and in force
  std::vector<std::string> warnings;
  bool changes_nothing = false;  // no setting differs from those in force
};
// Describes the result in one line, for an operator.
std::string describe(const Reload& reload);

// The jobs file on disk, with the files that it names. It is read at the start, watched for changes, and read
// again. If a file is broken or missing, the configuration in force stays, and the problem is reported once
// for each change. Used in the loop's thread. After watch() other threads read the files, so that a file
// system that hangs delays no job.
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
  // not read or use a file that the jobs file names. Blocks.
  void check_files_as(const std::string& user) const;

  // Polls the file from now on. A changed file is read when two polls in a row have found it unchanged.
  void watch(OnChange on_change, OnReload on_reload);
  // Reads the file now, and then calls `done`.
  void reload(OnReload done);
  // When a look at the files began that has had no answer for five seconds; nothing if there is none.
  std::optional<std::chrono::steady_clock::time_point> unanswered_since() const;
  // Ends the watching: no later change is applied.
  void stop();

 private:
  using Stamps =
      std::map<std::string, std::optional<base::FileStamp>>;  // by path; no stamp: the file does not exist
  using Loaded = base::Result<config::Parsed, config::Rejected>;

  // What is known about the files. A thread that looks at them works on a copy.
  struct Files {
    std::string path;             // path of the jobs file
    std::set<std::string> names;  // the jobs file, and the files that it or the one in force names
    Stamps read;                  // when the files were last read, valid or not
    Stamps seen;                  // when the files were last looked at

    Stamps stamps() const;
    Loaded read_all();
    std::optional<Loaded> look(bool read_now);
    void watch_only(const std::vector<std::string>& named);
  };
  struct Look {
    Files files;
    std::optional<Loaded> loaded;  // the result, if the files were read
  };

  void pause();
  void look();
  Reload looked(Look look);
  Reload apply(const Loaded& loaded);
  void log_notes(const std::vector<std::string>& notes);
  void on_timer();

  net::BlockingCalls calls_;
  asio::steady_timer timer_;
  bool stopped_ = false;
  std::vector<std::string> notes_;  // notes of the file in force
  std::optional<std::chrono::steady_clock::time_point>
      looking_since_;            // set while a thread looks at the files
  std::vector<OnReload> asked_;  // requested reloads: called after the next look, which reads the files
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

// Returns a line for each file of the jobs file that this process may not read, or cannot use.
std::vector<std::string> unusable_files(const std::string& jobs_file, const config::Parsed& parsed);

}  // namespace driveshaft::daemon
