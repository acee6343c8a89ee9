// SPDX-License-Identifier: MIT
#include "daemon/check_places.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "admin/listen.h"
#include "base/error.h"
#include "base/exit_codes.h"
#include "daemon/file_limit.h"
#include "daemon/pid_file.h"
#include "net/listeners.h"
#include "text/printable.h"

namespace driveshaft::daemon {
namespace {

constexpr const char* kPidFile = "pid file";
constexpr const char* kControlSocket = "control socket";
constexpr const char* kExporter = "exporter";

// Whether the process runs driveshaft, or a program whose file has the same name as this one.
bool is_driveshaft(const net::Process& process) {
  return process.name.starts_with("driveshaft") || process.name == net::process_of(::getpid()).name;
}

std::string described(const net::Process& process) {
  return process.name.empty()
             ? fmt::format("process {}", process.pid)
             : fmt::format("process {} ({})", process.pid, text::printable(process.name, 60));
}

std::string daemon_has_it(pid_t pid, std::string_view has) {
  return fmt::format("a running daemon{} {}; stop or upgrade it: a second one would not start",
                     pid > 0 ? fmt::format(", process {},", pid) : "", has);
}

std::string user_name(uid_t uid) {
  const passwd* entry = ::getpwuid(uid);
  return entry ? entry->pw_name : std::to_string(uid);
}

// Who listens on an address that could not be bound.
struct OtherListener {
  std::optional<net::Process> process;  // nothing: this user may not see which process it is
  std::optional<uid_t> user;
};

// If several processes listen there, one that is not driveshaft is returned: it will still be there after a
// restart of the daemon.
OtherListener other_listener(const asio::ip::tcp::endpoint& endpoint) {
  OtherListener found;
  for (const auto& listener : net::listeners()) {
    if (!net::conflicts_with(listener.endpoint, endpoint)) continue;
    found.user = listener.user;
    if (auto owner = net::owner_of_socket(listener.inode)) found.process = std::move(*owner);
    if (found.process && !is_driveshaft(*found.process)) break;
  }
  return found;
}

}  // namespace

CheckRow check_pid_file(const std::string& path) {
  try {
    const auto use = look_at_pid_file(path);
    if (!use.exists) return good_row(kPidFile, path);
    if (use.is_held) {
      pid_t holder = 0;
      std::from_chars(use.pid.data(), use.pid.data() + use.pid.size(), holder);
      return warning_row(kPidFile, path, daemon_has_it(holder, "holds it"));
    }
    return good_row(
        kPidFile, path,
        use.pid.empty() ? "it is empty" : fmt::format("process {} wrote it, and no longer runs", use.pid));
  } catch (const base::StartupError& error) {
    return error_row(kPidFile, path, error.exit_code(), error.what());
  }
}

CheckRow check_control_socket(const std::string& path) {
  const auto refuse = [&](const std::string& why) {
    return error_row(kControlSocket, path, base::kExitExporter, why);
  };
  try {
    const auto use = admin::look_at_control_socket(path);
    if (use.listens) {
      const auto process = net::process_of(use.listener);
      if (is_driveshaft(process)) {
        return warning_row(kControlSocket, path, daemon_has_it(process.pid, "listens there"));
      }
      return refuse(admin::cannot_control(path, described(process) + " listens there"));
    }
    const std::string folder = std::filesystem::path(path).parent_path().string();
    if (::faccessat(AT_FDCWD, folder.c_str(), W_OK | X_OK, AT_EACCESS) != 0) {
      return refuse(admin::cannot_control(path, std::error_code(errno, std::generic_category())));
    }
    return good_row(kControlSocket, path,
                    use.exists ? "it is from a daemon that no longer runs; a start replaces it" : "");
  } catch (const base::StartupError& error) {
    return refuse(error.what());
  }
}

CheckRow check_removal(CheckRow row, const std::string& path, const std::optional<User>& user) {
  if (!user || row.grade != CheckRow::Grade::good) return row;
  const std::string folder = std::filesystem::path(path).parent_path().string();
  const AsUser as_user(user);
  if (::faccessat(AT_FDCWD, folder.c_str(), W_OK | X_OK, AT_EACCESS) == 0) return row;
  return warning_row(
      std::move(row.what), std::move(row.value),
      fmt::format("the user {} may not write in the directory {}, so the file stays there when "
                  "the daemon ends; name a directory that belongs to the user",
                  user->name, folder));
}

CheckRow check_exporter(const net::Address& address, bool tls) {
  const std::string shown = fmt::format("{}://{}", tls ? "https" : "http", net::to_string(address));
  const auto failed = admin::try_to_bind(address);
  if (!failed) return good_row(kExporter, shown);
  const auto other = failed->in_use ? other_listener(failed->endpoint) : OtherListener{};
  if (other.process && is_driveshaft(*other.process)) {
    return warning_row(kExporter, shown, daemon_has_it(other.process->pid, "listens there"));
  }
  if (other.process) {
    return error_row(kExporter, shown, base::kExitExporter,
                     fmt::format("{}; {} listens there", failed->why, described(*other.process)));
  }
  if (other.user) {
    return warning_row(kExporter, shown,
                       fmt::format("a process of the user {} listens there, which this user may not look at; "
                                   "a start needs the address free, unless it is the daemon that you "
                                   "are about to restart",
                                   user_name(*other.user)));
  }
  return error_row(kExporter, shown, base::kExitExporter, failed->why);
}

CheckRow check_open_files(const config::Config& config) {
  const auto allowed = raise_open_file_limit();
  const auto needed = files_needed(config);
  const std::string shown = fmt::format("{} allowed", allowed);
  if (needed > allowed) return warning_row("open files", shown, too_few_files(needed, allowed));
  return good_row("open files", shown, fmt::format("{} at most", needed));
}

}  // namespace driveshaft::daemon
