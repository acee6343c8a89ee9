// SPDX-License-Identifier: MIT
#pragma once

#include <log4cxx/rolling/rollingpolicy.h>

#include <string>
#include <utility>

namespace driveshaft::log {

// The name that a file gets when it is rolled, as log4cxx's pattern: `date_pattern` is Java's, with literal
// text in quotes, as in '.'yyyy-MM-dd; two quotes stand for one. So that is "app.log.%d{yyyy-MM-dd}". What
// the user has put in %d{} already, as in '-'%d{yyyyMMdd}, is taken as it is.
std::string dated_name(const std::string& file, const std::string& date_pattern);

// What log4cxx asks of a class that its own class registry does not know.
class Policy : public log4cxx::rolling::RollingPolicy {
 public:
  const log4cxx::helpers::Class& getClass() const final;
  const void* cast(const log4cxx::helpers::Class& type) const final;
  // clang-format off: its releases take this name for a keyword, or not.
  bool instanceof (const log4cxx::helpers::Class& type) const final;
  // clang-format on
};

// A full file becomes file.1, the one before it file.2, up to file.N; with N = 0 it is emptied. log4cxx's
// FixedWindowRollingPolicy would do but for that 0, and for keeping 13 at most.
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

// Rolls as another policy says, but regular files only: a rename puts a regular file in the place of a
// device, a FIFO or a symlink; as root even of /dev/null. Such files are not rolled. A dated file of an
// earlier time is rolled when it is opened, before a line of today can get in; log4cxx would look a second
// later. Nothing is rolled while roll_files() says so.
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
