// SPDX-License-Identifier: MIT
#include "monitor/queue_watch.h"

#include <fmt/format.h>

#include <boost/beast/core/tcp_stream.hpp>
#include <optional>
#include <utility>

#include "base/backoff.h"
#include "gearman/admin_text.h"

namespace driveshaft::monitor {
namespace {

using namespace std::chrono_literals;
using boost::system::error_code;

constexpr auto kResult = asio::as_tuple(asio::use_awaitable);
constexpr std::string_view kCommands = "status\nworkers\n";

std::string reason(const error_code& error) {
  if (error == boost::beast::error::timeout) return "no answer in time";
  return error == asio::error::eof ? "closed by the server" : error.message();
}

// Two answers, one behind the other, to a report.
class Answers {
 public:
  Answers(const std::set<std::string, std::less<>>& functions, std::string_view client_id)
      : functions_(functions), client_id_(client_id) {
    for (const auto& function : functions) report_.functions[function];
  }

  void take(std::string_view bytes) {
    lines_.feed(bytes, [this](std::string_view line) {
      if (line == ".") {
        ++ends_;
      } else if (ends_ == 0) {
        take_status(line);
      } else {
        take_worker(line);
      }
    });
  }

  bool complete() const { return ends_ == 2; }
  QueueReport& report() { return report_; }

 private:
  void take_status(std::string_view line) {
    const auto queue = gearman::parse_status_line(line);
    if (!queue) return;
    report_.all.queued += queue->queued;
    report_.all.running += queue->running;
    const auto known = report_.functions.find(queue->function);
    if (known != report_.functions.end()) known->second = {queue->queued, queue->running, queue->workers};
  }

  void take_worker(std::string_view line) {
    const auto worker = gearman::parse_worker_line(line);
    if (!worker || !worker->has_functions) return;
    ++report_.all.workers;
    if (worker->client_id != client_id_) ++report_.other_workers;
  }

  const std::set<std::string, std::less<>>& functions_;
  const std::string_view client_id_;
  gearman::LineReader lines_;
  int ends_ = 0;
  QueueReport report_;
};

}  // namespace

struct QueueWatch::Connection {
  explicit Connection(asio::io_context& io) : resolver(io), stream(io) {}
  asio::ip::tcp::resolver resolver;
  boost::beast::tcp_stream stream;
  bool open = false;

  void close() {
    open = false;
    resolver.cancel();
    stream.close();
  }
};

QueueWatch::QueueWatch(asio::io_context& io, base::Address server, std::string client_id,
                       std::function<void()> changed)
    : io_(io),
      server_(std::move(server)),
      client_id_(std::move(client_id)),
      changed_(std::move(changed)),
      pause_(io),
      connection_(std::make_unique<Connection>(io)) {}

QueueWatch::~QueueWatch() = default;

void QueueWatch::start() {
  asio::co_spawn(
      io_, [self = shared_from_this()] { return self->run(); }, asio::detached);
}

void QueueWatch::stop() {
  stopped_ = true;
  pause_.cancel();
  connection_->close();
}

asio::awaitable<void> QueueWatch::run() {
  while (!stopped_) {
    if (const std::string why = co_await read(*connection_); !why.empty()) {
      connection_->close();
      QueueReport unknown;
      unknown.why = why;
      take(std::move(unknown));
    }
    if (stopped_) break;
    // Many daemons that started together do not ask together for ever.
    pause_.expires_after(base::jittered(kEvery - 250ms, kEvery + 250ms));
    co_await pause_.async_wait(kResult);
  }
}

asio::awaitable<std::string> QueueWatch::read(Connection& connection) {
  auto& stream = connection.stream;
  stream.expires_after(kPatience);
  if (!connection.open) {
    const auto [not_found, addresses] = co_await connection.resolver.async_resolve(
        server_.host, std::to_string(server_.port), asio::ip::tcp::resolver::numeric_service, kResult);
    if (not_found) co_return fmt::format("its name cannot be resolved: {}", not_found.message());
    const auto [failed, address] = co_await stream.async_connect(addresses, kResult);
    if (failed) co_return fmt::format("cannot connect: {}", reason(failed));
    connection.open = true;
    stream.expires_after(kPatience);
  }
  const auto [unsent, sent] = co_await asio::async_write(stream, asio::buffer(kCommands), kResult);
  if (unsent) co_return fmt::format("connection lost: {}", reason(unsent));

  const auto functions = functions_;  // those of the jobs file may change meanwhile
  Answers answers(functions, client_id_);
  std::array<char, 16 * 1024> bytes;
  for (std::size_t left = kMostBytes; !answers.complete();) {
    const auto [lost, size] = co_await stream.async_read_some(asio::buffer(bytes), kResult);
    if (lost) co_return fmt::format("connection lost: {}", reason(lost));
    if (size > left) co_return fmt::format("its answer is longer than {} bytes", kMostBytes);
    left -= size;
    answers.take({bytes.data(), size});
  }
  stream.expires_never();
  answers.report().known = true;
  take(std::move(answers.report()));
  co_return std::string();
}

void QueueWatch::take(QueueReport report) {
  if (stopped_) return;
  report.at = std::chrono::steady_clock::now();
  report_ = std::move(report);
  changed_();
}

}  // namespace driveshaft::monitor
