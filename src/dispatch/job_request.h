// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "dispatch/contract.h"
#include "dispatch/request_headers.h"
#include "dispatch/signer.h"
#include "http/endpoint.h"

namespace driveshaft::dispatch {

// The bytes of a job's requests: the body, which is encoded once, and a head for each attempt. The memory is
// used again for one job after another.
class JobRequest {
 public:
  // Encodes the body. It may view the job's workload, which must stay where it is until clear().
  void encode(config::RequestFormat format, const JobFields& job) { dispatch::encode(format, job, body_); }

  // How a request is signed.
  struct Signature {
    Signer& signer;
    std::string_view server;  // the job's gearmand, as the jobs file has it
    std::chrono::system_clock::time_point time;
    std::string_view altered =
        {};  // goes behind the body that is signed, and makes the signature a wrong one
  };
  // Makes the head of an attempt for `endpoint`, and gives head and body as an exchange sends them; valid
  // until the next call. `function_lines` are those of the job's function; see request_headers.h. A null
  // signature leaves the request unsigned. The error says why OpenSSL could not sign it.
  base::Result<http::Exchange::Request> build(const http::Endpoint& endpoint, std::string_view function_lines,
                                              const JobFields& job, const AttemptFacts& attempt,
                                              const Signature* signature);

  // Gives memory back that a big job took.
  void clear();

 private:
  RequestBody body_;
  std::string head_;
};

}  // namespace driveshaft::dispatch
