// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>

#include "config/config.h"
#include "config/key_table.h"
#include "config/value.h"

// The entries of gearman_servers_list: an address, or an object of the address and more.
namespace driveshaft::config {

Keys<ServerConfig> server_keys();

// Nothing: the value is not a server, which was reported.
std::optional<ServerConfig> read_server(const Value& value);

// The entry as the file would write it: JSON.
std::string server_text(const ServerConfig& server);

}  // namespace driveshaft::config
