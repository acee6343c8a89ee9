// SPDX-License-Identifier: MIT
#include "daemon/jobs_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdio>
#include <utility>

#include "base/exit_codes.h"
#include "base/log.h"
#include "base/stderr.h"
#include "config/diff.h"
#include "config/function_keys.h"
#include "config/keys.h"
#include "config/load.h"

namespace driveshaft::daemon {
namespace {

using namespace std::chrono_literals;
using base::kMainLog;

constexpr auto kPollEvery = 500ms;

std::vector<std::string> server_names(const config::Config& config) {
  std::vector<std::string> names;
  for (const auto& server : config.servers)
    names.push_back(base::to_string(server.address) + (server.tls ? " (TLS)" : ""));
  return names;
}

std::string describe(const config::Pool& pool) {
  std::string own;
  for (const auto& [name, settings] : pool.functions) {
    own += fmt::format("; {}:", name);
    for (const auto& [key, text] : config::function_settings_text(settings)) {
      if (text != "none") own += fmt::format(" {} {}", key, text);
    }
  }
  return fmt::format("pool {}: {} at once, to {} as {}: {}{}", pool.name, pool.worker_count, pool.uri.display,
                     config::name_of(pool.settings.request_format), fmt::join(pool.jobs_list, ", "), own);
}

}  // namespace

JobsFile::JobsFile(asio::io_context& loop, std::string path)
    : timer_(loop), path_(std::move(path)), files_{path_} {}

const config::Config& JobsFile::load() {
  const auto loaded = read();
  seen_ = read_;
  if (!loaded) {
    std::string message = fmt::format("jobs file {} cannot be used:", path_);
    for (const auto& error : loaded.error().errors) message += "\n  " + error;
    for (const auto& warning : loaded.error().warnings) message += "\n  warning: " + warning;
    throw base::StartupError(base::kExitConfig, message);
  }
  for (const auto& warning : loaded->warnings) kMainLog.warn("jobs file {}: {}", path_, warning);
  watch_only(loaded->files);
  config_ = loaded->config;
  for (const auto& pool : config_.pools) kMainLog.info("{}", describe(pool));
  return config_;
}

void JobsFile::check_files_as(const std::string& user) const {
  auto errors = config::check_files(config_);
  for (const auto& file : files_) {
    const auto readable = file == path_ ? config::read_file(file) : config::read_secret_file(file);
    if (!readable) errors.push_back(fmt::format("{}: {}", file, readable.error().message));
  }
  if (errors.empty()) return;
  throw base::StartupError(base::kExitConfig,
                           fmt::format("jobs file {} cannot be used by {}, which --user names:\n  {}", path_,
                                       user, fmt::join(errors, "\n  ")));
}

void JobsFile::watch(OnChange on_change, OnReload on_reload) {
  on_change_ = std::move(on_change);
  on_reload_ = std::move(on_reload);
  timer_.expires_after(kPollEvery);
  timer_.async_wait([this](const boost::system::error_code& error) {
    // A timer that has expired already can no longer be cancelled: its handler is called without an error.
    if (!error && !stopped_) poll();
  });
}

void JobsFile::stop() {
  stopped_ = true;
  timer_.cancel();
}

void JobsFile::poll() {
  const auto now = stamps();
  // A writer may be half way: what is read has stood still from one poll to the next.
  if (now != read_ && now == seen_) reload();
  seen_ = now;
  watch(std::move(on_change_), std::move(on_reload_));
}

void JobsFile::reload() {
  const auto loaded = read();
  if (!loaded) {
    for (const auto& error : loaded.error().errors) {
      kMainLog.error("jobs file {} is rejected, the one in force stays: {}", path_, error);
    }
    for (const auto& warning : loaded.error().warnings) kMainLog.warn("jobs file {}: {}", path_, warning);
    return on_reload_(loaded.error().errors);
  }
  for (const auto& warning : loaded->warnings) kMainLog.warn("jobs file {}: {}", path_, warning);
  watch_only(loaded->files);
  const auto diff = config::compare(config_, loaded->config);
  if (diff.empty()) {
    kMainLog.info("jobs file {}: read again, nothing has changed", path_);
  } else {
    kMainLog.info("jobs file {}: a new one is in force", path_);
    for (const auto& line : config::describe(diff)) kMainLog.info("{}", line);
    config_ = loaded->config;
    on_change_(config_);
  }
  on_reload_({});
}

// A file is stamped before it is read, so that no change falls between the two. Which files there are shows
// only then: those that are new are read once more.
base::Result<config::Parsed, config::Rejected> JobsFile::read() {
  while (true) {
    read_ = stamps();
    auto loaded = config::load(path_);
    const auto named = loaded ? loaded->files : loaded.error().files;
    const auto known = files_.size();
    files_.insert(named.begin(), named.end());
    if (files_.size() == known) return loaded;
  }
}

void JobsFile::watch_only(const std::vector<std::string>& named) {
  files_ = {named.begin(), named.end()};
  files_.insert(path_);
  std::erase_if(read_, [&](const auto& entry) { return !files_.contains(entry.first); });
}

JobsFile::Stamps JobsFile::stamps() const {
  Stamps stamps;
  for (const auto& file : files_) stamps.emplace(file, base::stamp_file(file));
  return stamps;
}

int check_jobs_file(const std::string& path) {
  const auto loaded = config::load(path);
  const auto& warnings = loaded ? loaded->warnings : loaded.error().warnings;
  for (const auto& warning : warnings) base::tell_stderr(fmt::format("{}: warning: {}", path, warning));
  if (!loaded) {
    for (const auto& error : loaded.error().errors) base::tell_stderr(fmt::format("{}: {}", path, error));
    base::tell_stderr(fmt::format("{}: not usable, {} error(s)", path, loaded.error().errors.size()));
    return base::kExitConfig;
  }
  fmt::print("{}: good\n", path);
  fmt::print("gearmand: {}\n", fmt::join(server_names(loaded->config), ", "));
  for (const auto& pool : loaded->config.pools) fmt::print("{}\n", describe(pool));
  return base::kExitOk;
}

}  // namespace driveshaft::daemon
