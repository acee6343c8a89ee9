// SPDX-License-Identifier: MIT
#include "daemon/service.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <ctime>
#include <string_view>
#include <system_error>
#include <utility>

#include "log/log.h"

namespace driveshaft::daemon {
namespace {

using namespace std::chrono_literals;

constexpr auto kFiguresEvery = 3s;
// Time after the drain's window: then jobs fail, servers read their results, and logs are closed.
constexpr std::chrono::microseconds kEndMargin = 10s;

std::string_view from_environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : std::string_view();
}

std::uint64_t number_from_environment(const char* name) {
  const auto text = from_environment(name);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? number : 0;
}

// Half of the time after which the manager acts, so that one late turn of the loop does no harm. WATCHDOG_PID
// tells whether the variables are meant for this process, or for the one that started it.
std::chrono::microseconds feeding_interval() {
  const auto pid = number_from_environment("WATCHDOG_PID");
  if (pid != 0 && pid != static_cast<std::uint64_t>(::getpid())) return 0us;
  return std::chrono::microseconds(number_from_environment("WATCHDOG_USEC") / 2);
}

// The manager takes a later READY=1 for the end of the reload that began at this moment.
std::uint64_t monotonic_microseconds() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000 + static_cast<std::uint64_t>(now.tv_nsec) / 1'000;
}

}  // namespace

Service::Service(asio::io_context& loop, std::function<std::string()> figures)
    : feed_every_(feeding_interval()),
      figures_(std::move(figures)),
      figures_timer_(loop),
      watchdog_timer_(loop),
      retry_timer_(loop) {
  const auto path = from_environment("NOTIFY_SOCKET");
  if (path.empty()) return;
  if ((path.front() != '/' && path.front() != '@') || path.size() >= sizeof manager_.sun_path) {
    log::kMainLog.warn("NOTIFY_SOCKET={}: expected a path or @name; the service manager gets no messages",
                       path);
    return;
  }
  manager_.sun_family = AF_UNIX;
  std::copy(path.begin(), path.end(), manager_.sun_path);
  if (path.front() == '@') manager_.sun_path[0] = '\0';  // an abstract socket address, see unix(7)
  manager_size_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  socket_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

Service::~Service() {
  if (socket_ >= 0) ::close(socket_);
}

void Service::ready() {
  if (socket_ < 0) return;
  const bool first = state_.empty();
  state_ = "READY=1";
  notify_state();
  if (!first) return;
  notify_figures();
  if (feed_every_ > 0us) feed_watchdog();
}

void Service::reloading() {
  if (socket_ < 0) return;
  notify(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", monotonic_microseconds()));
}

void Service::stopping(std::chrono::microseconds window) {
  if (socket_ < 0) return;
  const bool first = state_.empty();
  state_ = "STOPPING=1";
  drained_by_ = std::chrono::steady_clock::now() + window;
  ask_for_time();
  notify_state();
  if (first) notify_figures();
}

void Service::hand_over(pid_t successor, std::function<void()> told) {
  if (socket_ < 0) return told();
  figures_timer_.cancel();
  tell_of_successor(successor, std::move(told));
}

// The manager may be slow to read, but must get this message: otherwise it would end the service when the
// process that it knows ends. So the message is sent until it is taken.
void Service::tell_of_successor(pid_t successor, std::function<void()> told) {
  constexpr auto kRetryAfter = 50ms;
  const std::string line = fmt::format("MAINPID={}", successor);
  const auto sent = ::sendto(socket_, line.data(), line.size(), MSG_NOSIGNAL,
                             reinterpret_cast<const sockaddr*>(&manager_), manager_size_);
  if (sent < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOBUFS)) {
    retry_timer_.expires_after(kRetryAfter);
    return retry_timer_.async_wait(
        [this, successor, told = std::move(told)](const boost::system::error_code& error) {
          if (!error) tell_of_successor(successor, told);
        });
  }
  watchdog_timer_.cancel();
  ::close(std::exchange(socket_, -1));
  told();
}

void Service::stop() {
  figures_timer_.cancel();
  watchdog_timer_.cancel();
}

void Service::notify(const std::string& lines) {
  const auto sent = ::sendto(socket_, lines.data(), lines.size(), MSG_NOSIGNAL,
                             reinterpret_cast<const sockaddr*>(&manager_), manager_size_);
  if (sent >= 0 || std::exchange(warned_, true)) return;
  const int error = errno;
  log::kMainLog.warn("cannot tell the service manager at NOTIFY_SOCKET={} of {}: {}; said once",
                     from_environment("NOTIFY_SOCKET"), lines.substr(0, lines.find('=')),
                     std::generic_category().message(error));
}

void Service::ask_for_time() {
  const auto left = drained_by_ - std::chrono::steady_clock::now();
  const auto needed = std::chrono::ceil<std::chrono::microseconds>(left) + kEndMargin;
  if (needed > 0us) notify(fmt::format("EXTEND_TIMEOUT_USEC={}", needed.count()));
}

void Service::notify_state() { notify(fmt::format("{}\nSTATUS={}", state_, figures_())); }

// Also repeats the state, and in a drain asks for time again, because the manager may have missed these
// messages.
void Service::notify_figures() {
  figures_timer_.expires_after(kFiguresEvery);
  figures_timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    if (state_ == "STOPPING=1") ask_for_time();
    notify_state();
    notify_figures();
  });
}

void Service::feed_watchdog() {
  notify("WATCHDOG=1");
  watchdog_timer_.expires_after(feed_every_);
  watchdog_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) feed_watchdog();
  });
}

}  // namespace driveshaft::daemon
