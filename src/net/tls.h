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

// Call this before anything else of OpenSSL, in a process that may end while a thread still reads files:
// OpenSSL then does not free its global objects at the exit, while the thread may use them.
void keep_tls_to_the_end();

// Whether the files can be used, as they are now and by this user. Blocks while it reads them. The error
// names the key and the file.
base::Result<void> check_tls(const TlsSettings& settings);

// The certificate that these settings name, as its file is now; nothing if there is none or it cannot be
// used. Blocks.
struct Certificate {
  std::string file;
  std::chrono::system_clock::time_point ends;
};
std::optional<Certificate> own_certificate(const TlsSettings& settings);
// People are told of a certificate from then on.
inline constexpr std::chrono::hours kRenewBefore{14 * 24};

// An error of OpenSSL's queue as an error code, whose message says what can be done about it.
boost::system::error_code tls_error(unsigned long code);
// Whether the connection ended without the close_notify of TLS.
bool is_tls_cut_off(const boost::system::error_code& error);
// Whether `error` is an alert that the peer has sent as the reason why it ends the connection.
bool is_tls_alert(const boost::system::error_code& error);

// What all connections with the same settings share. The files are looked at before each new connection and
// read again when they have changed: this costs three stat(), which are nothing beside a handshake, and needs
// no timer, no signal and no delay. If the new files are broken, an error is logged once, and connections use
// what was read before. Any thread. Files are only touched in a thread that is made for this.
class TlsClient : public std::enable_shared_from_this<TlsClient> {
 public:
  // How long a connection waits for a look at the files. The file system may hang; connections then use what
  // was read before. The first connections wait longer, as nothing has been read yet.
  static constexpr std::chrono::seconds kPatience{1};
  static constexpr std::chrono::seconds kFirstPatience{4};

  explicit TlsClient(TlsSettings settings);
  TlsClient(const TlsClient&) = delete;

  // Comes before session(): looks at the files, and calls `done` from the loop of `calls` when what they have
  // is in use. Should that take longer than patience() the caller need not wait; while a look takes that
  // long, all others are called at once.
  void look(BlockingCalls& calls, std::function<void()> done);
  std::chrono::seconds patience();

  // For a new connection to `host`, a name or a literal, from what was last read. The error is the reason
  // only.
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
    std::optional<base::Result<TlsContext>> read;  // nothing where they need not be read
  };
  struct Waiting {
    std::shared_ptr<BlockingCalls::Mailbox> loop;
    std::function<void()> done;
  };

  static Stamps stamp(const TlsSettings& settings);
  static Look look_at(const TlsSettings& settings, const std::optional<Stamps>& read);
  bool hangs();  // under the mutex
  void looked(Look look);
  void use(Look look);
  const std::string& expected_name(const std::string& host) const {
    return settings_.server_name.empty() ? host : settings_.server_name;
  }

  const TlsSettings settings_;
  mutable std::mutex mutex_;  // never held while a file is looked at
  // Under it.
  TlsContext context_;                              // null until the files could be used once
  std::optional<Certificate> certificate_;          // in it
  base::Error unusable_;                            // why it is null
  Stamps read_;                                     // of the files as last read, good or not
  std::optional<Clock::time_point> looking_since_;  // set while a thread looks at the files
  bool told_of_hanging_ = false;
  std::vector<Waiting> waiting_;  // for that thread
};

// Gives one client to all that have the same settings, as long as one of them keeps it: there are many
// authorities, which are then read once. Any thread.
class TlsClients {
 public:
  std::shared_ptr<TlsClient> client(const TlsSettings& settings);

  // The one for a server or pool that may have none: null for null.
  std::shared_ptr<TlsClient> client(const std::optional<TlsSettings>& settings) {
    return settings ? client(*settings) : nullptr;
  }

  // Those of all clients in use; each file once.
  std::vector<Certificate> certificates() const;

 private:
  mutable std::mutex mutex_;
  std::vector<std::weak_ptr<TlsClient>> clients_;  // under it
};

}  // namespace driveshaft::net
