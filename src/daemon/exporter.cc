// SPDX-License-Identifier: MIT
#include "daemon/exporter.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <utility>

#include "admin/token_file.h"

namespace driveshaft::daemon {

std::string host_name() {
  std::array<char, 65> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host[0] = '\0';
  return host.data();
}

admin::ExporterSettings exporter_settings(const Options& options) {
  admin::ExporterSettings settings{.read_token_file = options.read_token_file,
                                   .admin_token_file = options.admin_token_file,
                                   .certificate_file = options.exporter_certificate_file,
                                   .key_file = options.exporter_key_file};
  auto& hosts = settings.hosts;
  hosts.insert(hosts.end(), options.exporter_hosts.begin(), options.exporter_hosts.end());
  if (options.exporter) hosts.push_back(options.exporter->host);
  if (auto own = net::parse_host_name(host_name())) hosts.push_back(std::move(*own));
  return settings;
}

std::string exporter_argument(const Options& options) {
  if (options.exporter && !options.exporter_certificate_file.empty()) {
    return fmt::format(" https://localhost:{}", options.exporter->port);
  }
  if (!options.exporter || options.exporter->port == cli::kExporterPort) return {};
  return fmt::format(" :{}", options.exporter->port);
}

std::string_view one_token_for_all(const Options& options) {
  if (options.read_token_file.empty() || options.admin_token_file.empty()) return {};
  const auto to_read = admin::read_token(options.read_token_file);
  const auto to_act = admin::read_token(options.admin_token_file);
  if (!to_read || !to_act || to_read->reveal() != to_act->reveal()) return {};
  return "--admin_read_token_file and --admin_token_file have the same token: whoever may read may act, too; "
         "give them different ones";
}

}  // namespace driveshaft::daemon
