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

// The file appenders that lines may go to, also those behind another appender.
std::set<log4cxx::FileAppenderPtr> file_appenders();

// 0, or why the file cannot be opened for append, as an errno. Makes the file if there is none, and never
// waits: a FIFO that nobody reads is ENXIO.
int why_not_appendable(const std::string& path);

// Whether opening it would wait for ever.
bool is_unread_fifo(const std::string& path);

// While one lives, the lines that this thread logs to files are gathered and written in few big pieces, at
// the latest at its end. Without one each line is written at once.
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

// Lines that a file did not take, counted until it takes lines again: then the log says how many there were.
// The first of several is reported on stderr, too. Outlives the writers of its file. Any thread.
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

// Hands lines to a stream as they are: they are UTF-8 already. What cannot be written is counted and dropped,
// without an exception, so that one full disk does not keep lines from other appenders. Any thread.
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
  bool listed_ = false;       // in the batch of some thread
  bool torn_ = false;         // the last write ended within a line
  bool works_again_ = false;  // to be logged when the mutex is free, as the log needs it
};

}  // namespace driveshaft::log
