// SPDX-License-Identifier: MIT
#pragma once

#include <log4cxx/fileappender.h>
#include <log4cxx/helpers/outputstream.h>
#include <log4cxx/helpers/pool.h>
#include <log4cxx/helpers/writer.h>

#include <cstddef>
#include <memory>
#include <mutex>
#include <set>
#include <string>

namespace driveshaft::log {

// The file appenders of the configuration in force, also those behind another appender.
std::set<log4cxx::FileAppenderPtr> file_appenders();

// Opens the file for append, which makes it if there is none, and closes it. Returns 0, or the errno if that
// fails. Never waits: a FIFO that nobody reads gives ENXIO.
int why_not_appendable(const std::string& path);

// Whether the path is a FIFO that nobody reads: to open it for writing would block.
bool is_unread_fifo(const std::string& path);

// While a Batch lives, the lines that its thread logs to files are gathered and written in few system calls,
// at the latest at the end of the Batch. Without a Batch each line is written at once.
class Batch {
 public:
  Batch();
  ~Batch();
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  // Memory for log4cxx, freed with the batch.
  log4cxx::helpers::Pool& pool() { return pool_; }

 private:
  log4cxx::helpers::Pool pool_;
};

// Counts the lines that could not be written to one file. When the file takes lines again, the log says how
// many were lost. The first lost line is reported on stderr at once. Outlives the writers of its file. Any
// thread.
class LostLines {
 public:
  void set_path(const std::string& path);
  void lost(std::size_t lines, const std::string& reason);
  void works_again();

 private:
  std::mutex mutex_;
  std::string path_;
  std::string reason_;
  std::size_t lines_ = 0;
};

// About so many bytes of lines are written at once, in a batch.
inline constexpr std::size_t kMostGathered = std::size_t{64} * 1024;

// Writes lines, which are UTF-8, to a stream as they are. A line that cannot be written is counted and
// dropped without an exception, so that a full disk does not keep lines from other appenders. Any thread.
class Utf8Writer final : public log4cxx::helpers::Writer, public std::enable_shared_from_this<Utf8Writer> {
 public:
  // At most about `gathered` bytes wait for the end of a batch.
  Utf8Writer(log4cxx::helpers::OutputStreamPtr stream, std::shared_ptr<LostLines> lost, std::size_t gathered);

  void write(const log4cxx::LogString& text, log4cxx::helpers::Pool& pool) override;
  void flush(log4cxx::helpers::Pool& pool) override;
  void close(log4cxx::helpers::Pool& pool) override;

 private:
  friend class Batch;
  void write_gathered(log4cxx::helpers::Pool& pool);
  void put(log4cxx::helpers::Pool& pool);

  const log4cxx::helpers::OutputStreamPtr stream_;
  const std::shared_ptr<LostLines> lost_;
  const std::size_t most_gathered_;
  std::mutex mutex_;  // guards what follows and the stream
  std::string gathered_;
  bool listed_ = false;             // the batch of some thread has this writer
  bool ended_within_line_ = false;  // the last write ended within a line
  bool works_again_ = false;        // to be logged once the mutex is released, because logging needs it
};

}  // namespace driveshaft::log
