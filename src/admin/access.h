// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "admin/routes.h"
#include "base/error.h"
#include "text/secret.h"

// Who may ask for what on the exporter address. No I/O. The control socket is not asked: the rights of its
// file say who may open it.
namespace driveshaft::admin {

// What access depends on.
struct AccessRules {
  // Names that a Host header may have, in lower case. Addresses of IP it may always have.
  std::vector<std::string> hosts{"localhost"};
  text::Secret read_token{};   // for all but the status of health and readiness; empty: none is wanted
  text::Secret admin_token{};  // for actions, and to read as well; empty: there are no actions here
  bool tls = false;            // whether the exporter address itself speaks TLS
};

// What of a request access depends on.
struct Asked {
  std::string_view target;
  std::optional<std::string_view> host;  // the Host header; several are one, with commas
  bool is_http_1_0 = false;
  std::string_view authorization{};          // that header; empty: none
  std::optional<std::string_view> origin{};  // that header
};

// What a request may have.
enum class Access {
  status,  // of health or readiness, and not a word more
  read,
  act,
};

// Why a request gets no other answer than `reply`.
struct Refusal {
  enum class Why {
    malformed,
    host,
    no_token,
    wrong_token,  // these clients are slowed
    origin,
    not_allowed,  // with this token
  };
  Why why;
  std::string said;  // a sentence
  Reply reply;
};

// A page of another site can have its own name resolve to this machine's address (DNS rebinding); the browser
// then lets that page read what is served here. Its requests have that name in their Host header, so only
// names that are known are answered. An address of IP is resolved by nobody.
//
// A token is read from `Authorization: Bearer TOKEN`, or as the password of Basic, whoever the user is.
// Browsers send Basic by themselves, with requests that other sites have them make too, so actions want
// Bearer.
base::Result<Access, Refusal> decide(const Asked& asked, const AccessRules& rules);

}  // namespace driveshaft::admin
