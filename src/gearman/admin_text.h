// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// gearmand's text protocol for administrators, on the same port as the binary protocol: a command is one
// line; the answer is lines, and the last of them is a single dot. Pure.
namespace driveshaft::gearman {

// Cuts an answer of any length into lines, and keeps one line in memory. A line longer than kMost is cut:
// names have at most 8 KiB, and of the functions of a worker only the first is needed.
class LineReader {
 public:
  static constexpr std::size_t kMost = 16 * 1024;

  // Calls `each` with every complete line, without its newline.
  template <class Each>
  void feed(std::string_view bytes, Each&& each) {
    while (!bytes.empty()) {
      const auto end = bytes.find('\n');
      const auto part = bytes.substr(0, end);
      line_.append(part.substr(0, kMost - line_.size()));
      if (end == bytes.npos) return;
      bytes.remove_prefix(end + 1);
      each(std::string_view(line_));
      line_.clear();
    }
  }

 private:
  std::string line_;
};

// A line of the answer to `status`.
struct FunctionQueue {
  std::string_view function;
  std::uint64_t queued;  // without the running ones, which gearmand counts as well
  std::uint64_t running;
  std::uint64_t workers;  // connections that registered the function
};
std::optional<FunctionQueue> parse_status_line(std::string_view line);

// A line of the answer to `workers`.
struct WorkerLine {
  std::string_view client_id;
  bool has_functions;  // false: it is a client, or the connection that asks
};
std::optional<WorkerLine> parse_worker_line(std::string_view line);

}  // namespace driveshaft::gearman
