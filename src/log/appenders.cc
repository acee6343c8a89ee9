// SPDX-License-Identifier: MIT
#include "log/appenders.h"

#include <log4cxx/fileappender.h>
#include <log4cxx/helpers/bytebuffer.h>
#include <log4cxx/helpers/class.h>
#include <log4cxx/helpers/optionconverter.h>
#include <log4cxx/helpers/outputstream.h>
#include <log4cxx/helpers/pool.h>
#include <log4cxx/helpers/stringhelper.h>
#include <log4cxx/layout.h>
#include <log4cxx/rolling/rollingfileappender.h>
#include <log4cxx/rolling/sizebasedtriggeringpolicy.h>
#include <log4cxx/rolling/timebasedrollingpolicy.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "log/backups.h"
#include "log/file.h"

namespace driveshaft::log {
namespace {

namespace helpers = log4cxx::helpers;
namespace rolling = log4cxx::rolling;
using namespace std::chrono_literals;

constexpr std::size_t kKeptCapacity = std::size_t{64} * 1024;  // memory that the next line may use again
constexpr auto kOpenAgainAfter = 1s;

bool always_appending = false;  // set before the first appender is made

bool is_regular(const std::string& path) {
  struct stat file = {};
  return ::stat(path.c_str(), &file) == 0 && S_ISREG(file.st_mode);
}

// A file appender that logs UTF-8, unless the configuration asks for another encoding.
template <class Appender>
class Utf8 : public Appender {
 public:
  void activateOptions(helpers::Pool& pool) override {
    lost_->set_path(this->getFile());
    if (is_unread_fifo(this->getFile())) return;
    if (always_appending) this->setAppend(true);
    Appender::activateOptions(pool);
    if (this->getAppend() || !is_regular(this->getFile())) return;
    // It is empty now. Opened for append, it keeps the lines of other processes that log to it.
    this->setAppend(true);
    Appender::activateOptions(pool);
  }

 protected:
  virtual std::size_t most_gathered() const { return kMostGathered; }

  bool is_utf8() const {
    const auto encoding = this->getEncoding();
    return encoding.empty() || helpers::StringHelper::equalsIgnoreCase(encoding, "UTF-8", "utf-8");
  }

  helpers::WriterPtr createWriter(helpers::OutputStreamPtr& stream) override {
    if (!is_utf8()) return Appender::createWriter(stream);
    return std::make_shared<Utf8Writer>(stream, lost_, most_gathered());
  }

  // Without a writer, after a rotation in a directory that refused the new file, log4cxx would say nothing
  // and write nothing for ever.
  void append(const log4cxx::spi::LoggingEventPtr& event, helpers::Pool& pool) override {
    if (!this->getWriter()) open_again(pool);
    if (this->getWriter()) Appender::append(event, pool);
    if (!this->getWriter()) lost_->lost(1, "it cannot be opened");
  }

 private:
  void open_again(helpers::Pool& pool) {
    const auto now = std::chrono::steady_clock::now();
    if (now < open_again_at_) return;
    open_again_at_ = now + kOpenAgainAfter;
    this->setAppend(true);
    activateOptions(pool);
  }

  const std::shared_ptr<LostLines> lost_ = std::make_shared<LostLines>();
  std::chrono::steady_clock::time_point open_again_at_{};
};

// Formats one line after another in the same memory; log4cxx grows a string for each.
class Plain final : public Utf8<log4cxx::FileAppender> {
 protected:
  void subAppend(const log4cxx::spi::LoggingEventPtr& event, helpers::Pool& pool) override {
    line_.clear();
    getLayout()->format(line_, event, pool);
    getWriter()->write(line_, pool);
    if (getImmediateFlush()) getWriter()->flush(pool);
    if (line_.capacity() > kKeptCapacity) line_ = std::string();
  }

 private:
  std::string line_;
};

// Tells the appender how its file grows. Lives no longer than the appender: that closes it.
class Counted final : public helpers::OutputStream {
 public:
  Counted(helpers::OutputStreamPtr stream, rolling::RollingFileAppender& appender)
      : stream_(std::move(stream)), appender_(appender) {}

  void write(helpers::ByteBuffer& bytes, helpers::Pool& pool) override {
    stream_->write(bytes, pool);
    appender_.incrementFileLength(bytes.limit());
  }
  void flush(helpers::Pool& pool) override { stream_->flush(pool); }
  void close(helpers::Pool& pool) override { stream_->close(pool); }

 private:
  const helpers::OutputStreamPtr stream_;
  rolling::RollingFileAppender& appender_;
};

class Rolling : public Utf8<rolling::RollingFileAppender> {
 public:
  void setOption(const log4cxx::LogString& option, const log4cxx::LogString& value) override {
    const std::string name = helpers::StringHelper::toLowerCase(option);
    if (name == "datepattern" || name == "filedatepattern") {
      date_pattern_ = value;
    } else if (name == "maxbackupindex" || name == "maximumbackupindex") {
      backups_ = helpers::OptionConverter::toInt(value, 1);
    } else {
      if (name == "maxfilesize" || name == "maximumfilesize") sized_ = true;
      Utf8::setOption(option, value);  // sizes it understands in any order
    }
  }

  // Now that all options are known, in whatever order they came. Called again to reopen the file.
  void activateOptions(helpers::Pool& pool) override {
    if (!std::exchange(known_, true)) {
      if (!getRollingPolicy()) roll_by_options();
      roll_regular_files_only();
    }
    Utf8::activateOptions(pool);
  }

 protected:
  // Gathered lines are not in the file yet. So few are gathered that the file's size is close to the one that
  // was asked for.
  std::size_t most_gathered() const override {
    return sized_ ? std::min(kMostGathered, getMaximumFileSize() / 16) : kMostGathered;
  }

  helpers::WriterPtr createWriter(helpers::OutputStreamPtr& stream) override {
    if (!is_utf8()) return Utf8::createWriter(stream);
    helpers::OutputStreamPtr counted = std::make_shared<Counted>(stream, *this);
    return Utf8::createWriter(counted);
  }

  void set_date_pattern(const std::string& pattern) { date_pattern_ = pattern; }

 private:
  void roll_by_options() {
    if (!date_pattern_.empty()) {
      const auto policy = std::make_shared<rolling::TimeBasedRollingPolicy>();
      policy->setFileNamePattern(dated_name(getFile(), date_pattern_));
      setRollingPolicy(policy);
      return;
    }
    setRollingPolicy(std::make_shared<Backups>(backups_));
    if (!getTriggeringPolicy()) setMaximumFileSize(getMaximumFileSize());
    sized_ = true;
  }

  // Hides the policy from log4cxx, which would check whether it is a triggering policy, too.
  void roll_regular_files_only() {
    if (!getTriggeringPolicy()) {
      if (auto both = log4cxx::cast<rolling::TriggeringPolicy>(getRollingPolicy())) setTriggeringPolicy(both);
    }
    setRollingPolicy(std::make_shared<RegularFilesOnly>(getRollingPolicy()));
  }

  std::string date_pattern_;
  bool known_ = false;  // the configuration says how the file is rolled
  int backups_ = 1;
  bool sized_ = false;
};

class DailyRolling final : public Rolling {
 public:
  DailyRolling() { set_date_pattern("'.'yyyy-MM-dd"); }
};

// Makes the appenders of a class that a configuration names.
template <class Appender>
class Maker final : public helpers::Class {
 public:
  explicit Maker(std::string name) : name_(std::move(name)) {}
  log4cxx::LogString getName() const override { return name_; }
  helpers::Object* newInstance() const override { return new Appender(); }

 private:
  const std::string name_;
};

}  // namespace

void register_appenders(bool appending) {
  always_appending = appending;
  helpers::Class::forName("FileAppender");  // log4cxx registers its own class first
  static const Maker<Plain> file("FileAppender");
  static const Maker<Rolling> rolling("RollingFileAppender");
  static const Maker<DailyRolling> daily("DailyRollingFileAppender");
  helpers::Class::registerClass(file);
  helpers::Class::registerClass(rolling);
  helpers::Class::registerClass(daily);
}

}  // namespace driveshaft::log
