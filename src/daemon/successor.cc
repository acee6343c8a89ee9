// SPDX-License-Identifier: MIT
#include "daemon/successor.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <climits>
#include <csignal>
#include <string_view>
#include <utility>

#include "base/stderr.h"

namespace driveshaft::daemon {

namespace {

using Kind = Message::Kind;

bool stderr_takes_more() {
  pollfd out{STDERR_FILENO, POLLOUT, 0};
  return ::poll(&out, 1, 0) == 1 && (out.revents & POLLOUT) != 0;
}

}  // namespace

Successor::Successor(asio::io_context& loop, Program program, Owner& owner)
    : loop_(loop),
      program_(std::move(program)),
      owner_(owner),
      errors_(loop),
      time_out_(loop),
      relay_again_(loop) {}

Successor::~Successor() { close(); }

void Successor::start(const Inheritance& inheritance, Done done) {
  const auto launched = launch(program_, inheritance);
  if (!launched) {
    owner_.upgrade_failed(launched.error().message);
    return done(false, launched.error().message);
  }
  upgrade_.begin(program_.path);
  done_ = std::move(done);
  launched_ = *launched;
  stderr_ = {};
  channel_.emplace(
      loop_, launched_.channel, [this](const Message& message) { on_message(message); },
      [this] { on_end(); });
  errors_.assign(launched_.errors);
  relay_stderr();
  time_out_.expires_after(Upgrade::kTimeOut);
  time_out_.async_wait([this](const boost::system::error_code& error) {
    if (!error) act(upgrade_.on_time_out());
  });
}

void Successor::is_main_process() {
  if (channel_) channel_->say({Kind::main_process});
}

void Successor::drain() { act(upgrade_.on_drain()); }

void Successor::on_message(const Message& message) {
  if (upgrade_.state() == Upgrade::State::handed_over) {
    if (message.kind == Kind::drain) owner_.drain_too(message.window);
    if (message.kind == Kind::reopen_logs) owner_.reopen_logs_too();
    return;
  }
  act(upgrade_.on_message(message), message.text);
}

void Successor::on_end() {
  if (upgrade_.state() == Upgrade::State::handed_over) return owner_.successor_ended();
  read_stderr(/*all=*/true);
  act(upgrade_.on_end());
}

// Passes on what the new process writes to stderr, until it serves and has a stderr of its own, which closes
// the pipe. While this process's stderr takes nothing, the text waits in the pipe.
void Successor::relay_stderr() {
  static constexpr std::chrono::milliseconds kAgainAfter{20};
  errors_.async_wait(asio::posix::stream_descriptor::wait_read,
                     [this](const boost::system::error_code& error) {
                       if (error) return;
                       if (write_stderr()) {
                         read_stderr(/*all=*/false);
                         if (errors_.is_open()) relay_stderr();
                         return;
                       }
                       relay_again_.expires_after(kAgainAfter);
                       relay_again_.async_wait([this](const boost::system::error_code& cancelled) {
                         if (!cancelled && errors_.is_open()) relay_stderr();
                       });
                     });
}

// With `all` the pipe is read to its end: nothing more will be read later, and the last text may say why the
// new process ended.
void Successor::read_stderr(bool all) {
  std::array<char, PIPE_BUF> bytes;
  ssize_t size = 0;
  do {
    size = ::read(errors_.native_handle(), bytes.data(), bytes.size());
    if (size <= 0) break;
    const std::string_view text(bytes.data(), static_cast<std::size_t>(size));
    upgrade_.on_stderr(text);
    stderr_.add(text);
  } while (all);
  if (all || size == 0) stderr_.end();
  if (size == 0) errors_.close();
  write_stderr();
}

// False: this process's stderr takes no more now, and text is left.
bool Successor::write_stderr() {
  const std::size_t most = base::most_at_once_on_stderr();
  while (true) {
    const std::string_view text = stderr_.next(most);
    if (text.empty()) return true;
    if (!stderr_takes_more()) return false;
    const ssize_t size = ::write(STDERR_FILENO, text.data(), text.size());
    stderr_.remove(size < 0 ? text.size() : static_cast<std::size_t>(size));
  }
}

void Successor::act(Upgrade::Action action, const std::string& text) {
  switch (action) {
    case Upgrade::Action::nothing:
      return;
    case Upgrade::Action::let_go:
      return channel_->say(owner_.let_go());
    case Upgrade::Action::give_up:
      return give_up(SIGKILL);
    case Upgrade::Action::send_away:
      return give_up(SIGTERM);
    case Upgrade::Action::hand_over:
      time_out_.cancel();
      owner_.hand_over(launched_.pid, text);
      return answer(true, fmt::format("process {}, driveshaft {}, has taken over", launched_.pid, text));
  }
}

void Successor::give_up(int signal) {
  send_signal(launched_, signal);
  close();
  owner_.upgrade_failed(upgrade_.reason());
  answer(false, upgrade_.reason());
}

void Successor::answer(bool taken_over, const std::string& text) {
  std::exchange(done_, nullptr)(taken_over, text);
}

void Successor::close() {
  time_out_.cancel();
  relay_again_.cancel();
  channel_.reset();
  if (errors_.is_open()) read_stderr(/*all=*/true);
  boost::system::error_code ignored;
  errors_.close(ignored);
  if (launched_.process >= 0) ::close(std::exchange(launched_.process, -1));
}

}  // namespace driveshaft::daemon
