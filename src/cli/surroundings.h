// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "cli/starter.h"

// What there is on this machine that a jobs file could name.
namespace driveshaft::cli {

// Where to look.
struct Places {
  // Patterns of paths, as of a shell.
  std::vector<std::string> php_sockets{"/run/php/*.sock", "/run/php-fpm/*.sock", "/run/php*fpm*.sock",
                                       "/var/run/php-fpm/*.sock", "/var/opt/remi/php*/run/php-fpm/*.sock"};
  // Besides those of processes that are called gearmand.
  std::vector<net::Address> servers{{"127.0.0.1", 4730}};
};

// Sockets that are listened on, in the order of the patterns and of their names; one with two names once.
std::vector<PhpSocket> find_php_sockets(const std::vector<std::string>& patterns);

// Connects to each place, and has job servers send a few bytes back. Takes a few seconds at most.
Surroundings look_around(const Places& places);

}  // namespace driveshaft::cli
