// SPDX-License-Identifier: MIT
#include "admin/api.h"

#include <boost/url/decode_view.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <charconv>
#include <optional>

#include "monitor/json.h"
#include "net/uri.h"

namespace driveshaft::admin {
namespace {

using monitor::Detail;
using monitor::View;

constexpr std::string_view kPoolPath = "/api/v1/pools/";
constexpr std::string_view kHistory = "/history";
constexpr std::string_view kFailuresPath = "/api/v1/failures";

struct Document {
  std::string_view path;
  Detail detail;
  std::string (*json)(const View& view);
};

constexpr Document kDocuments[] = {
    {"/api/v1/status", Detail::figures,
     [](const View& view) { return monitor::status_json(view, monitor::judge(view)); }},
    {"/api/v1/pools", Detail::figures, monitor::pools_json},
    {"/api/v1/servers", Detail::figures, monitor::servers_json},
    {"/api/v1/config", Detail::figures, monitor::config_json},
    {"/api/v1/jobs", Detail::all, monitor::jobs_json},
    {kFailuresPath, Detail::all, [](const View& view) { return monitor::failures_json(view); }},
};

const Document* find_document(std::string_view path) {
  for (const Document& document : kDocuments) {
    if (document.path == path) return &document;
  }
  return nullptr;
}

// Decodes the name in /api/v1/pools/NAME, which may hold any bytes.
std::optional<std::string> pool_name(std::string_view encoded) {
  const auto decoded = boost::urls::make_pct_string_view(encoded);
  if (!decoded || encoded.empty() || encoded.find('/') != encoded.npos) return std::nullopt;
  std::string name;
  for (const char c : boost::urls::decode_view(*decoded)) name.push_back(c);
  return name;
}

std::optional<monitor::History::Span> span_of(std::string_view target) {
  using Span = monitor::History::Span;
  const auto query = net::query_of(target);
  if (query.empty() || query == "span=15m") return Span::quarter_hour;
  if (query == "span=24h") return Span::day;
  return std::nullopt;
}

Reply found(std::string body) { return {.content_type = kJson, .body = std::move(body)}; }

// The number in a query like `newest=10`.
std::optional<std::size_t> newest_of(std::string_view query) {
  constexpr std::string_view kNewest = "newest=";
  if (!query.starts_with(kNewest)) return std::nullopt;
  const auto digits = query.substr(kNewest.size());
  std::size_t count = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), count);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return count;
}

Reply answer_failures(std::string_view query, const View& view) {
  const auto newest = newest_of(query);
  if (!newest) return api_error(400, "expected ?newest=10, or another number");
  return found(monitor::failures_json(view, newest));
}

Reply answer_pool(std::string_view target, const View& view) {
  auto path = net::path_of(target).substr(kPoolPath.size());
  const bool history = path.ends_with(kHistory);
  if (history) path.remove_suffix(kHistory.size());
  const auto name = pool_name(path);
  std::optional<std::string> body;
  if (name && history) {
    const auto span = span_of(target);
    if (!span) return api_error(400, "expected ?span=15m or ?span=24h");
    body = monitor::history_json(view, *name, *span);
  } else if (name) {
    body = monitor::pool_json(view, *name);
  }
  return body ? found(std::move(*body)) : api_error(404, "there is no pool of that name; see /api/v1/pools");
}

}  // namespace

bool is_api(std::string_view target) {
  return target.starts_with("/api/") && net::path_of(target) != kEventsPath;
}

Detail detail_for(std::string_view target) {
  const auto path = net::path_of(target);
  if (const Document* document = find_document(path)) return document->detail;
  return path.starts_with(kPoolPath) && !path.ends_with(kHistory) ? Detail::all : Detail::figures;
}

Reply answer_api(std::string_view target, const View& view) {
  const auto path = net::path_of(target);
  if (const auto query = net::query_of(target); path == kFailuresPath && !query.empty()) {
    return answer_failures(query, view);
  }
  if (const Document* document = find_document(path)) return found(document->json(view));
  if (path.starts_with(kPoolPath)) return answer_pool(target, view);
  return api_error(404, "not found; docs/openapi.yaml lists what there is under /api/v1");
}

}  // namespace driveshaft::admin
