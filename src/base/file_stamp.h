// SPDX-License-Identifier: MIT
#pragma once

#include <sys/stat.h>

#include <chrono>
#include <optional>
#include <string>

namespace driveshaft::base {

// What of a file changes when it is written or replaced.
struct FileStamp {
  dev_t device;
  ino_t inode;
  off_t size;
  timespec modified;
  timespec changed;

  bool operator==(const FileStamp& other) const;
  // Whether it was written or replaced within that time: whoever does that may not be done.
  bool younger_than(std::chrono::nanoseconds age) const;
};

// Nothing if there is no such file, or it cannot be looked at.
std::optional<FileStamp> stamp_file(const std::string& path);

}  // namespace driveshaft::base
