// SPDX-License-Identifier: MIT
#include "monitor/queue_watch.h"

#include <fmt/format.h>

#include <array>
#include <tuple>
#include <utility>

#include "base/backoff.h"
#include "gearman/admin_text.h"
#include "monitor/queue_waits.h"
#include "net/exceptions.h"

namespace driveshaft::monitor {
namespace {

using namespace std::chrono_literals;
using boost::system::error_code;
using net::kResult;

constexpr std::string_view kCommands = "status\nworkers\n";
constexpr auto kDeadAfter = 20s;

// Makes a report of the two answers, which come one after the other.
class Answers {
 public:
  Answers(const QueueWatch::Names& functions, const QueueWatch::Names& dead_letters,
          std::string_view client_id)
      : client_id_(client_id) {
    for (const auto& function : functions) report_.functions[function];
    for (const auto& function : dead_letters) report_.dead_letter_functions[function];
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
    report_.all.running += queue->running;
    const QueueCounts counts{queue->queued, queue->running, queue->workers};
    const auto known = report_.functions.find(queue->function);
    const auto dead_letters = report_.dead_letter_functions.find(queue->function);
    const bool is_of_dead_letters = dead_letters != report_.dead_letter_functions.end();
    (is_of_dead_letters ? report_.dead_letters : report_.all.queued) += queue->queued;
    if (known != report_.functions.end()) {
      known->second = counts;
    } else if (is_of_dead_letters) {
      dead_letters->second = counts;
    } else if (counts.queued > 0 && counts.workers == 0 &&
               report_.unserved.size() < QueueWatch::kMostUnserved) {
      report_.unserved.emplace(queue->function, counts);
    }
  }

  void take_worker(std::string_view line) {
    const auto worker = gearman::parse_worker_line(line);
    if (!worker || !worker->has_functions) return;
    ++report_.all.workers;
    if (worker->client_id != client_id_) ++report_.other_workers;
  }

  const std::string_view client_id_;
  gearman::LineReader lines_;
  int ends_ = 0;
  QueueReport report_;
};

}  // namespace

const QueueCounts* QueueReport::find(std::string_view function) const {
  for (const Functions* one : {&functions, &dead_letter_functions}) {
    if (const auto found = one->find(function); found != one->end()) return &found->second;
  }
  return nullptr;
}

QueueWatch::QueueWatch(net::Resolver& resolver, base::DeadlineWheel& deadlines, const net::Address& server,
                       std::shared_ptr<net::TlsClient> tls, std::string client_id,
                       std::function<void()> changed)
    : deadlines_(deadlines),
      client_id_(std::move(client_id)),
      changed_(std::move(changed)),
      pause_(resolver.loop()),
      dialer_(resolver, deadlines, server, std::move(tls), kDeadAfter),
      stream_(resolver.loop()) {}

QueueWatch::~QueueWatch() = default;

void QueueWatch::start() {
  asio::co_spawn(
      pause_.get_executor(),
      net::restarted("reading a gearmand's queue", [self = shared_from_this()] { return self->run(); }),
      net::kRethrow);
}

void QueueWatch::stop() {
  stopped_ = true;
  pause_.cancel();
  dialer_.cancel();
  close();
}

void QueueWatch::close() {
  timeout_.clear();
  stream_.close();
}

void QueueWatch::too_late() {
  too_late_ = true;
  close();
}

asio::awaitable<void> QueueWatch::run() {
  close();  // if an exception ended the last reading, the rest of its answer may still come
  while (!stopped_) {
    if (const std::string why = co_await read(); !why.empty()) {
      close();
      QueueReport unknown;
      unknown.why = why;
      take(std::move(unknown));
    }
    if (stopped_) break;
    // Otherwise daemons that were started at the same time would always ask at the same time.
    pause_.expires_after(base::jittered(kEvery - 250ms, kEvery + 250ms));
    co_await pause_.async_wait(kResult);
  }
}

asio::awaitable<std::string> QueueWatch::read() {
  if (!stream_.is_open()) {
    auto dialled = co_await dialer_.dial();
    if (!dialled) co_return dialled.error().message;
    stream_ = std::move(*dialled);
  }
  too_late_ = false;
  deadlines_.set(timeout_, kAnswerTimeout);
  for (std::size_t sent = 0; sent < kCommands.size();) {
    error_code error;
    sent += stream_.write_some(asio::const_buffer(asio::buffer(kCommands)) + sent, error);
    if (error == asio::error::would_block) std::tie(error) = co_await stream_.async_wait(kResult);
    if (error) co_return lost(error);
  }

  const auto functions = functions_;  // a reload may change functions_ meanwhile
  const auto dead_letters = dead_letters_;
  Answers answers(functions, dead_letters, client_id_);
  std::array<char, 16 * 1024> bytes;
  for (std::size_t left = kMostBytes; !answers.complete();) {
    const auto [error, size] = co_await stream_.async_read_some(asio::buffer(bytes), kResult);
    if (error) co_return lost(error);
    if (size > left) co_return fmt::format("its answer is longer than {} bytes", kMostBytes);
    left -= size;
    answers.take({bytes.data(), size});
  }
  timeout_.clear();
  answers.report().known = true;
  take(std::move(answers.report()));
  co_return std::string();
}

std::string QueueWatch::lost(const error_code& error) const {
  return fmt::format("connection lost: {}", too_late_                   ? "no answer in time"
                                            : error == asio::error::eof ? "closed by the server"
                                                                        : error.message());
}

void QueueWatch::take(QueueReport report) {
  if (stopped_) return;
  report.at = std::chrono::steady_clock::now();
  note_waits(report_, report);
  report_ = std::move(report);
  changed_();
}

}  // namespace driveshaft::monitor
