// SPDX-License-Identifier: MIT
#include "cli/top.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "base/exit_codes.h"
#include "cli/client.h"
#include "cli/keys.h"
#include "cli/report.h"
#include "cli/top_screen.h"
#include "cli/top_state.h"
#include "net/asio.h"
#include "net/exceptions.h"

namespace driveshaft::cli {
namespace {

using namespace std::chrono_literals;
using net::kResult;

constexpr auto kEvery = 1s;
constexpr std::string_view kHideCursor = "\x1b[?25l";
constexpr auto kKeyPause = 50ms;  // all bytes of a key arrive within this time

// Switches the terminal to its alternate screen, without echo. The destructor restores the terminal.
class Screen {
 public:
  Screen() {
    ::tcgetattr(STDIN_FILENO, &before_);
    termios raw = before_;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    ::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    // The terminal cuts lines that are too long.
    put(fmt::format("\x1b[?1049h\x1b[?7l{}", kHideCursor));
  }
  ~Screen() {
    put("\x1b[?7h\x1b[?25h\x1b[?1049l");
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

  // The lines are written over the old ones, so that nothing flickers. A line is cleared before its text is
  // written: if the text fills the last column, clearing behind the text would remove its last character.
  static void show(const std::vector<std::string>& lines) {
    std::string text = "\x1b[H";
    for (std::size_t i = 0; i < lines.size(); ++i) {
      if (i > 0) text += "\n";
      text += "\x1b[K" + lines[i];
    }
    // The cursor is hidden already. This sequence marks the end of a screen for the tests.
    put(text + std::string(kHideCursor));
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
  Top(Daemon daemon, bool color) : daemon_(std::move(daemon)), color_(color) {
    news_.address = net::to_string(daemon_.target.address);
  }

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
        news_.lost.clear();
        news_.status = std::move(*status);
        note_trends(news_.trends, *news_.status);
      } else {
        news_.lost = status.error().message;
      }
      draw();
      co_await pause.async_wait(kResult);
    }
  }

  void draw() {
    const winsize size = Screen::size();
    Screen::show(top_screen(news_, state_, {size.ws_row, size.ws_col}, color_));
  }

  asio::awaitable<void> keys() {
    asio::posix::stream_descriptor input(io_, ::dup(STDIN_FILENO));
    std::array<char, 256> bytes{};
    while (true) {
      const auto [error, size] = co_await input.async_read_some(asio::buffer(bytes), kResult);
      if (error) break;
      key_pause_.cancel();
      press_all(decoder_.feed({bytes.data(), size}));
      if (decoder_.is_unsure()) await_rest_of_key();
    }
    io_.stop();
  }

  void await_rest_of_key() {
    key_pause_.expires_after(kKeyPause);
    key_pause_.async_wait([this](const boost::system::error_code& error) {
      if (!error) press_all(decoder_.give_up());
    });
  }

  void press_all(const std::vector<Key>& keys) {
    for (const auto& key : keys) {
      if (!press(state_, key)) return io_.stop();
    }
    if (!keys.empty()) draw();
  }

  void await_signal() {
    signals_.async_wait([this](const boost::system::error_code& error, int signal) {
      if (error) return;
      if (signal != SIGWINCH) return io_.stop();
      draw();
      await_signal();
    });
  }

  const Daemon daemon_;
  const bool color_;
  TopNews news_;
  TopState state_;
  KeyDecoder decoder_;
  asio::io_context io_{1};
  asio::signal_set signals_{io_, SIGINT, SIGTERM, SIGWINCH};
  asio::steady_timer key_pause_{io_};
};

}  // namespace

int top(const Daemon& daemon, bool color) {
  if (::isatty(STDIN_FILENO) != 1 || ::isatty(STDOUT_FILENO) != 1) {
    fmt::print(stderr, "driveshaft: top needs a terminal; driveshaft status is for scripts\n");
    return base::kExitUsage;
  }
  const Screen screen;
  Top(daemon, color).run();
  return base::kExitOk;
}

}  // namespace driveshaft::cli
