// SPDX-License-Identifier: MIT
#include "daemon/check_online.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "base/exit_codes.h"
#include "http/endpoint.h"
#include "letters/conversation.h"
#include "net/asio.h"
#include "net/exceptions.h"
#include "net/resolver.h"
#include "net/tls.h"

namespace driveshaft::daemon {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds kTimeout = 5s;
constexpr std::size_t kNoAnswer = 64 * 1024;  // limit of an answer in bytes; no answer is expected

// A server or endpoint that is asked, and its row. The row is complete when `answered` is set.
struct Asked {
  CheckRow row;
  bool answered = false;

  // `failure`: why it cannot be reached; empty: it was reached. `remedy`: empty if `failure` contains the
  // remedy.
  void answer(std::string_view failure, std::string_view remedy) {
    answered = true;
    if (failure.empty()) return;
    row = error_row(row.what, row.value, base::kExitNoAnswer,
                    remedy.empty() ? std::string(failure) : fmt::format("{}; {}", failure, remedy));
  }
};

struct AskedServer : Asked {
  std::unique_ptr<letters::Conversation> conversation;
};

struct AskedEndpoint : Asked {
  net::Uri uri;
  std::shared_ptr<net::TlsClient> tls;
  std::unique_ptr<http::Endpoint> endpoint;
};

class OnlineCheck {
 public:
  explicit OnlineCheck(const config::Config& config) {
    for (const auto& server : config.servers) add(server);
    for (const auto& pool : config.pools) {
      add(pool, pool.endpoint);
      for (const auto& [_, function] : pool.functions) {
        if (function.endpoint) add(pool, *function.endpoint);
      }
    }
  }

  void run(std::vector<CheckRow>& rows) {
    for (auto& server : servers_) ask(*server);
    for (auto& endpoint : endpoints_) ask(*endpoint);
    const auto answered = [](const auto& one) { return one->answered; };
    while (!std::all_of(servers_.begin(), servers_.end(), answered) ||
           !std::all_of(endpoints_.begin(), endpoints_.end(), answered)) {
      loop_.run_one();
    }
    for (auto& server : servers_) rows.push_back(std::move(server->row));
    for (auto& endpoint : endpoints_) rows.push_back(std::move(endpoint->row));
  }

 private:
  void add(const config::ServerConfig& server) {
    auto asked = std::make_unique<AskedServer>();
    asked->row =
        good_row("job server", net::to_string(server.address) + (server.tls ? " (TLS)" : ""), "it answers");
    asked->conversation = std::make_unique<letters::Conversation>(resolver_, deadlines_, server, kTimeout);
    servers_.push_back(std::move(asked));
  }

  void add(const config::PoolConfig& pool, const config::EndpointConfig& endpoint) {
    const auto names = endpoint.names();
    for (std::size_t i = 0; i < names.size(); ++i) add(pool, endpoint.backends[i].uri, names[i]);
  }

  // An endpoint that several pools or functions have is asked once.
  void add(const config::PoolConfig& pool, const net::Uri& uri, const std::string& name) {
    auto tls = uri.scheme == net::Uri::Scheme::https ? tls_.client(pool.endpoint_tls) : nullptr;
    const bool known = std::any_of(endpoints_.begin(), endpoints_.end(),
                                   [&](const auto& one) { return one->uri == uri && one->tls == tls; });
    if (known) return;
    auto asked = std::make_unique<AskedEndpoint>();
    asked->row = good_row("endpoint", name, "it takes connections");
    asked->row.more = probe_command(pool, uri);
    asked->uri = uri;
    asked->tls = tls;
    asked->endpoint = std::make_unique<http::Endpoint>(
        resolver_, deadlines_,
        http::Endpoint::Settings{uri, std::min(pool.settings.endpoint_connect_timeout, kTimeout), kNoAnswer,
                                 tls, pool.fastcgi_document_root});
    endpoints_.push_back(std::move(asked));
  }

  void ask(AskedServer& server) {
    asio::co_spawn(loop_, server.conversation->greet(),
                   [&server](const std::exception_ptr& bug, const auto& result) {
                     if (bug) std::rethrow_exception(bug);
                     server.answer(result ? std::string() : result.error().message,
                                   "start it, or correct gearman_servers_list");
                   });
  }

  static void ask(AskedEndpoint& endpoint) {
    endpoint.endpoint->probe([&endpoint](const base::Result<void, http::Failure>& result) {
      endpoint.answer(result ? std::string() : result.error().message,
                      !result && result.error().denied ? "" : "start it, or correct job_processing_uri");
    });
  }

  asio::io_context loop_{1};
  base::DeadlineWheel deadlines_{loop_};
  net::Resolver resolver_{loop_};
  net::TlsClients tls_;
  std::vector<std::unique_ptr<AskedServer>> servers_;
  std::vector<std::unique_ptr<AskedEndpoint>> endpoints_;
};

}  // namespace

void check_online(const config::Config& config, std::vector<CheckRow>& rows) {
  net::keep_openssl_at_exit();  // a thread that looks up a name may still run when the process exits
  OnlineCheck(config).run(rows);
}

}  // namespace driveshaft::daemon
