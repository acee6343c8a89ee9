// SPDX-License-Identifier: MIT
#include "http/fastcgi_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/url/encode.hpp>
#include <boost/url/rfc/pchars.hpp>

#include "http/fastcgi.h"

namespace driveshaft::http {
namespace {

using fastcgi::kHeaderSize;
using fastcgi::Type;

// A body up to this size is copied: one buffer is sent faster than several.
constexpr std::size_t kCopiedBody = 4 * 1024;
// If long parameters took more memory than this, it is freed.
constexpr std::size_t kKeptFront = 32 * 1024;
// The window has about a megabyte, in no more buffers than one system call takes.
constexpr int kRecordsAtOnce = 16;

using Header = std::array<char, kHeaderSize>;

constexpr Header record_header(Type type, std::size_t content) {
  return {static_cast<char>(fastcgi::kVersion),
          static_cast<char>(type),
          static_cast<char>(fastcgi::kRequestId >> 8),
          static_cast<char>(fastcgi::kRequestId & 0xff),
          static_cast<char>(content >> 8),
          static_cast<char>(content & 0xff),
          0,
          0};
}

constexpr Header kFullRecord = record_header(Type::in, FastcgiRequest::kMaxContent);
constexpr Header kEndOfBody = record_header(Type::in, 0);

void append(std::string& out, const Header& header) { out.append(header.data(), header.size()); }

void append_begin(std::string& out) {
  constexpr char kResponder[] = {0, 1, 0, 0, 0, 0, 0, 0};
  append(out, record_header(Type::begin_request, sizeof kResponder));
  out.append(kResponder, sizeof kResponder);
}

void append_length(std::string& out, std::size_t length) {
  if (length >= 0x80) {
    out += static_cast<char>(0x80 | (length >> 24));
    out += static_cast<char>(length >> 16);
    out += static_cast<char>(length >> 8);
  }
  out += static_cast<char>(length);
}

// The name of the CGI variable for a header.
void param_name(std::string_view header, std::string& name) {
  name = header == "Content-Type" || header == "Content-Length" ? "" : "HTTP_";
  for (const char c : header) {
    if (c >= 'a' && c <= 'z') {
      name += static_cast<char>(c - 'a' + 'A');
    } else {
      name += (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ? c : '_';
    }
  }
}

// A path, percent-encoded for a URI.
std::string encoded(std::string_view path) {
  constexpr auto kAllowed = boost::urls::pchars + boost::urls::grammar::lut_chars('/');
  return boost::urls::encode({path.data(), path.size()}, kAllowed);
}

std::string_view bytes_of(const asio::const_buffer& buffer) {
  return {static_cast<const char*>(buffer.data()), buffer.size()};
}

}  // namespace

std::string script_params(const net::Uri& uri, std::string_view document_root) {
  // The part of the path after the script's file becomes PATH_INFO: /srv/app/index.php/jobs.
  constexpr std::string_view kEnd = ".php";
  const auto end = uri.script.rfind(".php/");
  const auto script =
      std::string_view(uri.script).substr(0, end == uri.script.npos ? end : end + kEnd.size());
  const auto path_info = std::string_view(uri.script).substr(script.size());
  std::string_view root = document_root.empty() ? script.substr(0, script.rfind('/')) : document_root;
  if (root.ends_with('/')) root.remove_suffix(1);
  const std::string_view name = script.substr(root.size());
  const std::string_view target = uri.target.reveal();
  const std::string_view question = target.substr(net::path_of(target).size());  // the query with its `?`
  std::string params;
  append_pair(params, "SCRIPT_FILENAME", script);
  append_pair(params, "SCRIPT_NAME", name);
  if (!path_info.empty()) append_pair(params, "PATH_INFO", path_info);
  append_pair(params, "DOCUMENT_URI", std::string(name).append(path_info));
  append_pair(params, "DOCUMENT_ROOT", root.empty() ? "/" : root);
  append_pair(params, "REQUEST_URI", encoded(std::string(name).append(path_info)).append(question));
  append_pair(params, "QUERY_STRING", net::query_of(target));
  append_pair(params, "REQUEST_METHOD", "POST");
  append_pair(params, "GATEWAY_INTERFACE", "CGI/1.1");
  append_pair(params, "SERVER_PROTOCOL", "HTTP/1.1");
  append_pair(params, "SERVER_SOFTWARE", "driveshaft");
  append_pair(params, "SERVER_NAME", uri.is_unix() ? "localhost" : uri.host);
  append_pair(params, "SERVER_PORT", uri.is_unix() ? "80" : std::to_string(uri.port));
  append_pair(params, "REDIRECT_STATUS", "200");  // php-cgi refuses to run without it
  return params;
}

void append_pair(std::string& out, std::string_view name, std::string_view value) {
  append_length(out, name.size());
  append_length(out, value.size());
  out.append(name).append(value);
}

void FastcgiRequest::start(std::span<const asio::const_buffer> request) {
  const std::string_view first = bytes_of(request[0]);
  const std::size_t head = std::min(first.find("\r\n\r\n"), first.size());
  const std::size_t body = std::min(head + 4, first.size());

  if (front_.capacity() > kKeptFront) std::string().swap(front_);
  front_.clear();
  append_begin(front_);
  open_params_record();
  front_ += fixed_params_;
  add_params_of(first.substr(0, head));
  close_params_record();
  append(front_, record_header(Type::params, 0));

  body_ = {first.substr(body)};
  for (std::size_t i = 1; i < request.size(); ++i) body_[i] = bytes_of(request[i]);
  body_left_ = 0;
  for (const auto part : body_) body_left_ += part.size();
  if (body_left_ <= kCopiedBody) {
    if (body_left_ > 0) {
      append(front_, record_header(Type::in, body_left_));
      for (const auto part : body_) front_ += part;
    }
    append(front_, kEndOfBody);
    body_left_ = 0;
    ended_ = true;
  } else {
    ended_ = false;
  }
  window_.clear();
  add_buffer(front_);
  if (!ended_) add_records();
  rest_ = window_;
}

// The request line is skipped: the fixed parameters have its content.
void FastcgiRequest::add_params_of(std::string_view head) {
  std::string name;
  for (std::size_t end = head.find("\r\n"); end != head.npos;) {
    head.remove_prefix(end + 2);
    end = head.find("\r\n");
    const std::string_view line = head.substr(0, end);
    const std::size_t colon = std::min(line.find(':'), line.size());
    const std::size_t value = std::min(line.find_first_not_of(' ', colon + 1), line.size());
    param_name(line.substr(0, colon), name);
    add_param(name, line.substr(value));
  }
}

void FastcgiRequest::add_param(std::string_view name, std::string_view value) {
  constexpr std::size_t kLengths = 8;
  const std::size_t open = front_.size() - record_ - kHeaderSize;
  if (open > 0 && open + kLengths + name.size() + value.size() > kMaxContent) {
    close_params_record();
    open_params_record();
  }
  append_pair(front_, name, value);
}

void FastcgiRequest::open_params_record() {
  record_ = front_.size();
  front_.append(kHeaderSize, '\0');
}

// A parameter that is longer than a record is split over several, although php-fpm may refuse this.
void FastcgiRequest::close_params_record() {
  std::size_t content = front_.size() - record_ - kHeaderSize;
  while (content > kMaxContent) {
    const Header full = record_header(Type::params, kMaxContent);
    std::copy(full.begin(), full.end(), front_.begin() + static_cast<std::ptrdiff_t>(record_));
    record_ += kHeaderSize + kMaxContent;
    front_.insert(record_, kHeaderSize, '\0');
    content -= kMaxContent;
  }
  const Header header = record_header(Type::params, content);
  std::copy(header.begin(), header.end(), front_.begin() + static_cast<std::ptrdiff_t>(record_));
}

std::span<const asio::const_buffer> FastcgiRequest::unwritten() {
  if (rest_.empty() && !ended_) {
    window_.clear();
    add_records();
    rest_ = window_;
  }
  return rest_;
}

void FastcgiRequest::add_records() {
  for (int records = 0; records < kRecordsAtOnce && !ended_; ++records) {
    const std::size_t content = std::min(body_left_, kMaxContent);
    if (content == kMaxContent) {
      add_buffer({kFullRecord.data(), kFullRecord.size()});
    } else if (content > 0) {
      last_record_ = record_header(Type::in, content);
      add_buffer({last_record_.data(), last_record_.size()});
    } else {
      add_buffer({kEndOfBody.data(), kEndOfBody.size()});
      ended_ = true;
    }
    add_content(content);
  }
}

void FastcgiRequest::add_content(std::size_t bytes) {
  body_left_ -= bytes;
  for (auto& part : body_) {
    const auto now = part.substr(0, bytes);
    if (!now.empty()) add_buffer(now);
    part.remove_prefix(now.size());
    bytes -= now.size();
  }
}

void FastcgiRequest::add_buffer(std::string_view bytes) { window_.emplace_back(bytes.data(), bytes.size()); }

}  // namespace driveshaft::http
