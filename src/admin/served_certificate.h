// SPDX-License-Identifier: MIT
#pragma once

#include <mutex>
#include <optional>
#include <string>

#include "admin/watched_files.h"
#include "net/asio.h"
#include "net/tls.h"

namespace driveshaft::admin {

// The certificate and key of the exporter address, read again when their files change. Without files nothing
// is served over TLS. Of the admin thread once watch() is called, but for shown().
class ServedCertificate {
 public:
  // Both paths are empty, or neither is.
  ServedCertificate(asio::io_context& loop, const std::string& certificate_file, const std::string& key_file);

  // As those of WatchedFiles.
  void load() { files_.load(); }
  void watch() { files_.watch(); }

  // Null without TLS.
  const net::TlsContext& context() const { return context_; }

  // What people are shown of it, as it was last read; nothing without TLS. Any thread.
  std::optional<net::Certificate> shown() const;

 private:
  void use(net::TlsContext context);

  const net::TlsSettings settings_;
  net::TlsContext context_;
  mutable std::mutex mutex_;
  std::optional<net::Certificate> shown_;  // under it
  WatchedFiles<net::TlsContext> files_;
};

}  // namespace driveshaft::admin
