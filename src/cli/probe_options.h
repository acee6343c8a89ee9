// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "config/config.h"
#include "net/tls_settings.h"
#include "net/uri.h"

namespace driveshaft::cli {

// The command line of `driveshaft probe`, with every default.
struct ProbeOptions {
  net::Uri uri;
  std::string function = "driveshaft_probe";
  std::string workload = "driveshaft probe";  // workload of the plain job
  config::RequestFormat format = config::RequestFormat::json;
  std::vector<config::Header> headers;
  std::vector<text::Secret> keys;  // requests are signed with them; empty: requests are not signed
  net::TlsSettings tls;            // for https only
  std::string document_root;       // for FastCGI only; empty: the script's folder
  std::chrono::milliseconds timeout{10'000};
  bool help = false;
};

// Whether the arguments begin with `probe`. `arguments` does not contain the program's name.
bool is_probe(std::span<const char* const> arguments);

// Requires is_probe(arguments). Reads the files that the arguments name.
base::Result<ProbeOptions> parse_probe(std::span<const char* const> arguments);

std::string probe_help_text();

// Every option with its argument, as in "format format", in the order of the help.
std::vector<std::string> probe_option_names();

}  // namespace driveshaft::cli
