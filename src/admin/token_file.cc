// SPDX-License-Identifier: MIT
#include "admin/token_file.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "config/load.h"
#include "log/log.h"

namespace driveshaft::admin {
namespace {

bool is_visible_ascii(char c) { return c > ' ' && c < '\x7f'; }

}  // namespace

base::Result<text::Secret> parse_token(std::string_view content) {
  while (content.ends_with('\n') || content.ends_with('\r')) content.remove_suffix(1);
  if (content.size() < kLeastToken) {
    return base::Error{
        fmt::format("expected a token of at least {} bytes, and it has {}; "
                    "`openssl rand -base64 32` makes one",
                    kLeastToken, content.empty() ? "none" : std::to_string(content.size()))};
  }
  if (!std::all_of(content.begin(), content.end(), is_visible_ascii)) {
    return base::Error{"expected one line with a token of visible ASCII characters, without spaces"};
  }
  return text::Secret(std::string(content));
}

base::Result<text::Secret> read_token(const std::string& path) {
  const auto content = config::read_secret_file(path);
  if (!content) return content.error();
  return parse_token(*content);
}

bool others_may_read(const std::string& path) {
  struct stat found = {};
  return ::stat(path.c_str(), &found) == 0 && (found.st_mode & S_IROTH) != 0;
}

TokenFile::TokenFile(asio::io_context& loop, const std::string& option, const std::string& path,
                     text::Secret& token)
    : file_(
          loop, path.empty() ? std::vector<std::string>() : std::vector{path},
          [option, path]() -> base::Result<Content> {
            auto read = read_token(path);
            if (!read) return base::Error{fmt::format("--{} {}: {}", option, path, read.error().message)};
            return Content{std::move(*read), others_may_read(path)};
          },
          [option, path, &token](Content content) {
            token = std::move(content.token);
            if (!content.open_to_others) return;
            log::kMainLog.warn("--{} {}: {}", option, path, kOpenToOthers);
          }) {}

}  // namespace driveshaft::admin
