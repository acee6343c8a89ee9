// SPDX-License-Identifier: MIT
#pragma once

#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>

namespace driveshaft::base {

// For tests: a temporary directory. The destructor removes it with its content. If the run was killed before
// that, the next run does.
class TestDir {
 public:
  TestDir() {
    static const bool cleaned = (remove_those_of_dead_runs(), true);
    static_cast<void>(cleaned);
    std::string pattern =
        (std::filesystem::temp_directory_path() / (kPrefix + std::to_string(::getpid()) + "-XXXXXX"))
            .string();
    if (!::mkdtemp(pattern.data())) throw std::runtime_error("mkdtemp " + pattern);
    path_ = pattern;
  }
  ~TestDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TestDir(const TestDir&) = delete;
  TestDir& operator=(const TestDir&) = delete;

  std::string operator/(const std::string& name) const { return (path_ / name).string(); }

  // Writes the file and returns its path.
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(*this / name, std::ios::binary) << text;
    return *this / name;
  }

  std::string read(const std::string& name) const {
    std::ifstream file(*this / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

 private:
  static constexpr const char* kPrefix = "driveshaft-unit-";

  // The name of a directory has the process id of the run that made it.
  static void remove_those_of_dead_runs() {
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::temp_directory_path())) {
      const std::string name = entry.path().filename();
      if (!name.starts_with(kPrefix)) continue;
      pid_t owner = 0;
      std::from_chars(name.data() + std::string_view(kPrefix).size(), name.data() + name.size(), owner);
      if (owner > 0 && ::kill(owner, 0) != 0 && errno == ESRCH) {
        std::filesystem::remove_all(entry.path(), ignored);
      }
    }
  }

  std::filesystem::path path_;
};

}  // namespace driveshaft::base
