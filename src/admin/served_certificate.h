// SPDX-License-Identifier: MIT
#pragma once

#include <mutex>
#include <optional>
#include <string>

#include "admin/watched_files.h"
#include "net/asio.h"
#include "net/tls.h"

namespace driveshaft::admin {

// The certificate and key of the exporter address. They are read again when their files change. Without files
// the exporter address does not use TLS. The admin thread uses this object once watch() is called; only
// shown() may be called in any thread.
class ServedCertificate {
 public:
  // Both paths are empty, or neither is. `loop` outlives this object.
  ServedCertificate(asio::io_context& loop, const std::string& certificate_file, const std::string& key_file);

  // As load() and watch() of WatchedFiles.
  void load() { files_.load(); }
  void watch() { files_.watch(); }

  // Null without TLS.
  const net::TlsContext& context() const { return context_; }

  // The certificate as it was last read, for people; nothing without TLS. Any thread.
  std::optional<net::Certificate> shown() const;

 private:
  void use(net::TlsContext context);

  const net::TlsSettings settings_;
  net::TlsContext context_;
  mutable std::mutex mutex_;
  std::optional<net::Certificate> shown_;  // guarded by mutex_
  WatchedFiles<net::TlsContext> files_;
};

}  // namespace driveshaft::admin
