// SPDX-License-Identifier: MIT
#pragma once

#include <fstream>
#include <string>
#include <vector>

// What the manuals list, for the tests of command lines.
namespace driveshaft::cli {

// What follows `mark` in the lines of a page's section that begin with it, up to `end`.
inline std::vector<std::string> listed(const std::string& path, const std::string& title,
                                       const std::string& mark, char end) {
  std::ifstream file(SOURCE_DIR + path);
  std::vector<std::string> found;
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("## ") || line.starts_with(".Sh ")) inside = line == title;
    if (inside && line.starts_with(mark))
      found.push_back(line.substr(mark.size(), line.find(end, mark.size()) - mark.size()));
  }
  return found;
}

}  // namespace driveshaft::cli
