// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "cli/starter.h"

// Finds the job servers and the sockets of php-fpm on this machine, which a jobs file could name.
namespace driveshaft::cli {

// Where to look.
struct Places {
  // Patterns of paths, as in a shell.
  std::vector<std::string> php_sockets{"/run/php/*.sock", "/run/php-fpm/*.sock", "/run/php*fpm*.sock",
                                       "/var/run/php-fpm/*.sock", "/var/opt/remi/php*/run/php-fpm/*.sock"};
  // Addresses that are tried besides those on which processes named gearmand listen.
  std::vector<net::Address> servers{{"127.0.0.1", 4730}};
};

// Finds sockets on which a process listens, in the order of the patterns, and for each pattern in the order
// of the names. A socket that has two names is returned once.
std::vector<PhpSocket> find_php_sockets(const std::vector<std::string>& patterns);

// Connects to each place, and has job servers send a few bytes back. Blocks for a few seconds at most.
Surroundings look_around(const Places& places);

}  // namespace driveshaft::cli
