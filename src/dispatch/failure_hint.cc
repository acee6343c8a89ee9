// SPDX-License-Identifier: MIT
#include "dispatch/failure_hint.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/seconds.h"
#include "text/lower_case.h"
#include "text/printable.h"
#include "text/utf8.h"

namespace driveshaft::dispatch {
namespace {

using namespace std::chrono_literals;
using text::kByteOrderMark;

constexpr std::size_t kSearched = 16 * 1024;  // bytes of an answer that are searched
constexpr std::size_t kShownLocation = 256;   // bytes
// A 504 that comes sooner is not the result of a timeout.
constexpr auto kLeastTimeout = 1s;

// The position of `what` in `text`, or npos. `what` is in lower case; the case of `text` does not matter.
std::size_t find_word(std::string_view text, std::string_view what) {
  const auto found = std::search(text.begin(), text.end(), what.begin(), what.end(),
                                 [](char a, char b) { return text::lower_case(a) == b; });
  return found == text.end() ? text.npos : static_cast<std::size_t>(found - text.begin());
}

// Replaces each run of white space by one space, and removes it at the ends.
std::string squeezed(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c != ' ' && c != '\t' && c != '\r' && c != '\n') {
      out += c;
    } else if (!out.empty() && out.back() != ' ') {
      out += ' ';
    }
  }
  if (out.ends_with(' ')) out.pop_back();
  return out;
}

std::string without_tags(std::string_view html) {
  std::string text;
  while (!html.empty()) {
    const auto tag = html.find('<');
    text.append(html.substr(0, tag));
    if (tag == html.npos) break;
    const auto end = html.find('>', tag);
    if (end == html.npos) break;
    html.remove_prefix(end + 1);
  }
  return text;
}

// PHP writes "Fatal error: Uncaught …", with html_errors "<b>Fatal error</b>:  Uncaught …", each on a line of
// its own. A message that ended the script says more than one after which the script went on.
std::string php_message(std::string_view body) {
  for (const std::string_view kind : {"Fatal error", "Parse error", "Warning", "Notice", "Deprecated"}) {
    const auto begin = body.find(kind);
    if (begin == body.npos) continue;
    const auto line = body.substr(begin, body.find('\n', begin) - begin);
    if (auto text = squeezed(without_tags(line)); text.starts_with(fmt::format("{}:", kind))) return text;
  }
  return {};
}

std::string page_title(std::string_view body) {
  const auto begin = find_word(body, "<title>");
  if (begin == body.npos) return {};
  const auto title = body.substr(begin + std::string_view("<title>").size());
  const auto end = find_word(title, "</title>");
  return end == title.npos ? std::string() : squeezed(without_tags(title.substr(0, end)));
}

// How many bytes of the answer are shown. Of an image or a compressed page only a few are shown, because each
// byte would be escaped.
std::size_t shown_of(std::string_view body, std::size_t limit) {
  constexpr std::size_t kShownBinary = 64;
  const auto begin = body.substr(0, kShownBinary);
  const bool is_binary = std::any_of(begin.begin(), begin.end(), [](char c) {
    return static_cast<unsigned char>(c) < ' ' && c != '\t' && c != '\r' && c != '\n';
  });
  return is_binary ? std::min(limit, kShownBinary) : limit;
}

// If the answer has its object, but with other text before it, says what that text is, with the remedy.
std::string_view before_the_object(std::string_view body) {
  if (body.starts_with(kByteOrderMark)) {
    return ", behind a byte order mark: save the endpoint's files without one";
  }
  const auto object = body.find("\"gearman_ret\"");
  if (object == body.npos || body.starts_with('{')) return {};
  if (!php_message(body.substr(0, object)).empty()) {
    return ", before the object: with display_errors=0 PHP keeps such messages out of its answers";
  }
  return ", with the object behind it: print nothing but the object";
}

std::string hint(const FailureFacts& facts) {
  if (facts.end == AttemptEnd::empty_answer) {
    return "; a script that prints nothing answers so, and nginx does when php-fpm kills a running script "
           "at a reload or restart (process_control_timeout of php-fpm lets it finish)";
  }
  if (facts.end == AttemptEnd::connection_lost && facts.over_unix_socket) {
    return "; if php-fpm listens on this socket, the URI begins with fcgi+unix://";
  }
  if (facts.end == AttemptEnd::connection_lost && facts.may_be_fastcgi && !facts.has_begun) {
    return "; if php-fpm itself listens there, the URI begins with fcgi:// and has the path of the script's "
           "file";
  }
  const bool lost = facts.end == AttemptEnd::connection_lost || facts.end == AttemptEnd::stale_connection;
  if (lost && facts.over_fastcgi) {
    return "; the process of php-fpm ended: by a reload (process_control_timeout of php-fpm lets scripts "
           "finish), a stop or a crash (php-fpm's log says which)";
  }
  if (is_no_script(facts.status, facts.stderr_line)) {
    return "; php-fpm found no script: give job_processing_uri, and fastcgi_document_root, the path as "
           "php-fpm "
           "sees it";
  }
  if (facts.status == 502) return fmt::format("; {}", kBadGateway);
  if (facts.status / 100 == 3) {
    // A query may have a secret.
    const auto target = text::printable(facts.location.substr(0, facts.location.find('?')), kShownLocation);
    return fmt::format(
        "; it redirects{}, and redirects are not followed: if that is a login page, exempt this path from "
        "the login, otherwise give that URI as job_processing_uri",
        target.empty() ? "" : " to " + target);
  }
  if (facts.status == 500 && facts.is_empty && facts.stderr_line.empty()) return "; PHP's error log says why";
  if (facts.status == 413) {
    return "; nginx answers so to a body above its client_max_body_size, 1 MB unless set";
  }
  if (facts.status == 504 && facts.took >= kLeastTimeout) {
    return fmt::format(
        "; it came after {:.0f} s: nginx answers so when fastcgi_read_timeout or "
        "proxy_read_timeout is over, 60 s unless set",
        base::seconds(facts.took));
  }
  return {};
}

}  // namespace

// Everything that PHP code writes to stderr begins with "PHP message: ", so this line comes from php-fpm
// itself.
bool is_no_script(unsigned status, std::string_view stderr_line) {
  return status == 404 && stderr_line == "Primary script unknown";
}

std::string explain_outage(std::string_view what, const FailureFacts& facts) {
  std::string text(what);
  if (!facts.stderr_line.empty()) text += fmt::format("; its stderr: \"{}\"", facts.stderr_line);
  return text + hint(facts);
}

std::string explain_failure(std::string_view what, const FailureFacts& facts) {
  if (facts.end == AttemptEnd::refused) return std::string(what);
  std::string text = explain_outage(what, facts);
  text += facts.may_have_run ? "; the job may have run" : "; the job did not run";
  return text;
}

std::string show_answer(std::string_view body, std::size_t limit) {
  if (body.empty()) return "an empty body";
  const auto searched = body.substr(0, kSearched);
  if (const auto message = php_message(searched); !message.empty()) {
    return fmt::format("\"{}\"{}", text::printable(message, limit), before_the_object(searched));
  }
  if (const auto title = page_title(searched); !title.empty()) {
    return fmt::format("an HTML page, \"{}\"", text::printable(title, limit));
  }
  const auto without_mark = body.starts_with(kByteOrderMark) ? body.substr(kByteOrderMark.size()) : body;
  return fmt::format("\"{}\"{}", text::printable(without_mark, shown_of(without_mark, limit)),
                     before_the_object(searched));
}

}  // namespace driveshaft::dispatch
