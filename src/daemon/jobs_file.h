// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/asio.h"
#include "base/file_stamp.h"
#include "config/parse.h"

namespace driveshaft::daemon {

// The jobs file on disk, and those that it names, which are parts of it: read at the start, watched for
// changes, read again. One that is broken or gone changes nothing; that is said once a change. The loop's
// thread drives it.
class JobsFile {
 public:
  // Called for each file that differs from the one in force.
  using OnChange = std::function<void(const config::Config& config)>;
  // Called when the file was read again, with what is wrong with it: nothing if it is good.
  using OnReload = std::function<void(const std::vector<std::string>& errors)>;

  JobsFile(asio::io_context& loop, std::string path);

  // Reads it for the first time. Throws base::StartupError with every error there is.
  const config::Config& load();
  // After load() as another user, who this process has become: throws base::StartupError where that one may
  // not read what the jobs file names.
  void check_files_as(const std::string& user) const;

  // Polls it from now on, and reads it when a change has settled for one poll.
  void watch(OnChange on_change, OnReload on_reload);
  // Reads it now.
  void reload();
  // From now on no change is looked for, and none is applied.
  void stop();

 private:
  using Stamps =
      std::map<std::string, std::optional<base::FileStamp>>;  // by path; none of a file that is not there

  Stamps stamps() const;
  base::Result<config::Parsed, config::Rejected> read();
  void watch_only(const std::vector<std::string>& named);
  void poll();

  asio::steady_timer timer_;
  bool stopped_ = false;
  const std::string path_;
  config::Config config_;        // in force
  std::set<std::string> files_;  // the jobs file, those that it names, and that the one in force names
  Stamps read_;                  // of the files as last read, good or not
  Stamps seen_;                  // at the last poll
  OnChange on_change_;
  OnReload on_reload_;
};

// --check: reads the jobs file, prints what is wrong with it, or what it would run. Returns the exit code.
int check_jobs_file(const std::string& path);

}  // namespace driveshaft::daemon
