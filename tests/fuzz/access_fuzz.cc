// SPDX-License-Identifier: MIT
// A request to the exporter address, as who may ask for what sees it: whatever its headers are, it is
// answered, or refused with a reason; and without a token nothing but the status of a probe is had.
#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "admin/access.h"
#include "admin/action.h"

namespace {

using namespace driveshaft;
using namespace driveshaft::admin;

constexpr std::string_view kRead = "the-token-of-readers";
constexpr std::string_view kAdmin = "the-token-of-actors";

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

// Lines: the target, the Host header, Authorization, Origin. A header whose line is missing is not there.
// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer calls it by this name.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  std::string_view rest = bytes;
  std::array<std::optional<std::string_view>, 4> lines;
  for (auto& line : lines) {
    const auto newline = rest.find('\n');
    line = rest.substr(0, newline);
    if (newline == rest.npos) break;
    rest.remove_prefix(newline + 1);
  }
  const Asked asked{.target = lines[0].value_or(""),
                    .host = lines[1],
                    .is_http_1_0 = !lines[1],
                    .authorization = lines[2].value_or(""),
                    .origin = lines[3]};
  const AccessRules rules{.hosts = {"localhost"},
                          .read_token = text::Secret(std::string(kRead)),
                          .admin_token = text::Secret(std::string(kAdmin))};
  const auto access = decide(asked, rules);
  if (!access) {
    const Refusal& refusal = access.error();
    require(refusal.reply.status >= 400 && refusal.reply.status < 500);
    require(!refusal.said.empty() && !refusal.reply.body.empty());
    require((refusal.reply.status == 401) == !refusal.reply.authenticate.empty());
    // A host is shown in lower case, so only who says nothing of the kind is sure to have learnt it here.
    std::string said(bytes);
    std::transform(said.begin(), said.end(), said.begin(), [](unsigned char c) { return std::tolower(c); });
    if (said.find("token") == said.npos) {
      require(refusal.reply.body.find(kRead) == std::string::npos);
      require(refusal.reply.body.find(kAdmin) == std::string::npos);
    }
    return 0;
  }
  const bool acts = is_control(asked.target);
  require((*access == Access::act) == acts);
  if (acts) require(asked.authorization.ends_with(kAdmin));
  if (asked.authorization.empty()) require(*access == Access::status && is_probe(asked.target));
  return 0;
}
