// SPDX-License-Identifier: MIT
#pragma once

#include <openssl/ssl.h>

#include <array>
#include <boost/system/error_code.hpp>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file_stamp.h"
#include "base/tls_settings.h"

// The client side of TLS: what connections are made of. The bytes are stream.h's.
namespace driveshaft::base {

struct FreeTls {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* session) const { SSL_free(session); }
};
using TlsContext = std::unique_ptr<SSL_CTX, FreeTls>;
// Of one connection. Lives on without the context that it was made from.
using TlsSession = std::unique_ptr<SSL, FreeTls>;

// Whether the files can be used, as they are now and by this user. Blocks while it reads them. The error
// names the key and the file.
Result<void> check_tls(const TlsSettings& settings);

// An error of OpenSSL's queue as an error code, whose message says what can be done about it.
boost::system::error_code tls_error(unsigned long code);
// Whether the connection ended without TLS's goodbye.
bool is_tls_cut_off(const boost::system::error_code& error);
// Whether the peer has sent it, as the reason why it ends the connection.
bool is_tls_alert(const boost::system::error_code& error);

// What all connections with the same settings share. Looks at its files before each new connection and reads
// them again when they have changed: that costs three stat(), which is nothing beside a handshake, and needs
// no timer, no signal and no delay. If they are broken then, that is logged once, and what was read before
// goes on. Any thread.
class TlsClient {
 public:
  explicit TlsClient(TlsSettings settings) : settings_(std::move(settings)) {}
  TlsClient(const TlsClient&) = delete;

  // For a new connection to `host`, a name or a literal. The error is the reason only.
  Result<TlsSession> session(const std::string& host);

  // Why the handshake of a session failed with `error`, and what can be done about it.
  std::string describe_failure(const SSL& session, const std::string& host,
                               const boost::system::error_code& error) const;

  const TlsSettings& settings() const { return settings_; }

 private:
  using Stamps = std::array<std::optional<FileStamp>, 3>;

  Stamps stamps() const;
  Result<void> refresh();
  const std::string& expected_name(const std::string& host) const {
    return settings_.server_name.empty() ? host : settings_.server_name;
  }

  const TlsSettings settings_;
  std::mutex mutex_;
  // Under it.
  TlsContext context_;  // null until the files could be used once
  Stamps read_;         // of the files as last read, good or not
};

// One client for all that have the same settings, as long as one of them keeps it: authorities are many, and
// are read once. Any thread.
class TlsClients {
 public:
  std::shared_ptr<TlsClient> client(const TlsSettings& settings);

  // The one for a server or pool that may have none: null for null.
  std::shared_ptr<TlsClient> client(const std::optional<TlsSettings>& settings) {
    return settings ? client(*settings) : nullptr;
  }

 private:
  std::mutex mutex_;
  std::vector<std::weak_ptr<TlsClient>> clients_;  // under it
};

}  // namespace driveshaft::base
