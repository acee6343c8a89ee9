// SPDX-License-Identifier: MIT
#include "daemon/check_files.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <set>
#include <utility>

#include "admin/token_file.h"
#include "base/exit_codes.h"
#include "daemon/exporter.h"
#include "daemon/jobs_file.h"
#include "net/tls_server.h"

namespace driveshaft::daemon {
namespace {

using Rows = std::vector<CheckRow>;
using std::chrono::system_clock;

CheckRow token_row(const char* what, const char* option, const std::string& path) {
  if (const auto token = admin::read_token(path); !token) {
    return error_row(what, path, base::kExitUsage,
                     fmt::format("--{} {}: {}", option, path, token.error().message));
  }
  if (admin::others_may_read(path)) return warning_row(what, path, std::string(admin::kOpenToOthers));
  return good_row(what, path);
}

CheckRow exporter_certificate_row(const Options& options) {
  constexpr const char* kWhat = "exporter's certificate";
  const net::TlsSettings own{.ca_file = {},
                             .certificate_file = options.exporter_certificate_file,
                             .key_file = options.exporter_key_file,
                             .server_name = {}};
  const auto context = net::load_tls_server(own);
  if (!context) {
    return error_row(kWhat, own.certificate_file, base::kExitUsage, "--exporter_" + context.error().message);
  }
  const auto certificate = net::certificate_in(**context, own);
  return certificate ? certificate_row(kWhat, *certificate, system_clock::now())
                     : good_row(kWhat, own.certificate_file);
}

}  // namespace

CheckRow certificate_row(std::string what, const net::Certificate& certificate,
                         system_clock::time_point now) {
  const auto days = [](system_clock::duration time) { return time / std::chrono::hours(24); };
  const auto left = certificate.ends - now;
  if (left.count() <= 0) {
    return warning_row(
        std::move(what), certificate.file,
        fmt::format("it has ended {} days ago, so whoever verifies it refuses it; renew it", days(-left)));
  }
  if (left <= net::kRenewBefore) {
    return warning_row(std::move(what), certificate.file,
                       fmt::format("it ends in {} days; renew it", days(left)));
  }
  return good_row(std::move(what), certificate.file,
                  fmt::format("until {:%Y-%m-%d}", fmt::gmtime(system_clock::to_time_t(certificate.ends))));
}

void check_exporter_files(const Options& options, const std::optional<User>& user, Rows& rows) {
  const AsUser as_user(user);
  if (!options.exporter_certificate_file.empty()) rows.push_back(exporter_certificate_row(options));
  if (!options.read_token_file.empty()) {
    rows.push_back(token_row("token to read", "admin_read_token_file", options.read_token_file));
  }
  if (!options.admin_token_file.empty()) {
    rows.push_back(token_row("token to act", "admin_token_file", options.admin_token_file));
  }
  if (const auto warning = one_token_for_all(options); !warning.empty()) {
    rows.push_back(warning_row("both tokens", "", std::string(warning)));
  }
}

void check_jobs_files(const std::string& jobs_file, const config::Parsed& parsed,
                      const std::optional<User>& user, Rows& rows) {
  std::set<std::string> shown;
  const auto show = [&](const net::TlsSettings& tls) {
    if (tls.certificate_file.empty() || !shown.insert(tls.certificate_file).second) return;
    if (const auto own = net::own_certificate(tls)) {
      rows.push_back(certificate_row("our certificate", *own, system_clock::now()));
    }
  };
  for (const auto& server : parsed.config.servers) {
    if (server.tls) show(*server.tls);
  }
  for (const auto& pool : parsed.config.pools) show(pool.endpoint_tls);
  if (!user) return;
  const AsUser as_user(user);
  const auto errors = unusable_files(jobs_file, parsed);
  for (const auto& error : errors) {
    rows.push_back(error_row("files of the jobs file", "as " + user->name, base::kExitConfig,
                             fmt::format("{}; give {} the right to read it", error, user->name)));
  }
  if (errors.empty()) rows.push_back(good_row("files of the jobs file", "as " + user->name));
}

}  // namespace driveshaft::daemon
