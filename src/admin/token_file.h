// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "admin/watched_files.h"
#include "base/error.h"
#include "net/asio.h"
#include "text/secret.h"

// Tokens that clients of the exporter address have to show. They are secrets: nothing here logs one.
namespace driveshaft::admin {

// A shorter one could be guessed.
inline constexpr std::size_t kLeastToken = 16;  // bytes

// The token that a file with that content has: its one line, without the end of the line. The error is what
// is wrong with it, and never shows it.
base::Result<text::Secret> parse_token(std::string_view content);

// Reads a file with a token. Blocks. The error is the reason only.
base::Result<text::Secret> read_token(const std::string& path);

// Whether every user of this machine may, and what is said then.
bool others_may_read(const std::string& path);
inline constexpr std::string_view kOpenToOthers =
    "every user of this machine may read it; chmod o= takes that right away";

// A token's file. `option` is the one that names it, for messages; without a path there is no token. The
// token is put into `token`, which outlives this object.
class TokenFile {
 public:
  TokenFile(asio::io_context& loop, const std::string& option, const std::string& path, text::Secret& token);

  // As of WatchedFiles.
  void load() { file_.load(); }
  void watch() { file_.watch(); }

 private:
  struct Content {
    text::Secret token;
    bool open_to_others = false;
  };

  WatchedFiles<Content> file_;
};

}  // namespace driveshaft::admin
