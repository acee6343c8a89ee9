// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "admin/reply.h"
#include "base/error.h"
#include "text/secret.h"

// Decides which requests on the exporter address are allowed. No I/O. Requests on the control socket are not
// checked here: the rights of the socket's file say who may open it.
namespace driveshaft::admin {

// What the daemon's options say of access.
struct AccessRules {
  // Names that a Host header may have, in lower case. An IP address is always allowed.
  std::vector<std::string> hosts{"localhost"};
  // A client needs it to read; a health or readiness probe gets the bare status without it. Empty: everybody
  // may read.
  text::Secret read_token{};
  // For actions; it allows reading as well. Empty: actions are not allowed.
  text::Secret admin_token{};
  bool tls = false;  // whether the exporter address itself speaks TLS
};

// The parts of a request on which the decision depends.
struct Asked {
  std::string_view target;
  std::optional<std::string_view> host;  // value of the Host header; "," if there are several
  bool is_http_1_0 = false;
  std::string_view authorization{};          // value of the Authorization header; empty: there is none
  std::optional<std::string_view> origin{};  // value of the Origin header
};

// What a request may do.
enum class Access {
  status,  // get the status of health or readiness, without details
  read,
  act,
};

// Why a request is refused, and the answer to it.
struct Refusal {
  enum class Why {
    malformed,
    host,
    no_token,
    wrong_token,  // the client has to wait for this answer, see wrong_tokens.h
    origin,
    not_allowed,  // the token is right, but not for this
  };
  Why why;
  std::string said;  // why, in a sentence
  Reply reply;
};

// A page of another site can have its own name resolve to this machine's address (DNS rebinding); the browser
// then lets that page read what is served here. Such requests have that name in their Host header, so only
// requests for known names are answered. An IP address as the host is safe: no name server is asked for it.
//
// The token is read from `Authorization: Bearer TOKEN`, or is the password of Basic authentication, with any
// user name. A browser sends Basic credentials by itself, also with requests that other sites make it send,
// so an action needs Bearer.
base::Result<Access, Refusal> decide(const Asked& asked, const AccessRules& rules);

}  // namespace driveshaft::admin
