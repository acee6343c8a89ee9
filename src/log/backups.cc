// SPDX-License-Identifier: MIT
#include "log/backups.h"

#include <fmt/format.h>
#include <log4cxx/rolling/action.h>
#include <log4cxx/rolling/rolloverdescription.h>
#include <log4cxx/rolling/timebasedrollingpolicy.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

#include "log/log.h"

namespace driveshaft::log {
namespace {

namespace helpers = log4cxx::helpers;
namespace rolling = log4cxx::rolling;

// In log4cxx's pattern of a file name a percent sign stands for itself when doubled.
void append_literal(std::string& out, char c) {
  if (c == '%') out += '%';
  out += c;
}

// Whether the path is a regular file, and not a symlink to one. A file that is missing will be regular.
bool may_be_renamed(const std::string& file) {
  std::error_code ignored;
  const auto type = std::filesystem::symlink_status(file, ignored).type();
  return type == std::filesystem::file_type::regular || type == std::filesystem::file_type::not_found;
}

// log4cxx calls this once the full file is closed.
class Shift final : public rolling::Action {
 public:
  Shift(std::string file, int most) : file_(std::move(file)), most_(most) {}

  bool execute(helpers::Pool&) const override {
    for (int i = most_ - 1; i >= 1; --i) {
      std::rename(backup(i).c_str(), backup(i + 1).c_str());  // there may be none
    }
    return std::rename(file_.c_str(), backup(1).c_str()) == 0;
  }

 private:
  std::string backup(int number) const { return fmt::format("{}.{}", file_, number); }

  const std::string file_;
  const int most_;
};

// Truncates the file. To open it anew would do the same, but would overwrite lines of another process that
// logs to it.
class Empty final : public rolling::Action {
 public:
  explicit Empty(std::string file) : file_(std::move(file)) {}

  bool execute(helpers::Pool&) const override { return ::truncate(file_.c_str(), 0) == 0; }

 private:
  const std::string file_;
};

std::atomic<bool> rolls{true};

}  // namespace

void roll_files(bool roll) { rolls.store(roll, std::memory_order_relaxed); }

std::string dated_name(const std::string& file, const std::string& date_pattern) {
  std::string name;
  for (const char c : file) append_literal(name, c);
  bool quoted = false;
  bool in_date = false;
  const auto end_date = [&] {
    if (in_date) name += '}';
    in_date = false;
  };
  for (std::size_t i = 0; i < date_pattern.size(); ++i) {
    const char c = date_pattern[i];
    if (c == '\'' && i + 1 < date_pattern.size() && date_pattern[i + 1] == '\'') {
      end_date();
      name += '\'';
      ++i;
    } else if (c == '\'') {
      quoted = !quoted;
    } else if (const auto brace = date_pattern.find('}', i);
               !quoted && brace != date_pattern.npos && date_pattern.compare(i, 3, "%d{") == 0) {
      end_date();
      name.append(date_pattern, i, brace + 1 - i);
      i = brace;
    } else if (quoted) {
      end_date();
      append_literal(name, c);
    } else {
      if (!in_date) name += "%d{";
      in_date = true;
      name += c;
    }
  }
  end_date();
  return name;
}

const helpers::Class& Policy::getClass() const { return RollingPolicy::getStaticClass(); }

const void* Policy::cast(const helpers::Class& type) const {
  if (&type == &RollingPolicy::getStaticClass()) return static_cast<const RollingPolicy*>(this);
  if (&type == &OptionHandler::getStaticClass()) return static_cast<const OptionHandler*>(this);
  if (&type == &Object::getStaticClass()) return static_cast<const Object*>(this);
  return nullptr;
}

// clang-format off: only some of its releases take this name for a keyword.
bool Policy:: instanceof (const helpers::Class& type) const { return cast(type) != nullptr; }
// clang-format on

rolling::RolloverDescriptionPtr Backups::initialize(const log4cxx::LogString& file, bool append,
                                                    helpers::Pool&) {
  return std::make_shared<rolling::RolloverDescription>(file, append, nullptr, nullptr);
}

rolling::RolloverDescriptionPtr Backups::rollover(const log4cxx::LogString& file, bool append,
                                                  helpers::Pool&) {
  if (most_ <= 0) {
    return std::make_shared<rolling::RolloverDescription>(file, true, std::make_shared<Empty>(file), nullptr);
  }
  return std::make_shared<rolling::RolloverDescription>(file, append, std::make_shared<Shift>(file, most_),
                                                        nullptr);
}

void RegularFilesOnly::setOption(const log4cxx::LogString& option, const log4cxx::LogString& value) {
  policy_->setOption(option, value);
}

// log4cxx does what this returns before it opens the file.
rolling::RolloverDescriptionPtr RegularFilesOnly::initialize(const log4cxx::LogString& file, bool append,
                                                             helpers::Pool& pool) {
  auto opened = policy_->initialize(file, append, pool);
  if (!opened || !log4cxx::cast<rolling::TimeBasedRollingPolicy>(policy_)) return opened;
  auto rolled = rollover(opened->getActiveFileName(), append, pool);
  return rolled ? rolled : opened;
}

rolling::RolloverDescriptionPtr RegularFilesOnly::rollover(const log4cxx::LogString& file, bool append,
                                                           helpers::Pool& pool) {
  const bool may_roll = rolls.load(std::memory_order_relaxed) && may_be_renamed(file);
  return may_roll ? policy_->rollover(file, append, pool) : nullptr;
}

}  // namespace driveshaft::log
