// SPDX-License-Identifier: MIT
#include "daemon/predecessor.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <utility>

#include "base/exit_codes.h"

namespace driveshaft::daemon {

using Kind = Message::Kind;

std::optional<Inheritance> take_inheritance() {
  const char* text = std::getenv(kInheritanceVariable);
  if (!text) return {};
  const auto inheritance = parse_inheritance(text);
  ::unsetenv(kInheritanceVariable);
  if (!inheritance) throw base::StartupError(base::kExitUsage, inheritance.error().message);
  for (const int descriptor : {inheritance->channel, inheritance->stderr_before, inheritance->exporter,
                               inheritance->control, inheritance->pid_file}) {
    if (descriptor >= 0) ::fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  }
  return *inheritance;
}

Predecessor::Predecessor(asio::io_context& loop, const Inheritance& inheritance, Owner& owner)
    : owner_(owner),
      stderr_before_(inheritance.stderr_before),
      channel_(
          loop, inheritance.channel, [this](const Message& message) { on_message(message); },
          [this] { on_end(); }) {
  channel_.say({Kind::ready});
}

void Predecessor::serves() {
  state_ = State::serving;
  ::dup2(stderr_before_, STDERR_FILENO);
  ::close(std::exchange(stderr_before_, -1));
  channel_.say({Kind::serving, DRIVESHAFT_VERSION});
}

void Predecessor::drain(std::chrono::milliseconds window) {
  channel_.say({.kind = Kind::drain, .window = window});
}

void Predecessor::reopen_logs() { channel_.say({Kind::reopen_logs}); }

void Predecessor::on_message(const Message& message) {
  if (message.kind == Kind::go && state_ == State::waiting) {
    state_ = State::going;
    owner_.take_over(message);
  } else if (message.kind == Kind::main_process) {
    owner_.became_main_process();
  }
}

void Predecessor::on_end() {
  if (state_ == State::waiting) return owner_.given_up();
  owner_.predecessor_ended();
}

}  // namespace driveshaft::daemon
