// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "dispatch/contract.h"
#include "text/secret.h"

struct evp_mac_ctx_st;  // a type of OpenSSL

namespace driveshaft::dispatch {

// The webhook-id of a job's requests. It is the same for each attempt at the job, also if gearmand has the
// job run again elsewhere, and differs for each job. `server` is gearmand's address as the jobs file has it.
// The error says why OpenSSL failed.
base::Result<std::string> webhook_id(std::string_view server, const JobFields& job);

// Signs requests as the Standard Webhooks specification says (https://www.standardwebhooks.com). One thread
// at a time may use it.
class Signer {
 public:
  // `keys` are the secrets as bytes; each gives a signature. If OpenSSL fails, append_lines() returns an
  // error.
  explicit Signer(const std::vector<text::Secret>& keys);
  Signer(const Signer&) = delete;
  ~Signer();

  // Appends the lines webhook-id, webhook-timestamp and webhook-signature, each with its CRLF. The body is
  // read piece by piece, and not copied. The error says why OpenSSL failed; then `out` may have a part of the
  // lines.
  base::Result<void> append_lines(std::string& out, std::string_view id,
                                  std::chrono::system_clock::time_point now, const RequestBody& body);

 private:
  struct Free {
    void operator()(evp_mac_ctx_st* context) const;
  };
  using Mac = std::unique_ptr<evp_mac_ctx_st, Free>;

  base::Result<void> append_signature(std::string& out, evp_mac_ctx_st* mac, std::string_view id,
                                      std::string_view timestamp, const RequestBody& body);

  std::vector<Mac> macs_;  // one for each key; it holds the key
  std::string unusable_;   // why the keys cannot be used; empty: they can
};

}  // namespace driveshaft::dispatch
