// SPDX-License-Identifier: MIT
#include "base/file_stamp.h"

namespace driveshaft::base {
namespace {

bool same(const timespec& a, const timespec& b) { return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec; }

}  // namespace

bool FileStamp::operator==(const FileStamp& other) const {
  return device == other.device && inode == other.inode && size == other.size &&
         same(modified, other.modified) && same(changed, other.changed);
}

bool FileStamp::younger_than(std::chrono::nanoseconds age) const {
  const std::chrono::system_clock::time_point at(
      std::chrono::duration_cast<std::chrono::system_clock::duration>(
          std::chrono::seconds(changed.tv_sec) + std::chrono::nanoseconds(changed.tv_nsec)));
  const auto now = std::chrono::system_clock::now();
  // The kernel's stamps are up to one tick of its clock behind the time, and never ahead. A stamp in the
  // future means that the clock was set back.
  return at <= now && now - at < age;
}

std::optional<FileStamp> stamp_file(const std::string& path) {
  struct stat found = {};
  if (::stat(path.c_str(), &found) != 0) return std::nullopt;
  return FileStamp{found.st_dev, found.st_ino, found.st_size, found.st_mtim, found.st_ctim};
}

}  // namespace driveshaft::base
