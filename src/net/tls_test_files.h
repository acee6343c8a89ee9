// SPDX-License-Identifier: MIT
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <string>

#include "base/test_dir.h"
#include "net/asio.h"
#include "net/tls.h"

namespace driveshaft::net {

// For tests: a key, and a certificate for `localhost` and 127.0.0.1 that it signs itself, in files.
struct OwnCertificate {
  std::string certificate_file;
  std::string key_file;
};

inline OwnCertificate make_certificate(const base::TestDir& dir, const std::string& name,
                                       const char* passphrase = nullptr) {
  const std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const std::unique_ptr<X509, void (*)(X509*)> certificate(X509_new(), X509_free);
  X509* x = certificate.get();
  X509_set_version(x, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
  X509_gmtime_adj(X509_getm_notBefore(x), -60);
  X509_gmtime_adj(X509_getm_notAfter(x), 3600);
  X509_set_pubkey(x, key.get());
  X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_issuer_name(x, X509_get_subject_name(x));
  const std::unique_ptr<X509_EXTENSION, void (*)(X509_EXTENSION*)> names(
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "DNS:localhost, IP:127.0.0.1"),
      X509_EXTENSION_free);
  X509_add_ext(x, names.get(), -1);
  X509_sign(x, key.get(), EVP_sha256());

  OwnCertificate files{dir / (name + ".pem"), dir / (name + ".key")};
  std::FILE* file = std::fopen(files.certificate_file.c_str(), "w");
  PEM_write_X509(file, x);
  std::fclose(file);
  file = std::fopen(files.key_file.c_str(), "w");
  PEM_write_PKCS8PrivateKey(file, key.get(), passphrase ? EVP_aes_128_cbc() : nullptr, passphrase,
                            passphrase ? static_cast<int>(std::string(passphrase).size()) : 0, nullptr,
                            nullptr);
  std::fclose(file);
  return files;
}

// Looks at the client's files, as each attempt to connect does. Whether that took no longer than ten seconds.
inline bool look_at_files(TlsClient& client) {
  asio::io_context loop;
  BlockingCalls calls(loop);
  const auto guard = asio::make_work_guard(loop);
  bool done = false;
  client.look(calls, [&] { done = true; });
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!done && loop.run_one_until(end) > 0) {
  }
  return done;
}

// A session after such a look.
inline base::Result<TlsSession> new_session(TlsClient& client, const std::string& host) {
  if (!look_at_files(client)) return base::Error{"the look at the files has no end"};
  return client.session(host);
}

}  // namespace driveshaft::net
