// SPDX-License-Identifier: MIT
#include "dispatch/job_request.h"

namespace driveshaft::dispatch {
namespace {

// A body up to this size is copied behind the head: one piece is sent faster than four.
constexpr std::size_t kCopiedBody = 4 * 1024;
// Memory beyond this size is given back.
constexpr std::size_t kKeptHead = 32 * 1024;

base::Result<void> sign(std::string& head, const JobFields& job, const RequestBody& body,
                        const JobRequest::Signature& how) {
  const auto id = webhook_id(how.server, job);
  if (!id) return id.error();
  if (how.altered.empty()) return how.signer.append_lines(head, *id, how.time, body);
  RequestBody other = body;
  other.after += how.altered;
  return how.signer.append_lines(head, *id, how.time, other);
}

}  // namespace

base::Result<http::Exchange::Request> JobRequest::build(const http::Endpoint& endpoint,
                                                        std::string_view function_lines, const JobFields& job,
                                                        const AttemptFacts& attempt,
                                                        const Signature* signature) {
  head_.clear();
  endpoint.append_head(head_, body_.content_type, body_.size());
  head_.append(function_lines);
  append_attempt_lines(head_, attempt);
  if (signature) {
    if (auto done = sign(head_, job, body_, *signature); !done) return done.error();
  }
  head_.append("\r\n");
  if (body_.size() <= kCopiedBody) {
    head_.append(body_.before).append(body_.workload).append(body_.after);
    return http::Exchange::Request{boost::asio::buffer(head_)};
  }
  return http::Exchange::Request{boost::asio::buffer(head_), boost::asio::buffer(body_.before),
                                 boost::asio::buffer(body_.workload.data(), body_.workload.size()),
                                 boost::asio::buffer(body_.after)};
}

void JobRequest::clear() {
  for (std::string* memory : {&head_, &body_.before, &body_.after}) {
    if (memory->capacity() > kKeptHead) std::string().swap(*memory);
  }
  body_.workload = {};
}

}  // namespace driveshaft::dispatch
