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

struct evp_mac_ctx_st;  // OpenSSL's

namespace driveshaft::dispatch {

// The id of a job's requests: the same for each attempt at it, also where gearmand has it run again
// elsewhere, and another for another job. `server` is gearmand's address as the jobs file has it. The error
// says why OpenSSL has failed, as that of Signer::append_lines().
base::Result<std::string> webhook_id(std::string_view server, const JobFields& job);

// Signs requests after the Standard Webhooks specification. One thread at a time.
class Signer {
 public:
  // The secrets as bytes; each gives a signature. Where OpenSSL fails append_lines() tells of it.
  explicit Signer(const std::vector<text::Secret>& keys);
  Signer(const Signer&) = delete;
  ~Signer();

  // Appends the lines webhook-id, webhook-timestamp and webhook-signature, each with its CRLF. The body is
  // read piece by piece, and not copied. After an error `out` has a part of them.
  base::Result<void> append_lines(std::string& out, std::string_view id,
                                  std::chrono::system_clock::time_point now, const RequestBody& body);

 private:
  struct Free {
    void operator()(evp_mac_ctx_st* context) const;
  };
  using Mac = std::unique_ptr<evp_mac_ctx_st, Free>;

  base::Result<void> append_signature(std::string& out, evp_mac_ctx_st* mac, std::string_view id,
                                      std::string_view timestamp, const RequestBody& body);

  std::vector<Mac> macs_;  // one a key, which it holds
  std::string unusable_;   // why they cannot be used; empty: they can
};

}  // namespace driveshaft::dispatch
