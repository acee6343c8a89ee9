// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "net/address.h"

// The jobs file that `driveshaft init` writes, and what it says of it: the file is JSON, which has no
// comments. Pure.
namespace driveshaft::cli {

// A Unix socket that php-fpm may listen on.
struct PhpSocket {
  std::string path;
  bool may_connect = true;  // this user

  bool operator==(const PhpSocket&) const = default;
};

// What there is on this machine. The first of each is used.
struct Surroundings {
  std::vector<net::Address> servers;  // gearmands that answer
  std::vector<PhpSocket> php;
};

inline constexpr std::string_view kJobsFileName = "jobs.json";
inline constexpr std::string_view kSchemaName = "jobs.schema.json";

std::string starter_jobs_file(const Surroundings& found);

// Lines for people. `path`: of the jobs file, as they would write it.
std::vector<std::string> starter_text(const Surroundings& found, const std::string& path);

}  // namespace driveshaft::cli
