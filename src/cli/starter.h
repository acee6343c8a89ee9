// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "net/address.h"

// The jobs file that `driveshaft init` writes, and the text that it prints about the file, because JSON has
// no comments. Pure.
namespace driveshaft::cli {

// A Unix socket that php-fpm may listen on.
struct PhpSocket {
  std::string path;
  bool may_connect = true;  // whether this user may connect

  bool operator==(const PhpSocket&) const = default;
};

// What was found on this machine. The jobs file uses the first server and the first socket.
struct Surroundings {
  std::vector<net::Address> servers;  // gearmands that answer
  std::vector<PhpSocket> php;
};

inline constexpr std::string_view kJobsFileName = "jobs.json";
inline constexpr std::string_view kSchemaName = "jobs.schema.json";

std::string starter_jobs_file(const Surroundings& found);

// The text that init prints. `path`: path of the jobs file, as the user would write it.
std::vector<std::string> starter_text(const Surroundings& found, const std::string& path);

}  // namespace driveshaft::cli
