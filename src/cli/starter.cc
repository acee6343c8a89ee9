// SPDX-License-Identifier: MIT
#include "cli/starter.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "cli/shell_word.h"
#include "text/printable.h"

namespace driveshaft::cli {
namespace {

constexpr std::string_view kScript = "/var/www/html/job.php";
const net::Address kUsualServer{"127.0.0.1", 4730};

// Encodes the path for the host of a URI. The result has no character that has to be escaped in JSON.
std::string percent_encoded(std::string_view path) {
  constexpr std::string_view kPlain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  std::string encoded;
  for (const char c : path) {
    encoded += kPlain.find(c) != kPlain.npos ? std::string(1, c)
                                             : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return encoded;
}

std::string endpoint(const Surroundings& found) {
  if (found.php.empty()) return "http://127.0.0.1/job.php";
  return fmt::format("fcgi+unix://{}{}", percent_encoded(found.php.front().path), kScript);
}

std::string server(const Surroundings& found) {
  return net::to_string(found.servers.empty() ? kUsualServer : found.servers.front());
}

std::string of_servers(const Surroundings& found) {
  if (found.servers.empty()) {
    return fmt::format("no gearmand was found here: put the address of yours in place of {}", server(found));
  }
  std::vector<std::string> others;
  for (auto other = found.servers.begin() + 1; other != found.servers.end(); ++other) {
    others.push_back(net::to_string(*other));
  }
  return fmt::format("{}, where a gearmand answers{}", server(found),
                     others.empty() ? "" : fmt::format("; another one does at {}", fmt::join(others, ", ")));
}

std::string of_endpoint(const Surroundings& found) {
  if (found.php.empty()) {
    return fmt::format(
        "no php-fpm was found (its sockets are looked for in /run/php, /run/php-fpm and /var/opt/remi): put "
        "the URI of your endpoint in place of {}",
        endpoint(found));
  }
  const auto& php = found.php.front();
  return fmt::format(
      "php-fpm listens on {}: put the path of your script in place of {}{}", text::printable(php.path, 256),
      kScript,
      php.may_connect ? "" : ". This user may not connect to it: the daemon's needs the group of the socket");
}

// The path of a control socket in the folder of the jobs file. Whoever ran the command can write there.
std::string socket_beside(const std::string& path) {
  return path.substr(0, path.rfind('/') + 1) + "control.sock";
}

}  // namespace

std::string starter_jobs_file(const Surroundings& found) {
  return fmt::format(R"({{
    "$schema": "./{}",
    "gearman_servers_list": ["{}"],
    "request_format": "json",
    "max_running_time": 600,
    "retry": {{"attempts": 1}},
    "breaker": true,
    "dead_letter_function": "",
    "pools_list": {{
        "Example": {{
            "job_processing_uri": "{}",
            "worker_count": 4,
            "jobs_list": ["example"]
        }}
    }}
}}
)",
                     kSchemaName, server(found), endpoint(found));
}

std::vector<std::string> starter_text(const Surroundings& found, const std::string& path) {
  const struct {
    std::string_view key;
    std::string text;
  } rows[] = {
      {"gearman_servers_list", of_servers(found)},
      {"job_processing_uri", of_endpoint(found)},
      {"jobs_list", "the functions whose jobs are taken: put yours in place of \"example\""},
      {"worker_count", "so many jobs run at once; of php-fpm at most its pm.max_children"},
      {"request_format", "\"multipart\" for an endpoint that reads $_POST"},
      {"max_running_time", "a job that runs for more seconds has failed"},
      {"retry", "more attempts only where a job may run twice"},
      {"breaker",
       "while all jobs fail, few are sent, so that a bad deployment does not fail the whole queue"},
      {"dead_letter_function", "name a function, and gearmand keeps failed jobs as jobs of it"},
  };
  std::vector<std::string> lines{fmt::format("{} is written. What it says:", path), ""};
  for (const auto& row : rows) lines.push_back(fmt::format("  {:<22}{}", row.key, row.text));
  for (const std::string_view line : {"", "Change it, look whether all is well, and start:", ""}) {
    lines.emplace_back(line);
  }
  const std::string socket = shell_word(socket_beside(path));
  lines.push_back(fmt::format("  driveshaft --check=online --jobsconfig {}", shell_word(path)));
  // Without a token the page can be read by anybody, so this machine alone is served.
  lines.push_back(
      fmt::format("  driveshaft --jobsconfig {} --control_socket {} --exporter_addr 127.0.0.1:8888",
                  shell_word(path), socket));
  lines.emplace_back();
  lines.emplace_back("While it runs, in another terminal:");
  lines.emplace_back();
  lines.emplace_back("  driveshaft status");
  lines.push_back(fmt::format("  driveshaft pause Example --control_socket {}", socket));
  return lines;
}

}  // namespace driveshaft::cli
