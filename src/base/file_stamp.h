// SPDX-License-Identifier: MIT
#pragma once

#include <sys/stat.h>

#include <chrono>
#include <optional>
#include <string>

namespace driveshaft::base {

// The attributes of a file that change when the file is written or replaced.
struct FileStamp {
  dev_t device;
  ino_t inode;
  off_t size;
  timespec modified;
  timespec changed;

  bool operator==(const FileStamp& other) const;
  // Whether the file was written or replaced within the last `age`. If so, the writer may not be done yet.
  bool younger_than(std::chrono::nanoseconds age) const;
};

// Nothing: stat() fails, as when there is no such file.
std::optional<FileStamp> stamp_file(const std::string& path);

}  // namespace driveshaft::base
