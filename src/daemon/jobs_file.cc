// SPDX-License-Identifier: MIT
#include "daemon/jobs_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>
#include <system_error>
#include <utility>

#include "base/exit_codes.h"
#include "base/stderr.h"
#include "config/diff.h"
#include "config/function_keys.h"
#include "config/keys.h"
#include "config/load.h"
#include "log/log.h"
#include "text/counted.h"

namespace driveshaft::daemon {
namespace {

using namespace std::chrono_literals;
using log::kMainLog;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kPollEvery = 500ms;
constexpr std::chrono::milliseconds kSilence = 5s;  // if a look takes longer, a warning is logged

std::vector<std::string> server_names(const config::Config& config) {
  std::vector<std::string> names;
  names.reserve(config.servers.size());
  for (const auto& server : config.servers)
    names.push_back(net::to_string(server.address) + (server.tls ? " (TLS)" : ""));
  return names;
}

std::string describe(const config::PoolConfig& pool) {
  std::string own;
  for (const auto& [name, settings] : pool.functions) {
    own += fmt::format("; {}:{}", name, config::own_settings_text(settings));
  }
  return fmt::format("pool {}: {} at once, to {} as {}: {}{}", pool.name, pool.worker_count,
                     pool.endpoint.display(), config::name_of(pool.settings.request_format),
                     fmt::join(pool.jobs_list, ", "), own);
}

template <class Names>
std::vector<std::string> unusable(const config::Config& config, const std::string& jobs_file,
                                  const Names& files) {
  auto errors = config::check_files(config);
  const auto add = [&](const std::string& file, const base::Result<std::string>& read) {
    if (!read) errors.push_back(fmt::format("{}: {}", file, read.error().message));
  };
  add(jobs_file, config::read_file(jobs_file));
  for (const auto& file : files) {
    if (file != jobs_file) add(file, config::read_secret_file(file));
  }
  return errors;
}

Reload reload_of(const base::Result<config::Parsed, config::Rejected>& loaded) {
  if (loaded) return {{}, loaded->warnings};
  return {loaded.error().errors, loaded.error().warnings};
}

}  // namespace

std::string describe(const Reload& reload) {
  const auto first_of = [](const std::vector<std::string>& lines, std::string_view what) {
    return lines.front() + text::and_more(lines.size() - 1, what);
  };
  std::string text = reload.errors.empty() ? "the jobs file was read, and is in force"
                                           : "the jobs file is rejected, the one in force stays: " +
                                                 first_of(reload.errors, "more error");
  if (reload.changes_nothing) text += "; no setting has changed since it was last read";
  if (!reload.warnings.empty()) text += "; warning: " + first_of(reload.warnings, "more warning");
  return text;
}

// A file is stamped before it is read, so that no change between the two is missed. The names of the other
// files are only known after reading: if there are new ones, everything is read once more.
JobsFile::Loaded JobsFile::Files::read_all() {
  while (true) {
    read = stamps();
    auto loaded = config::load(path);
    const auto named = loaded ? loaded->files : loaded.error().files;
    const auto known = names.size();
    names.insert(named.begin(), named.end());
    if (names.size() == known) return loaded;
  }
}

// A writer may not have finished, so a file is only read when two looks in a row have seen the same. A
// requested reload (`read_now`) reads it at once.
std::optional<JobsFile::Loaded> JobsFile::Files::look(bool read_now) {
  const auto before = std::exchange(seen, stamps());
  if (!read_now && (seen == read || seen != before)) return std::nullopt;
  return read_all();
}

void JobsFile::Files::watch_only(const std::vector<std::string>& named) {
  names = {named.begin(), named.end()};
  names.insert(path);
  std::erase_if(read, [&](const auto& entry) { return !names.contains(entry.first); });
}

JobsFile::Stamps JobsFile::Files::stamps() const {
  Stamps stamps;
  for (const auto& file : names) stamps.emplace(file, base::stamp_file(file));
  return stamps;
}

JobsFile::JobsFile(asio::io_context& loop, std::string path)
    : calls_(loop), timer_(loop), files_{path, {path}, {}, {}} {}

const config::Config& JobsFile::load() {
  const auto loaded = files_.read_all();
  files_.seen = files_.read;
  if (!loaded) {
    std::string message = fmt::format("jobs file {} cannot be used:", files_.path);
    for (const auto& error : loaded.error().errors) message += "\n  " + error;
    for (const auto& warning : loaded.error().warnings) message += "\n  warning: " + warning;
    throw base::StartupError(base::kExitConfig, message);
  }
  for (const auto& warning : loaded->warnings) kMainLog.warn("jobs file {}: {}", files_.path, warning);
  files_.watch_only(loaded->files);
  config_ = loaded->config;
  for (const auto& pool : config_.pools) kMainLog.info("{}", describe(pool));
  log_notes(loaded->notes);
  return config_;
}

void JobsFile::check_files_as(const std::string& user) const {
  const auto errors = unusable(config_, files_.path, files_.names);
  if (errors.empty()) return;
  throw base::StartupError(base::kExitConfig,
                           fmt::format("jobs file {} cannot be used by {}, which --user names:\n  {}",
                                       files_.path, user, fmt::join(errors, "\n  ")));
}

void JobsFile::watch(OnChange on_change, OnReload on_reload) {
  on_change_ = std::move(on_change);
  on_reload_ = std::move(on_reload);
  pause();
}

void JobsFile::reload(OnReload done) {
  asked_.push_back(std::move(done));
  look();
}

std::optional<Clock::time_point> JobsFile::unanswered_since() const {
  return looking_since_ && Clock::now() - *looking_since_ >= kSilence ? looking_since_ : std::nullopt;
}

void JobsFile::stop() {
  stopped_ = true;
  timer_.cancel();
}

void JobsFile::pause() {
  timer_.expires_after(looking_since_ ? kSilence : kPollEvery);
  timer_.async_wait([this](const boost::system::error_code& error) {
    // A timer that has expired already can no longer be cancelled: its handler is called without an error.
    if (!error && !stopped_) on_timer();
  });
}

void JobsFile::on_timer() {
  if (!looking_since_) return look();
  if (Clock::now() - *looking_since_ < kSilence) return;  // the timer expired just before the look began
  kMainLog.warn(
      "jobs file {}: the file system has not answered for {} s; changes are not seen until it answers, and "
      "jobs "
      "still run",
      files_.path, kSilence / 1s);
}

// There is one look at a time. A look that is asked for meanwhile follows it.
void JobsFile::look() {
  if (looking_since_ || stopped_) return;
  try {
    calls_.run(
        "jobs file",
        [files = files_, read_now = !asked_.empty()]() mutable {
          auto loaded = files.look(read_now);
          return Look{std::move(files), std::move(loaded)};
        },
        [this, asked = asked_](Look found) {
          const auto reload = looked(std::move(found));
          if (stopped_) return;
          for (const auto& done : asked) done(reload);
        });
    looking_since_ = Clock::now();
    asked_.clear();
  } catch (const std::system_error& error) {
    kMainLog.warn("jobs file {}: cannot be looked at, no thread: {}", files_.path, error.what());
  }
  pause();
}

Reload JobsFile::looked(Look found) {
  looking_since_.reset();
  if (stopped_) return {};
  files_ = std::move(found.files);
  auto reload = found.loaded ? apply(*found.loaded) : Reload();
  if (asked_.empty()) {
    pause();
  } else {
    look();
  }
  return reload;
}

Reload JobsFile::apply(const Loaded& loaded) {
  auto reload = reload_of(loaded);
  if (!loaded) {
    for (const auto& error : loaded.error().errors) {
      kMainLog.error("jobs file {} is rejected, the one in force stays: {}", files_.path, error);
    }
    for (const auto& warning : loaded.error().warnings) {
      kMainLog.warn("jobs file {}: {}", files_.path, warning);
    }
    on_reload_(reload);
    return reload;
  }
  for (const auto& warning : loaded->warnings) kMainLog.warn("jobs file {}: {}", files_.path, warning);
  files_.watch_only(loaded->files);
  const auto changes = config::compare(config_, loaded->config);
  reload.changes_nothing = changes.empty();
  if (changes.empty()) {
    kMainLog.info("jobs file {}: read again, nothing has changed", files_.path);
  } else {
    kMainLog.info("jobs file {}: a new one is in force", files_.path);
    for (const auto& line : changes) kMainLog.info("{}", line);
    config_ = loaded->config;
    log_notes(loaded->notes);
    on_change_(config_);
  }
  on_reload_(reload);
  return reload;
}

// Logs the notes that were not true of the file that was in force before.
void JobsFile::log_notes(const std::vector<std::string>& notes) {
  for (const auto& note : notes) {
    if (std::find(notes_.begin(), notes_.end(), note) == notes_.end()) {
      kMainLog.info("jobs file {}: {}", files_.path, note);
    }
  }
  notes_ = notes;
}

CheckedJobsFile check_jobs_file(const std::string& path) {
  auto loaded = config::load(path);
  const auto& warnings = loaded ? loaded->warnings : loaded.error().warnings;
  for (const auto& warning : warnings) base::write_to_stderr(fmt::format("{}: warning: {}", path, warning));
  if (!loaded) {
    for (const auto& error : loaded.error().errors) base::write_to_stderr(fmt::format("{}: {}", path, error));
    return {{}, loaded.error().errors.size(), warnings.size()};
  }
  fmt::print("gearmand: {}\n", fmt::join(server_names(loaded->config), ", "));
  for (const auto& pool : loaded->config.pools) fmt::print("{}\n", describe(pool));
  for (const auto& note : loaded->notes) fmt::print("note: {}\n", note);
  const auto count = warnings.size();
  return {std::move(*loaded), 0, count};
}

std::vector<std::string> unusable_files(const std::string& jobs_file, const config::Parsed& parsed) {
  return unusable(parsed.config, jobs_file, parsed.files);
}

}  // namespace driveshaft::daemon
