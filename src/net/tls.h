// SPDX-License-Identifier: MIT
#pragma once

#include <openssl/ssl.h>

#include <array>
#include <boost/system/error_code.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file_stamp.h"
#include "net/blocking_calls.h"
#include "net/tls_settings.h"

// The client side of TLS: contexts and sessions. stream.h moves the bytes.
namespace driveshaft::net {

struct FreeTls {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* session) const { SSL_free(session); }
};
using TlsContext = std::unique_ptr<SSL_CTX, FreeTls>;
// The session of one connection. It may outlive the context that it was made from.
using TlsSession = std::unique_ptr<SSL, FreeTls>;

// Keeps OpenSSL from freeing its global objects at the exit of the process: a thread that still reads files
// may use them. Call it before any other function of OpenSSL.
void keep_openssl_at_exit();

// Checks that the files can be used, as they are now and by this user. Blocks while it reads them. The error
// names the key and the file.
base::Result<void> check_tls(const TlsSettings& settings);

// The certificate that these settings name, as its file is now; nothing if there is none or it cannot be
// used. Blocks.
struct Certificate {
  std::string file;
  std::chrono::system_clock::time_point ends;
};
std::optional<Certificate> own_certificate(const TlsSettings& settings);
// A certificate is reported when it ends within this time.
inline constexpr std::chrono::hours kRenewBefore{14 * 24};

// An error of OpenSSL's queue as an error code, whose message says what can be done about it.
boost::system::error_code tls_error(unsigned long code);
// Whether the connection ended without the close_notify of TLS.
bool is_tls_cut_off(const boost::system::error_code& error);
// Whether `error` is an alert that the peer has sent as the reason why it ends the connection.
bool is_tls_alert(const boost::system::error_code& error);

// The TLS context that connections with the same settings share. Before each new connection the files are
// looked at by three stat() calls, and read again if they have changed; this needs no timer and no signal. If
// the new files are broken, an error is logged once, and connections use what was read before. Any thread may
// use a TlsClient. Files are only read in a thread of BlockingCalls.
class TlsClient : public std::enable_shared_from_this<TlsClient> {
 public:
  // How long a connection waits for a look at the files. The file system may hang; connections then use what
  // was read before. The first connections wait longer, as nothing has been read yet.
  static constexpr std::chrono::seconds kLookTimeout{1};
  static constexpr std::chrono::seconds kFirstLookTimeout{4};

  explicit TlsClient(TlsSettings settings);
  TlsClient(const TlsClient&) = delete;

  // Call this before session(). It looks at the files in another thread. When their content is in use, the
  // loop of `calls` calls `done`. The caller need not wait longer than look_timeout(), and may then destroy
  // `calls`. While one look takes longer than that, the `done` of each further call is called at once.
  void look(BlockingCalls& calls, std::function<void()> done);
  std::chrono::seconds look_timeout();

  // A session for a new connection to `host`, a name or a literal, by the files as last read. The error gives
  // the reason only.
  base::Result<TlsSession> session(const std::string& host);

  // Why the handshake of a session failed with `error`, and what can be done about it. `ca_option` is where a
  // user gives settings().ca_file.
  std::string describe_failure(const SSL& session, const std::string& host,
                               const boost::system::error_code& error,
                               std::string_view ca_option = "ca_file in tls") const;

  const TlsSettings& settings() const { return settings_; }

  // Our own certificate, as it was last read; nothing if there is none.
  std::optional<Certificate> certificate() const;

 private:
  using Clock = std::chrono::steady_clock;
  using Stamps = std::array<std::optional<base::FileStamp>, 3>;
  struct Look {
    Stamps stamps;
    std::optional<base::Result<TlsContext>> read;  // nothing: they need not be read
  };
  // What happened to files that have changed: they are in use, or the error says why not. Nothing: they have
  // not changed, or none was in use before.
  using Change = std::optional<base::Result<void>>;
  struct Waiting {
    std::shared_ptr<BlockingCalls::Mailbox> loop;
    std::function<void()> done;
  };

  static Stamps stamp(const TlsSettings& settings);
  static Look look_at(const TlsSettings& settings, const std::optional<Stamps>& read);
  bool hangs();  // with the mutex held
  Change looked(Look look);
  Change use(Look look);  // with the mutex held
  void log(const Change& change) const;
  const std::string& expected_name(const std::string& host) const {
    return settings_.server_name.empty() ? host : settings_.server_name;
  }

  const TlsSettings settings_;
  mutable std::mutex mutex_;  // never held while a file is looked at
  // Guarded by the mutex:
  TlsContext context_;                              // null until the files could be used once
  std::optional<Certificate> certificate_;          // the certificate of context_
  base::Error unusable_;                            // why context_ is null
  Stamps read_;                                     // of the files as last read, good or not
  std::optional<Clock::time_point> looking_since_;  // set while a thread looks at the files
  bool hang_is_logged_ = false;
  std::vector<Waiting> waiting_;  // who waits for that thread
};

// Returns the same client for the same settings, as long as somebody keeps that client. So the many
// authorities of the system are read once. Any thread.
class TlsClients {
 public:
  std::shared_ptr<TlsClient> client(const TlsSettings& settings);

  // The client for optional settings; null without settings.
  std::shared_ptr<TlsClient> client(const std::optional<TlsSettings>& settings) {
    return settings ? client(*settings) : nullptr;
  }

  // The certificates of all clients in use; each file once.
  std::vector<Certificate> certificates() const;

 private:
  mutable std::mutex mutex_;
  std::vector<std::weak_ptr<TlsClient>> clients_;  // guarded by the mutex
};

}  // namespace driveshaft::net
