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
// used again for the next job.
class JobRequest {
 public:
  // Encodes the body. The body may view the job's workload, which must stay in its place until clear().
  void encode(config::RequestFormat format, const JobFields& job) { dispatch::encode(format, job, body_); }

  // How a request is signed.
  struct Signature {
    Signer& signer;
    std::string_view server;  // address of the job's gearmand, as the jobs file has it
    std::chrono::system_clock::time_point time;
    std::string_view altered =
        {};  // added to the signed bytes so that the signature is wrong, for `driveshaft probe`
  };
  // Makes the head of an attempt at `endpoint`. Returns head and body as an exchange sends them; they are
  // valid until the next call. `function_lines` are those of the job's function, see request_headers.h. If
  // `signature` is null, the request is not signed. The error says why OpenSSL could not sign it.
  base::Result<http::Exchange::Request> build(const http::Endpoint& endpoint, std::string_view function_lines,
                                              const JobFields& job, const AttemptFacts& attempt,
                                              const Signature* signature);

  // Forgets the workload, and gives back the memory that a big job took.
  void clear();

 private:
  RequestBody body_;
  std::string head_;
};

}  // namespace driveshaft::dispatch
