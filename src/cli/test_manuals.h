// SPDX-License-Identifier: MIT
#pragma once

#include <fstream>
#include <string>
#include <vector>

// Reads lists out of the manuals, for the tests of command lines.
namespace driveshaft::cli {

// Reads the section `title` of a page, and takes the lines that begin with `mark`. Returns from each of them
// the text between `mark` and `end`.
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
