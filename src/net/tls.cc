// SPDX-License-Identifier: MIT
#include "net/tls.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <initializer_list>
#include <string_view>
#include <system_error>
#include <utility>

#include "log/log.h"
#include "net/address.h"
#include "net/asio.h"
#include "net/tls_server.h"
#include "text/printable.h"

namespace driveshaft::net {
namespace {

using namespace std::chrono_literals;
using boost::system::error_code;

// A certificate and its key are two files, and are seldom replaced in the same moment: so files that were
// written within this time are not read yet.
constexpr auto kSettled = 1s;

// What to do about an error of OpenSSL. Empty: no advice is known.
std::string_view remedy(int reason) {
  switch (reason) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_UNEXPECTED_MESSAGE:
    case SSL_R_RECORD_LENGTH_MISMATCH:
    case SSL_R_BAD_RECORD_TYPE:
      return "does it speak TLS on this port?";
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
    case SSL_R_SSLV3_ALERT_NO_CERTIFICATE:
      return "it wants a certificate of us: give certificate_file and key_file in tls";
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
      return "it may want a certificate of us (certificate_file and key_file in tls), or other versions and "
             "ciphers; its "
             "log says more";
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
    case SSL_R_TLSV1_ALERT_DECRYPT_ERROR:
      return "it does not accept our certificate: certificate_file in tls must be one that it trusts and "
             "that has not "
             "expired";
    case SSL_R_TLSV1_UNRECOGNIZED_NAME:
      return "it knows no such name: see server_name in tls";
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
    case SSL_R_UNSUPPORTED_PROTOCOL:
      return "TLS 1.2 or 1.3 is needed";
    default:
      return {};
  }
}

// The connection ended without close_notify.
const unsigned long kCutOff = ERR_PACK(ERR_LIB_SSL, 0, SSL_R_UNEXPECTED_EOF_WHILE_READING);

class TlsCategory final : public boost::system::error_category {
 public:
  const char* name() const noexcept override { return "tls"; }
  std::string message(int value) const override {
    const auto code = static_cast<unsigned long>(static_cast<unsigned>(value));
    if (code == kCutOff) return "closed without the end message of TLS";
    const char* words = ERR_reason_error_string(code);
    const auto what = ERR_GET_LIB(code) == ERR_LIB_SSL ? remedy(ERR_GET_REASON(code)) : std::string_view();
    const std::string text = words ? words : fmt::format("TLS error {:#x}", code);
    return what.empty() ? text : fmt::format("{} ({})", text, what);
  }
};

const TlsCategory& tls_category() {
  static const TlsCategory category;
  return category;
}

// OpenSSL calls this instead of asking on a terminal for a passphrase. It gives none, and sets the bool at
// `asked` unless that is null.
int no_passphrase(char*, int, int, void* asked) {
  if (asked) *static_cast<bool*>(asked) = true;
  return -1;
}

base::Error unusable(std::string_view key, const std::string& path, std::string_view why) {
  return {fmt::format("{} {}: {}", key, text::printable(path, 256), why)};
}

std::string file_names(const TlsSettings& settings) {
  std::vector<std::string_view> names;
  for (const auto* path : {&settings.ca_file, &settings.certificate_file, &settings.key_file}) {
    if (!path->empty()) names.push_back(*path);
  }
  return names.empty() ? "the system's authorities" : fmt::format("{}", fmt::join(names, ", "));
}

base::Result<void> check_readable(std::string_view key, const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"), std::fclose);
  // A directory can be opened but not read.
  if (file && (std::fgetc(file.get()) != EOF || std::feof(file.get()))) return {};
  return unusable(key, path, "cannot be read: " + std::generic_category().message(errno));
}

base::Result<void> load_authorities(SSL_CTX* context, const TlsSettings& settings) {
  if (settings.ca_file.empty()) {
    if (SSL_CTX_set_default_verify_paths(context) == 1) return {};
    return base::Error{"TLS cannot be set up: the system's authorities cannot be loaded"};
  }
  if (auto readable = check_readable("ca_file", settings.ca_file); !readable) return readable;
  if (SSL_CTX_load_verify_file(context, settings.ca_file.c_str()) == 1) return {};
  return unusable(
      "ca_file", settings.ca_file,
      "expected certificates in PEM (-----BEGIN CERTIFICATE-----), and found none or a damaged one");
}

base::Result<void> load_certificate(SSL_CTX* context, const TlsSettings& settings) {
  const std::string& path = settings.certificate_file;
  if (path.empty()) return {};
  if (auto readable = check_readable("certificate_file", path); !readable) return readable;
  if (SSL_CTX_use_certificate_chain_file(context, path.c_str()) != 1) {
    const auto code = ERR_peek_last_error();
    if (ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == SSL_R_EE_KEY_TOO_SMALL) {
      return unusable("certificate_file", path,
                      "its key is too short to be safe; 2048 bits of RSA are the least");
    }
    return unusable(
        "certificate_file", path,
        "expected a certificate in PEM (-----BEGIN CERTIFICATE-----), with its chain behind it, and found "
        "none or a damaged one");
  }
  return {};
}

base::Result<void> load_key(SSL_CTX* context, const TlsSettings& settings) {
  const std::string& path = settings.key_file;
  if (path.empty()) return {};
  if (auto readable = check_readable("key_file", path); !readable) return readable;
  bool encrypted = false;
  SSL_CTX_set_default_passwd_cb_userdata(context, &encrypted);
  const bool used = SSL_CTX_use_PrivateKey_file(context, path.c_str(), SSL_FILETYPE_PEM) == 1;
  SSL_CTX_set_default_passwd_cb_userdata(context, nullptr);
  if (used) return {};
  if (encrypted) return unusable("key_file", path, "the key is encrypted; store it without a passphrase");
  const auto code = ERR_peek_last_error();
  const int reason = ERR_GET_REASON(code);
  if (ERR_GET_LIB(code) == ERR_LIB_X509 &&
      (reason == X509_R_KEY_VALUES_MISMATCH || reason == X509_R_KEY_TYPE_MISMATCH)) {
    return unusable("key_file", path,
                    fmt::format("the key is not that of the certificate in {}", settings.certificate_file));
  }
  return unusable("key_file", path, "expected a private key in PEM (-----BEGIN PRIVATE KEY-----)");
}

base::Result<TlsContext> make_context(const SSL_METHOD* method) {
  TlsContext context(SSL_CTX_new(method));
  if (!context) return base::Error{"TLS cannot be set up: no memory, or a broken configuration of OpenSSL"};
  ERR_clear_error();
  if (SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) != 1) {
    ERR_clear_error();
    return base::Error{"TLS cannot be set up: OpenSSL has no TLS 1.2"};
  }
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                      SSL_MODE_RELEASE_BUFFERS);  // an idle connection keeps none
  SSL_CTX_set_read_ahead(context.get(), 1);                       // a record costs one read, not two
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_default_passwd_cb(context.get(), no_passphrase);
  return context;
}

// Calls those of the functions above that the context needs.
using Step = base::Result<void> (*)(SSL_CTX* context, const TlsSettings& settings);

base::Result<TlsContext> load(TlsContext context, const TlsSettings& settings,
                              std::initializer_list<Step> steps) {
  for (const auto step : steps) {
    if (auto done = step(context.get(), settings); !done) {
      ERR_clear_error();
      return done.error();
    }
  }
  return context;
}

base::Result<TlsContext> load(const TlsSettings& settings) {
  auto context = make_context(TLS_client_method());
  if (!context) return context;
  SSL_CTX_set_verify(context->get(), settings.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  return load(std::move(*context), settings, {load_authorities, load_certificate, load_key});
}

std::optional<Certificate> certificate_of(const SSL_CTX* context, const TlsSettings& settings) {
  const X509* const own = SSL_CTX_get0_certificate(context);
  std::tm ends{};
  if (!own || ASN1_TIME_to_tm(X509_get0_notAfter(own), &ends) != 1) return {};
  return Certificate{settings.certificate_file, std::chrono::system_clock::from_time_t(::timegm(&ends))};
}

// Sends the name to the peer (SNI), and has the peer's certificate checked for it. False: there is no memory.
bool expect_name(SSL* session, const std::string& name) {
  if (is_ip_address(name)) {
    const std::string literal = name.substr(0, name.find('%'));  // a zone has a meaning on this machine only
    return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), literal.c_str()) == 1;
  }
  SSL_set_hostflags(session, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return SSL_set_tlsext_host_name(session, name.c_str()) == 1 && SSL_set1_host(session, name.c_str()) == 1;
}

}  // namespace

void keep_openssl_at_exit() { OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, nullptr); }

base::Result<void> check_tls(const TlsSettings& settings) {
  const auto loaded = load(settings);
  if (!loaded) return loaded.error();
  return {};
}

std::optional<Certificate> own_certificate(const TlsSettings& settings) {
  const TlsContext context(SSL_CTX_new(TLS_client_method()));
  const bool loaded = context && load_certificate(context.get(), settings);
  ERR_clear_error();
  return loaded ? certificate_of(context.get(), settings) : std::nullopt;
}

base::Result<TlsContext> load_tls_server(const TlsSettings& settings) {
  auto context = make_context(TLS_server_method());
  if (!context) return context;
  return load(std::move(*context), settings, {load_certificate, load_key});
}

std::optional<Certificate> certificate_in(const SSL_CTX& context, const TlsSettings& settings) {
  return certificate_of(&context, settings);
}

TlsSession server_session(SSL_CTX& context) {
  TlsSession session(SSL_new(&context));
  if (session) SSL_set_accept_state(session.get());
  ERR_clear_error();
  return session;
}

void send_close_notify(SSL& session) {
  if (SSL_is_init_finished(&session) == 1) SSL_shutdown(&session);
  ERR_clear_error();
}

error_code tls_error(unsigned long code) { return {static_cast<int>(code), tls_category()}; }

bool is_tls_cut_off(const error_code& error) { return error == tls_error(kCutOff); }

bool is_tls_alert(const error_code& error) {
  const auto code = static_cast<unsigned long>(static_cast<unsigned>(error.value()));
  return error.category() == tls_category() && ERR_GET_LIB(code) == ERR_LIB_SSL &&
         ERR_GET_REASON(code) >= SSL_AD_REASON_OFFSET;
}

TlsClient::TlsClient(TlsSettings settings)
    : settings_(std::move(settings)),
      unusable_{fmt::format("TLS cannot be set up: {} could not be read yet: does the file system answer?",
                            file_names(settings_))} {}

TlsClient::Stamps TlsClient::stamp(const TlsSettings& settings) {
  Stamps stamps;
  const std::string* paths[] = {&settings.ca_file, &settings.certificate_file, &settings.key_file};
  for (std::size_t i = 0; i < stamps.size(); ++i) {
    if (!paths[i]->empty()) stamps[i] = base::stamp_file(*paths[i]);
  }
  return stamps;
}

// Blocks. `read`: the stamps of what is in use, if anything is.
TlsClient::Look TlsClient::look_at(const TlsSettings& settings, const std::optional<Stamps>& read) try {
  Look look{stamp(settings), {}};
  if (read) {
    if (look.stamps == *read) return look;
    if (std::any_of(look.stamps.begin(), look.stamps.end(),
                    [](const auto& one) { return one && one->younger_than(kSettled); })) {
      return look;
    }
  }
  look.read = load(settings);
  return look;
} catch (const std::bad_alloc&) {  // the next connection looks again
  return {};
}

void TlsClient::look(BlockingCalls& calls, std::function<void()> done) {
  const std::lock_guard lock(mutex_);
  if (hangs()) return calls.post(std::move(done));
  if (!looking_since_) {
    try {
      calls.run(
          "tls files",
          [self = shared_from_this(), read = context_ ? std::optional(read_) : std::nullopt] {
            return self->looked(look_at(self->settings_, read));
          },
          [self = shared_from_this()](const Change& change) { self->log(change); });
    } catch (const std::system_error& error) {  // no thread; the next connection looks again
      if (!context_) unusable_ = {fmt::format("TLS cannot be set up: no thread: {}", error.what())};
      return calls.post(std::move(done));
    }
    looking_since_ = Clock::now();
  }
  waiting_.push_back({calls.mailbox(), std::move(done)});
}

std::chrono::seconds TlsClient::look_timeout() {
  const std::lock_guard lock(mutex_);
  return context_ ? kLookTimeout : kFirstLookTimeout;
}

bool TlsClient::hangs() {
  const auto timeout = context_ ? kLookTimeout : kFirstLookTimeout;
  if (!looking_since_ || Clock::now() - *looking_since_ < timeout) return false;
  if (context_ && !std::exchange(hang_is_logged_, true)) {
    log::kMainLog.warn("tls: no answer of the file system of {}; new connections use the old files",
                       file_names(settings_));
  }
  return true;
}

// In the thread that has looked, because the loop that began the look may be gone by now.
TlsClient::Change TlsClient::looked(Look look) {
  std::vector<Waiting> waiting;
  Change change;
  {
    const std::lock_guard lock(mutex_);
    looking_since_.reset();
    hang_is_logged_ = false;
    waiting.swap(waiting_);
    if (look.read) change = use(std::move(look));
  }
  for (auto& [loop, done] : waiting) loop->post(loop, std::move(done));
  return change;
}

TlsClient::Change TlsClient::use(Look look) {
  read_ = look.stamps;
  auto& loaded = *look.read;
  Change change;
  if (context_) change = loaded ? base::Result<void>() : base::Result<void>(loaded.error());
  if (loaded) {
    context_ = std::move(*loaded);
    certificate_ = certificate_of(context_.get(), settings_);
  } else if (!context_) {
    unusable_ = loaded.error();
  }
  return change;
}

// In the loop's thread, which ends before the log does.
void TlsClient::log(const Change& change) const {
  if (!change) return;
  if (*change) {
    log::kMainLog.info("tls: new connections use the changed files: {}", file_names(settings_));
  } else {
    log::kMainLog.error("tls: a changed file is not used, new connections use the old files: {}",
                        change->error().message);
  }
}

base::Result<TlsSession> TlsClient::session(const std::string& host) {
  const std::lock_guard lock(mutex_);
  if (!context_) return unusable_;
  TlsSession session(SSL_new(context_.get()));
  if (!session || !expect_name(session.get(), expected_name(host))) {
    ERR_clear_error();
    return base::Error{"TLS cannot be set up: no memory for it"};
  }
  SSL_set_connect_state(session.get());
  return session;
}

std::optional<Certificate> TlsClient::certificate() const {
  const std::lock_guard lock(mutex_);
  return certificate_;
}

std::string TlsClient::describe_failure(const SSL& session, const std::string& host, const error_code& error,
                                        std::string_view ca_option) const {
  const long verdict = SSL_get_verify_result(&session);
  if (error == asio::error::eof || is_tls_cut_off(error) || error == asio::error::connection_reset) {
    return fmt::format("TLS handshake failed: {} (does it speak TLS on this port?)",
                       error == asio::error::connection_reset ? error.message() : "it closed the connection");
  }
  if (!settings_.verify || verdict == X509_V_OK || is_tls_alert(error)) {
    return fmt::format("TLS handshake failed: {}", error.message());
  }
  std::string remedy;
  switch (verdict) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      remedy = fmt::format("expected {}; if it has another name, give that as server_name in tls",
                           expected_name(host));
      break;
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
      remedy = "it has to be renewed there, or this machine's clock is wrong";
      break;
    default:
      remedy = settings_.ca_file.empty()
                   ? fmt::format(
                         "trusted are the system's CAs, or those that SSL_CERT_FILE or SSL_CERT_DIR "
                         "names; {} names others",
                         ca_option)
                   : fmt::format("trusted are the authorities in ca_file {}", settings_.ca_file);
  }
  return fmt::format("TLS handshake failed: its certificate is not accepted: {} ({})",
                     X509_verify_cert_error_string(verdict), remedy);
}

std::shared_ptr<TlsClient> TlsClients::client(const TlsSettings& settings) {
  const std::lock_guard lock(mutex_);
  std::erase_if(clients_, [](const auto& client) { return client.expired(); });
  for (const auto& known : clients_) {
    if (auto client = known.lock(); client && client->settings() == settings) return client;
  }
  auto client = std::make_shared<TlsClient>(settings);
  clients_.push_back(client);
  return client;
}

std::vector<Certificate> TlsClients::certificates() const {
  std::vector<Certificate> certificates;
  const std::lock_guard lock(mutex_);
  for (const auto& weak : clients_) {
    const auto client = weak.lock();
    auto certificate = client ? client->certificate() : std::nullopt;
    const bool is_new =
        certificate && std::none_of(certificates.begin(), certificates.end(),
                                    [&](const auto& one) { return one.file == certificate->file; });
    if (is_new) certificates.push_back(std::move(*certificate));
  }
  return certificates;
}

}  // namespace driveshaft::net
