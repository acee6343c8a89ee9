// SPDX-License-Identifier: MIT
#include "daemon/upgrade.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "text/printable.h"

namespace driveshaft::daemon {
namespace {

using Kind = Message::Kind;

constexpr std::size_t kMostStderr = 4096;  // bytes that are kept
constexpr std::size_t kMostReason = 1024;  // bytes that are shown

// The last line that is not empty.
std::string_view last_line(std::string_view text) {
  const auto end = text.find_last_not_of('\n');
  if (end == text.npos) return {};
  text = text.substr(0, end + 1);
  return text.substr(text.find_last_of('\n') + 1);
}

// Makes one line of a text whose lines may be indented.
std::string in_one_line(std::string_view text) {
  std::string line;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    std::string_view part = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    part.remove_prefix(std::min(part.find_first_not_of(' '), part.size()));
    if (part.empty()) continue;
    if (!line.empty()) line += line.ends_with(':') ? " " : "; ";
    line += part;
  }
  return text::printable(line, kMostReason);
}

}  // namespace

std::optional<std::string> Upgrade::refusal(const Process& process) const {
  if (state_ == State::handed_over) return "another process has taken over from this one";
  if (process.draining) return "the daemon is shutting down";
  if (process.taking_over || under_way()) return "an upgrade is under way";
  if (process.is_init) {
    return "this is process 1, with whose end its container ends: start a new container instead";
  }
  return {};
}

void Upgrade::begin(std::string program) {
  program_ = std::move(program);
  state_ = State::starting;
  said_.clear();
  stderr_.clear();
  reason_.clear();
}

Upgrade::Action Upgrade::on_message(const Message& message) {
  if (!under_way()) return Action::nothing;
  if (message.kind == Kind::ready && state_ == State::starting) {
    state_ = State::taking_over;
    return Action::let_go;
  }
  if (message.kind == Kind::serving && state_ == State::taking_over) {
    state_ = State::handed_over;
    return Action::hand_over;
  }
  if (message.kind == Kind::not_executed) {
    return fail(fmt::format("the program {} cannot be started: {}", program_,
                            std::generic_category().message(static_cast<int>(message.number))));
  }
  if (message.kind == Kind::failed) said_ = message.text;
  return Action::nothing;
}

void Upgrade::on_stderr(std::string_view text) {
  stderr_ += text;
  if (stderr_.size() > kMostStderr) stderr_.erase(0, stderr_.size() - kMostStderr);
}

Upgrade::Action Upgrade::on_end() {
  if (!under_way()) return Action::nothing;
  if (!said_.empty()) return fail("the new process ended: " + said_);
  const std::string_view last = last_line(stderr_);
  if (!last.empty()) return fail(fmt::format("the new process ended; it said last: {}", last));
  return fail("the new process ended and gave no reason");
}

Upgrade::Action Upgrade::on_time_out() {
  if (!under_way()) return Action::nothing;
  return fail(fmt::format("the new process {} within {} s",
                          state_ == State::starting ? "was not ready" : "did not connect to gearmand",
                          kTimeOut.count()));
}

Upgrade::Action Upgrade::on_drain() {
  if (!under_way()) return Action::nothing;
  const bool may_have_jobs = state_ == State::taking_over;
  fail("the daemon is shutting down");
  return may_have_jobs ? Action::send_away : Action::give_up;
}

// The new process needs as many connections as the old one had. After kForAll one is enough, because one of
// several servers may be down.
bool is_connected(int links, long links_before, std::chrono::milliseconds waited) {
  constexpr std::chrono::seconds kForAll{2};
  return links >= links_before || (links > 0 && waited >= kForAll);
}

Upgrade::Action Upgrade::fail(const std::string& reason) {
  state_ = State::idle;
  reason_ = in_one_line(reason);
  return Action::give_up;
}

}  // namespace driveshaft::daemon
