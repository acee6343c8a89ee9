// SPDX-License-Identifier: MIT
#pragma once

#include <log4cxx/rolling/rollingpolicy.h>

#include <string>
#include <utility>

namespace driveshaft::log {

// The name that a file gets when it is rolled, as a pattern of log4cxx: "app.log.%d{yyyy-MM-dd}" for the
// `date_pattern` '.'yyyy-MM-dd. A date pattern is one of Java: literal text is in quotes, and two quotes
// stand for one. A part that is in %d{} already, as in '-'%d{yyyyMMdd}, stays as it is.
std::string dated_name(const std::string& file, const std::string& date_pattern);

// The functions that log4cxx requires of a class that its class registry does not know.
class Policy : public log4cxx::rolling::RollingPolicy {
 public:
  const log4cxx::helpers::Class& getClass() const final;
  const void* cast(const log4cxx::helpers::Class& type) const final;
  // clang-format off: only some of its releases take this name for a keyword.
  bool instanceof (const log4cxx::helpers::Class& type) const final;
  // clang-format on
};

// Renames a full file to file.1, the earlier file.1 to file.2, and so on up to file.N. With N = 0 it empties
// the file. log4cxx's FixedWindowRollingPolicy does not take 0, and keeps 13 files at most.
class Backups final : public Policy {
 public:
  explicit Backups(int most) : most_(most) {}

  void activateOptions(log4cxx::helpers::Pool&) override {}
  void setOption(const log4cxx::LogString&, const log4cxx::LogString&) override {}
  log4cxx::rolling::RolloverDescriptionPtr initialize(const log4cxx::LogString& file, bool append,
                                                      log4cxx::helpers::Pool& pool) override;
  log4cxx::rolling::RolloverDescriptionPtr rollover(const log4cxx::LogString& file, bool append,
                                                    log4cxx::helpers::Pool& pool) override;

 private:
  const int most_;
};

// Rolls as another policy says, but regular files only. A rename would put a regular file in the place of a
// device, a FIFO or a symlink; as root even of /dev/null. A dated file of an earlier time is rolled when it
// is opened, before a line of today is written to it; log4cxx would look a second later. After
// roll_files(false) no file is rolled.
class RegularFilesOnly final : public Policy {
 public:
  explicit RegularFilesOnly(log4cxx::rolling::RollingPolicyPtr policy) : policy_(std::move(policy)) {}

  void activateOptions(log4cxx::helpers::Pool& pool) override { policy_->activateOptions(pool); }
  void setOption(const log4cxx::LogString& option, const log4cxx::LogString& value) override;
  log4cxx::rolling::RolloverDescriptionPtr initialize(const log4cxx::LogString& file, bool append,
                                                      log4cxx::helpers::Pool& pool) override;
  log4cxx::rolling::RolloverDescriptionPtr rollover(const log4cxx::LogString& file, bool append,
                                                    log4cxx::helpers::Pool& pool) override;

 private:
  const log4cxx::rolling::RollingPolicyPtr policy_;
};

}  // namespace driveshaft::log
