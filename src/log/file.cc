// SPDX-License-Identifier: MIT
#include "log/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <log4cxx/helpers/bytebuffer.h>
#include <log4cxx/logger.h>
#include <log4cxx/logmanager.h>
#include <log4cxx/spi/appenderattachable.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <exception>
#include <string_view>
#include <utility>
#include <vector>

#include "base/stderr.h"
#include "log/log.h"
#include "log/loss.h"

namespace driveshaft::log {
namespace {

namespace helpers = log4cxx::helpers;

constexpr std::size_t kKeptGathered = 256 * 1024;

struct Gathering {
  int depth = 0;
  std::vector<std::shared_ptr<Utf8Writer>> writers;  // the writers that hold lines of this thread
};

thread_local Gathering gathering;

void collect_files(const log4cxx::AppenderList& appenders, std::set<log4cxx::FileAppenderPtr>& files) {
  for (const auto& appender : appenders) {
    if (auto file = log4cxx::cast<log4cxx::FileAppender>(appender)) {
      files.insert(file);
    } else if (auto nested = log4cxx::cast<log4cxx::spi::AppenderAttachable>(appender)) {
      collect_files(nested->getAllAppenders(), files);
    }
  }
}

}  // namespace

std::set<log4cxx::FileAppenderPtr> file_appenders() {
  std::set<log4cxx::FileAppenderPtr> files;
  collect_files(log4cxx::Logger::getRootLogger()->getAllAppenders(), files);
  for (const auto& each : log4cxx::LogManager::getCurrentLoggers()) {
    collect_files(each->getAllAppenders(), files);
  }
  return files;
}

int why_not_appendable(const std::string& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0644);
  if (fd < 0) return errno;
  ::close(fd);
  return 0;
}

bool is_unread_fifo(const std::string& path) {
  struct stat file = {};
  return ::stat(path.c_str(), &file) == 0 && S_ISFIFO(file.st_mode) && why_not_appendable(path) == ENXIO;
}

Batch::Batch() { ++gathering.depth; }

Batch::~Batch() {
  if (--gathering.depth > 0) return;
  for (const auto& writer : std::exchange(gathering.writers, {})) writer->write_gathered(pool_);
}

void LostLines::set_path(const std::string& path) {
  const std::lock_guard lock(mutex_);
  path_ = path;
}

void LostLines::lost(std::size_t lines, const std::string& reason) {
  const std::lock_guard lock(mutex_);
  if (lines_ == 0) {
    base::write_to_stderr(
        fmt::format("driveshaft: lines for the log file {} are being lost: {}", path_, reason));
  }
  lines_ += lines;
  reason_ = reason;
  note_loss(lines, fmt::format("the log file {} does not take them: {}", path_, reason));
}

void LostLines::works_again() {
  std::unique_lock lock(mutex_);
  if (lines_ == 0) return;
  const std::size_t lines = std::exchange(lines_, 0);
  const std::string message =
      fmt::format("{} log lines were dropped: the log file {} did not take them: {}", lines, path_, reason_);
  lock.unlock();
  kMainLog.warn("{}", message);
}

Utf8Writer::Utf8Writer(helpers::OutputStreamPtr stream, std::shared_ptr<LostLines> lost, std::size_t gathered)
    : stream_(std::move(stream)), lost_(std::move(lost)), most_gathered_(gathered) {}

void Utf8Writer::write(const log4cxx::LogString& text, helpers::Pool& pool) {
  std::unique_lock lock(mutex_);
  gathered_ += text;
  if (gathering.depth == 0 || gathered_.size() >= most_gathered_) {
    put(pool);
    const bool tell = std::exchange(works_again_, false);
    lock.unlock();
    if (tell) lost_->works_again();
  } else if (!listed_) {
    listed_ = true;
    gathering.writers.push_back(shared_from_this());
  }
}

// The end of a batch flushes; outside of a batch each line is written at once.
void Utf8Writer::flush(helpers::Pool&) {}

void Utf8Writer::close(helpers::Pool& pool) {
  const std::lock_guard lock(mutex_);
  put(pool);
  stream_->close(pool);
}

void Utf8Writer::write_gathered(helpers::Pool& pool) {
  std::unique_lock lock(mutex_);
  listed_ = false;
  put(pool);
  const bool tell = std::exchange(works_again_, false);
  lock.unlock();
  if (tell) lost_->works_again();
}

// With the mutex held.
void Utf8Writer::put(helpers::Pool& pool) {
  if (gathered_.empty()) return;
  if (ended_within_line_) gathered_.insert(gathered_.begin(), '\n');
  helpers::ByteBuffer bytes(gathered_.data(), gathered_.size());
  try {
    stream_->write(bytes, pool);
    ended_within_line_ = false;
    works_again_ = true;
  } catch (const std::exception& e) {
    const std::size_t written = bytes.position();
    if (written > 0) ended_within_line_ = gathered_[written - 1] != '\n';
    const std::string_view rest = std::string_view(gathered_).substr(written);
    const auto lines = static_cast<std::size_t>(std::count(rest.begin(), rest.end(), '\n'));
    lost_->lost(std::max<std::size_t>(lines, 1), e.what());
  }
  gathered_.clear();
  if (gathered_.capacity() > kKeptGathered) gathered_ = std::string();
}

}  // namespace driveshaft::log
