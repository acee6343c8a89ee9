// SPDX-License-Identifier: MIT
#include "dispatch/contract.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "text/base64.h"
#include "text/json_string.h"

namespace driveshaft::dispatch {
namespace {

constexpr char kHex[] = "0123456789abcdef";

void append_json_field(std::string& out, std::string_view name, std::string_view value) {
  out.append("\"").append(name).append("\":");
  text::append_json_string(out, value);
  out += ',';
}

void encode_json(const JobFields& job, RequestBody& body) {
  body.content_type = "application/json";
  std::string& out = body.before;
  out += '{';
  append_json_field(out, "function_name", job.function);
  append_json_field(out, "job_handle", job.handle);
  append_json_field(out, "unique", job.unique);
  out += "\"workload\":\"";
  if (text::is_plain_in_json(job.workload)) {
    body.workload = job.workload;
    body.after = "\"}";
    return;
  }
  const std::size_t start = out.size();
  if (text::append_as_json(out, job.workload)) {
    out += "\"}";
    return;
  }
  out.resize(start);
  out += text::base64(job.workload);
  out += R"(","workload_encoding":"base64"})";
}

// Makes a boundary of 24 dashes and 16 random digits, as libcurl does.
std::string random_boundary() {
  std::random_device random;
  std::string boundary(24, '-');
  for (int digit = 0; digit < 16; ++digit) boundary += kHex[random() & 15];
  return boundary;
}

bool any_holds(const JobFields& job, std::string_view text) {
  const auto holds = [&](std::string_view field) { return field.find(text) != std::string_view::npos; };
  return holds(job.workload) || holds(job.unique) || holds(job.function) || holds(job.handle);
}

void append_part(std::string& out, const std::string& boundary, std::string_view name) {
  out.append("--").append(boundary).append("\r\nContent-Disposition: form-data; name=\"").append(name);
  out += "\"\r\n\r\n";
}

void encode_multipart(const JobFields& job, RequestBody& body) {
  // One boundary is used for many jobs. Somebody who has seen it could make a job that holds it, so each job
  // is searched for it.
  thread_local std::string boundary = random_boundary();
  while (any_holds(job, boundary)) boundary = random_boundary();
  body.content_type.assign("multipart/form-data; boundary=").append(boundary);
  const auto append_field = [&](std::string_view name, std::string_view value) {
    append_part(body.before, boundary, name);
    body.before.append(value).append("\r\n");
  };
  append_field("function_name", job.function);
  append_field("job_handle", job.handle);
  append_field("unique", job.unique);
  append_part(body.before, boundary, "workload");
  body.workload = job.workload;
  body.after.append("\r\n--").append(boundary).append("--\r\n");
}

constexpr bool is_unreserved(unsigned char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

void append_urlencoded(std::string& out, std::string_view name, std::string_view value) {
  constexpr char kUpperHex[] = "0123456789ABCDEF";
  out.append(name).push_back('=');
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (is_unreserved(byte)) {
      out += c;
    } else if (c == ' ') {
      out += '+';
    } else {
      const char escape[] = {'%', kUpperHex[byte >> 4], kUpperHex[byte & 15]};
      out.append(escape, sizeof escape);
    }
  }
}

void encode_urlencoded(const JobFields& job, RequestBody& body) {
  body.content_type = "application/x-www-form-urlencoded";
  append_urlencoded(body.before, "function_name", job.function);
  append_urlencoded(body.before, "&job_handle", job.handle);
  append_urlencoded(body.before, "&unique", job.unique);
  append_urlencoded(body.before, "&workload", job.workload);
}

}  // namespace

void encode(config::RequestFormat format, const JobFields& job, RequestBody& body) {
  body.before.clear();
  body.workload = {};
  body.after.clear();
  switch (format) {
    case config::RequestFormat::json:
      return encode_json(job, body);
    case config::RequestFormat::multipart:
      return encode_multipart(job, body);
    case config::RequestFormat::urlencoded:
      return encode_urlencoded(job, body);
  }
}

}  // namespace driveshaft::dispatch
