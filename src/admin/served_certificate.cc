// SPDX-License-Identifier: MIT
#include "admin/served_certificate.h"

#include <utility>
#include <vector>

#include "net/tls_server.h"

namespace driveshaft::admin {
namespace {

std::vector<std::string> paths_of(const net::TlsSettings& settings) {
  if (settings.certificate_file.empty()) return {};
  return {settings.certificate_file, settings.key_file};
}

base::Result<net::TlsContext> read(const net::TlsSettings& settings) {
  auto context = net::load_tls_server(settings);
  if (!context) return base::Error{"--exporter_" + context.error().message};
  return context;
}

}  // namespace

ServedCertificate::ServedCertificate(asio::io_context& loop, const std::string& certificate_file,
                                     const std::string& key_file)
    : settings_{.ca_file = {}, .certificate_file = certificate_file, .key_file = key_file, .server_name = {}},
      files_(
          loop, paths_of(settings_), [settings = settings_] { return read(settings); },
          [this](net::TlsContext context) { use(std::move(context)); }) {}

void ServedCertificate::use(net::TlsContext context) {
  context_ = std::move(context);
  auto shown = net::certificate_in(*context_, settings_);
  const std::lock_guard lock(mutex_);
  shown_ = std::move(shown);
}

std::optional<net::Certificate> ServedCertificate::shown() const {
  const std::lock_guard lock(mutex_);
  return shown_;
}

}  // namespace driveshaft::admin
