// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "config/config.h"

// The contract between Driveshaft and an endpoint, which docs/http-contract.md describes: makes the body of
// the request for a job. answer_decoder.h reads the answer. Pure.
namespace driveshaft::dispatch {

struct JobFields {
  std::string_view function;
  std::string_view handle;
  std::string_view unique;
  std::string_view workload;
};

// The body of a POST in three pieces, so that a big workload need not be copied. The job's bytes must outlive
// it.
struct RequestBody {
  std::string content_type;
  std::string before;
  std::string_view workload;  // view of the job's workload if it can be sent unchanged; otherwise empty
  std::string after;

  std::size_t size() const { return before.size() + workload.size() + after.size(); }
};

// Writes the four fields in the pool's format. `body` is overwritten; its memory is used again.
//   json        {"function_name":…,"job_handle":…,"unique":…,"workload":…}; a workload that is not UTF-8 goes
//               as base64, with "workload_encoding":"base64". In the other fields bytes that are not UTF-8
//               become U+FFFD.
//   multipart   multipart/form-data, each field as it is, behind a boundary that is in none of them
//   urlencoded  application/x-www-form-urlencoded
void encode(config::RequestFormat format, const JobFields& job, RequestBody& body);

}  // namespace driveshaft::dispatch
