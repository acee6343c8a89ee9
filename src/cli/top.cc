// SPDX-License-Identifier: MIT
#include "cli/top.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <csignal>
#include <optional>

#include "base/exit_codes.h"
#include "cli/client.h"
#include "cli/report.h"
#include "net/asio.h"
#include "net/exceptions.h"

namespace driveshaft::cli {
namespace {

using namespace std::chrono_literals;

constexpr auto kResult = asio::as_tuple(asio::use_awaitable);
constexpr auto kEvery = 1s;

// The terminal's other screen, without echo; as it was when this goes.
class Screen {
 public:
  Screen() {
    ::tcgetattr(STDIN_FILENO, &before_);
    termios raw = before_;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    ::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    put("\x1b[?1049h\x1b[?25l");
  }
  ~Screen() {
    put("\x1b[?25h\x1b[?1049l");
    ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  }
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  static winsize size() {
    winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0)
      return {24, 80, 0, 0};
    return size;
  }

  // Written over what is there, so that nothing flickers.
  static void show(const std::vector<std::string>& lines) {
    const std::size_t rows = size().ws_row;
    std::string text = "\x1b[H";
    for (std::size_t i = 0; i < lines.size() && i < rows; ++i) {
      if (i > 0) text += "\n";
      text += lines[i] + "\x1b[K";
    }
    put(text + "\x1b[J");
  }

 private:
  static void put(std::string_view text) {
    fmt::print("{}", text);
    std::fflush(stdout);
  }

  termios before_{};
};

class Top {
 public:
  Top(net::Address daemon, bool color) : daemon_(std::move(daemon)), color_(color) {}

  void run() {
    asio::co_spawn(io_, refresh(), net::kRethrow);
    asio::co_spawn(io_, keys(), net::kRethrow);
    await_signal();
    io_.run();
  }

 private:
  asio::awaitable<void> refresh() {
    asio::steady_timer pause(io_);
    while (true) {
      pause.expires_after(kEvery);
      const auto answer = co_await get(daemon_, "/api/v1/status");
      auto status = answer ? parse_status(*answer) : base::Result<boost::json::object>(answer.error());
      if (status) {
        lost_.clear();
        status_ = std::move(*status);
        note_trends(trends_, *status_);
      } else {
        lost_ = status.error().message;
      }
      draw();
      co_await pause.async_wait(kResult);
    }
  }

  void draw() {
    const Style style{.color = color_, .width = Screen::size().ws_col};
    std::vector<std::string> lines;
    if (status_) lines.push_back(title(*status_, net::to_string(daemon_), style));
    if (!lost_.empty()) {
      lines.push_back(fmt::format("LOST: {}", lost_).substr(0, style.width));
      lines.emplace_back(status_ ? "What follows is old; trying again every second."
                                 : "Trying again every second.");
    }
    lines.emplace_back();
    if (status_) {
      for (auto& line : report(*status_, style, &trends_)) lines.push_back(std::move(line));
    }
    lines.emplace_back();
    lines.emplace_back("q: quit");
    Screen::show(lines);
  }

  asio::awaitable<void> keys() {
    asio::posix::stream_descriptor input(io_, ::dup(STDIN_FILENO));
    while (true) {
      char key = 0;
      const auto [error, size] = co_await input.async_read_some(asio::buffer(&key, 1), kResult);
      if (error || key == 'q' || key == 'Q') break;
    }
    io_.stop();
  }

  void await_signal() {
    signals_.async_wait([this](const boost::system::error_code& error, int signal) {
      if (error) return;
      if (signal != SIGWINCH) return io_.stop();
      draw();
      await_signal();
    });
  }

  const net::Address daemon_;
  const bool color_;
  std::optional<boost::json::object> status_;
  Trends trends_;
  std::string lost_;  // why there is no news
  asio::io_context io_{1};
  asio::signal_set signals_{io_, SIGINT, SIGTERM, SIGWINCH};
};

}  // namespace

int top(const net::Address& daemon, bool color) {
  if (::isatty(STDIN_FILENO) != 1 || ::isatty(STDOUT_FILENO) != 1) {
    fmt::print(stderr, "driveshaft: top needs a terminal; driveshaft status is for scripts\n");
    return base::kExitUsage;
  }
  const Screen screen;
  Top(daemon, color).run();
  return base::kExitOk;
}

}  // namespace driveshaft::cli
