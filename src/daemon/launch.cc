// SPDX-License-Identifier: MIT
#include "daemon/launch.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/close_range.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/blocked_signals.h"
#include "daemon/options.h"

namespace driveshaft::daemon {
namespace {

constexpr const char* kSelf = "/proc/self/exe";

bool same_file(const std::string& a, const std::string& b) {
  struct stat first = {};
  struct stat second = {};
  return ::stat(a.c_str(), &first) == 0 && ::stat(b.c_str(), &second) == 0 && first.st_ino == second.st_ino &&
         first.st_dev == second.st_dev;
}

// The path that this process was executed by. If that was no usable path, for example a descriptor, it is the
// path of the file that runs.
std::string own_path() {
  const auto given = ::getauxval(AT_EXECFN);
  std::error_code error;
  if (given != 0) {
    auto path =
        std::filesystem::absolute(std::bit_cast<const char*>(given), error).lexically_normal().string();
    if (!error && same_file(path, kSelf)) return path;
  }
  return std::filesystem::read_symlink(kSelf, error).string();
}

// Closes its descriptors at the end, except those that were given away.
template <std::size_t count>
struct Descriptors {
  Descriptors() { numbers.fill(-1); }
  ~Descriptors() {
    for (const int number : numbers) {
      if (number >= 0) ::close(number);
    }
  }
  Descriptors(const Descriptors&) = delete;
  Descriptors& operator=(const Descriptors&) = delete;
  int give(std::size_t which) { return std::exchange(numbers[which], -1); }

  std::array<int, count> numbers;
};

// The environment of this process with the inheritance added. A WATCHDOG_PID of systemd that names this
// process is left out: the watchdog is not meant for the new one.
std::vector<std::string> environment(const Inheritance& inheritance) {
  const std::string ours = fmt::format("WATCHDOG_PID={}", ::getpid());
  const std::string variable = fmt::format("{}=", kInheritanceVariable);
  std::vector<std::string> lines;
  for (char** line = environ; *line; ++line) {
    if (*line != ours && !std::string_view(*line).starts_with(variable)) lines.emplace_back(*line);
  }
  lines.push_back(variable + to_text(inheritance));
  return lines;
}

std::vector<char*> pointers(std::vector<std::string>& lines) {
  std::vector<char*> pointers;
  pointers.reserve(lines.size() + 1);
  for (auto& line : lines) pointers.push_back(line.data());
  pointers.push_back(nullptr);
  return pointers;
}

// All that the new process needs between clone() and execve(). There it may not allocate memory, because
// other threads of this process may hold the allocator's locks.
struct Plan {
  const char* path;
  char* const* arguments;
  char* const* environment;
  int standard_error;
  std::array<int, 5> kept;
  sigset_t signals;
};

void say_not_executed(int channel, int error) {
  char line[] = R"({"say":"not_executed","number":000})"
                "\n";
  char* const digits = std::strstr(line, "000");
  // JSON allows no leading zeros, but it allows spaces before a number.
  for (int i = 2; i >= 0; --i, error /= 10) digits[i] = static_cast<char>(error > 0 ? '0' + error % 10 : ' ');
  [[maybe_unused]] const auto ignored = ::send(channel, line, sizeof line - 1, MSG_NOSIGNAL);
}

[[noreturn]] void execute(const Plan& plan) {
  ::dup2(plan.standard_error, STDERR_FILENO);
  ::syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
  for (const int descriptor : plan.kept) {
    if (descriptor >= 0) ::fcntl(descriptor, F_SETFD, 0);
  }
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGPIPE, SIGXFSZ}) {
    ::signal(signal, SIG_DFL);
  }
  ::sigprocmask(SIG_SETMASK, &plan.signals, nullptr);
  ::execve(plan.path, plan.arguments, plan.environment);
  say_not_executed(plan.kept[0], errno);
  ::_exit(127);
}

base::Error cannot(std::string_view what) {
  return {fmt::format("{}: {}", what, std::generic_category().message(errno))};
}

}  // namespace

Program this_program(std::span<const char* const> arguments) {
  return {own_path(), absolute_arguments(arguments)};
}

base::Result<Launched> launch(const Program& program, Inheritance inheritance) {
  enum { kOurs, kTheirs, kRead, kWrite, kStderr };
  Descriptors<5> made;
  auto& numbers = made.numbers;
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, &numbers[kOurs]) != 0) return cannot("socketpair");
  if (::pipe2(&numbers[kRead], O_CLOEXEC) != 0) return cannot("pipe");
  numbers[kStderr] = ::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  if (numbers[kStderr] < 0) return cannot("stderr");
  ::fcntl(numbers[kRead], F_SETFL, O_NONBLOCK);

  inheritance.channel = numbers[kTheirs];
  inheritance.stderr_before = numbers[kStderr];
  std::vector<std::string> arguments{program.path};
  arguments.insert(arguments.end(), program.arguments.begin(), program.arguments.end());
  auto environment_lines = environment(inheritance);
  const auto argument_pointers = pointers(arguments);
  const auto environment_pointers = pointers(environment_lines);
  Plan plan{program.path.c_str(),
            argument_pointers.data(),
            environment_pointers.data(),
            numbers[kWrite],
            {inheritance.channel, inheritance.stderr_before, inheritance.exporter, inheritance.control,
             inheritance.pid_file},
            {}};
  // SIGHUP and SIGUSR2 do not end a daemon, so they stay blocked until the new process can handle them.
  ::pthread_sigmask(SIG_SETMASK, nullptr, &plan.signals);
  sigaddset(&plan.signals, SIGHUP);
  sigaddset(&plan.signals, SIGUSR2);

  Launched launched;
  {
    // Without this, a signal to the new process could run a handler of this program there.
    const base::BlockedSignals blocked;
    // This is fork() with three differences. CLONE_PARENT makes the copy a sibling. CLONE_PIDFD gives a
    // descriptor for it. CLONE_VFORK lets this thread wait until the program is loaded: if the thread closed
    // a socket while a copy has it too, that socket would stay in the event loop's set.
    const long pid = ::syscall(SYS_clone, CLONE_PARENT | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, nullptr,
                               &launched.process, nullptr, nullptr);
    if (pid == 0) execute(plan);
    if (pid < 0) return cannot("clone");
    launched.pid = static_cast<pid_t>(pid);
  }
  launched.channel = made.give(kOurs);
  launched.errors = made.give(kRead);
  return launched;
}

void send_signal(const Launched& launched, int signal) {
  ::syscall(SYS_pidfd_send_signal, launched.process, signal, nullptr, 0);
}

}  // namespace driveshaft::daemon
