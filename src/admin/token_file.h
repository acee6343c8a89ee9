// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "admin/watched_files.h"
#include "base/error.h"
#include "net/asio.h"
#include "text/secret.h"

// The tokens that clients of the exporter address have to show. Tokens are secrets: nothing here logs one.
namespace driveshaft::admin {

// A token must have at least so many bytes, so that it cannot be guessed.
inline constexpr std::size_t kLeastToken = 16;

// Takes the token from the content of its file: the file's only line, without its end. The error says what is
// wrong with it, and never shows it.
base::Result<text::Secret> parse_token(std::string_view content);

// Reads a token's file. Blocks. The error is the reason alone, without the path.
base::Result<text::Secret> read_token(const std::string& path);

// Whether every user of this machine may read the file. Then a log line says kOpenToOthers.
bool others_may_read(const std::string& path);
inline constexpr std::string_view kOpenToOthers =
    "every user of this machine may read it; chmod o= takes that right away";

// A token's file, which is read again when it changes. Without a path there is no token. `option` is the name
// of the option that gives the path, for messages. The token is written to `token`, which outlives this
// object, as `loop` does.
class TokenFile {
 public:
  TokenFile(asio::io_context& loop, const std::string& option, const std::string& path, text::Secret& token);

  // As load() and watch() of WatchedFiles.
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
