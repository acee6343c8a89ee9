// SPDX-License-Identifier: MIT
#include "cli/target.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "config/load.h"
#include "text/printable.h"

namespace driveshaft::cli {
namespace {

using base::Error;

constexpr const char* kVariable = "DRIVESHAFT_TOKEN_FILE";

}  // namespace

base::Result<void> read_address(Target& target, std::string_view text) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!text.starts_with(scheme)) continue;
    target.tls = scheme == "https://";
    text.remove_prefix(scheme.size());
    if (text.ends_with('/')) text.remove_suffix(1);
    break;
  }
  if (const auto mark = text.find("://"); mark != text.npos) {
    return Error{fmt::format("a daemon is asked over http:// or https://, not over {}://",
                             text::printable(text.substr(0, mark), 60))};
  }
  if (const auto slash = text.find('/'); slash != text.npos) {
    const auto path = text.substr(slash, text.find_first_of("?#@", slash) - slash);
    return Error{
        fmt::format("an address of a daemon ends with its port: leave out \"{}\" and what follows it",
                    text::printable(path, 60))};
  }
  const bool port_alone = !text.empty() && text.find_first_not_of("0123456789") == text.npos;
  const bool colon_and_port = text.starts_with(':') && text.rfind(':') == 0;
  const std::string whole = port_alone       ? fmt::format("127.0.0.1:{}", text)
                            : colon_and_port ? fmt::format("127.0.0.1{}", text)
                                             : std::string(text);
  auto address = net::parse_address(whole, kExporterPort);
  if (!address) return address.error();
  target.address = std::move(*address);
  return {};
}

std::string to_string(const Target& target) {
  return fmt::format("{}://{}", target.tls ? "https" : "http", net::to_string(target.address));
}

base::Result<text::Secret> token_of(const Target& target) {
  std::string path = target.token_file;
  std::string named_by = "--token_file";
  if (path.empty()) {
    const char* variable = std::getenv(kVariable);
    if (!variable || *variable == '\0') return text::Secret();
    path = variable;
    named_by = kVariable;
  }
  auto content = config::read_secret_file(path);
  if (!content) return Error{fmt::format("{} {}: {}", named_by, path, content.error().message)};
  std::string token = std::move(*content);
  while (token.ends_with('\n') || token.ends_with('\r')) token.pop_back();
  const bool fits_a_header =
      !token.empty() && std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  if (!fits_a_header) {
    return Error{
        fmt::format("{} {}: expected one line with a token of visible ASCII characters", named_by, path)};
  }
  return text::Secret(std::move(token));
}

}  // namespace driveshaft::cli
