// SPDX-License-Identifier: MIT
#include "cli/init.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "base/exit_codes.h"
#include "base/stderr.h"
#include "cli/arguments.h"
#include "cli/jobs_schema.h"
#include "cli/starter.h"
#include "cli/surroundings.h"
#include "config/load.h"
#include "text/printable.h"

namespace driveshaft::cli {
namespace {

namespace fs = std::filesystem;
using base::Error;
using base::Result;

Error exists(const std::string& path) {
  return {fmt::format("{} is there already, and is not overwritten; move it away, or name another folder",
                      text::printable(path, 256))};
}

Error cannot_write(const std::string& path, int error) {
  return {fmt::format("cannot write {}: {}; name a folder that can be written", text::printable(path, 256),
                      std::generic_category().message(error))};
}

// Writes a new file. If that fails, no file is left behind.
Result<void> write_new(const std::string& path, std::string_view text) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd < 0) return errno == EEXIST ? exists(path) : cannot_write(path, errno);
  int error = 0;
  while (!text.empty() && error == 0) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      error = errno;
    }
  }
  if (::close(fd) != 0 && error == 0) error = errno;
  if (error == 0) return {};
  ::unlink(path.c_str());
  return cannot_write(path, error);
}

// Writes the schema. A file that already has the same text stays.
Result<void> write_schema(const std::string& path) {
  const auto there = config::read_file(path);
  if (there && *there == jobs_schema()) return {};
  return write_new(path, jobs_schema());
}

// Does everything that can fail before the jobs file `path` is written: creates the folder, and writes the
// schema.
Result<void> prepare(const std::string& folder, const std::string& path) {
  std::error_code error;
  if (fs::exists(fs::symlink_status(path, error))) return exists(path);
  fs::create_directories(folder, error);
  if (error) return cannot_write(folder, error.value());
  return write_schema((fs::path(folder) / kSchemaName).string());
}

}  // namespace

bool is_init(std::span<const char* const> arguments) {
  return !arguments.empty() && arguments[0] == std::string_view("init");
}

Result<InitOptions> parse_init(std::span<const char* const> arguments) {
  constexpr OptionName kNames[] = {{"help", ""}};
  const auto given = split_arguments(arguments.subspan(1), kNames, "init");
  if (!given) return given.error();
  InitOptions options;
  bool has_folder = false;
  for (const auto& [option, text] : *given) {
    if (option) {
      options.help = true;
      continue;
    }
    if (text.starts_with('-') || text.empty() || has_folder) {
      return Error{fmt::format(
          "unexpected argument \"{}\" of init, which takes one folder; driveshaft init --help says more",
          text::printable(text, 60))};
    }
    options.folder = text;
    has_folder = true;
  }
  return options;
}

std::string init_help_text() {
  return "driveshaft init [FOLDER]\n"
         "  writes jobs.json, a first jobs file, and jobs.schema.json, which helps editors to complete it,\n"
         "  into the folder (default: the current one). The file names the gearmand and the php-fpm of this\n"
         "  machine. The command prints what you still have to change. It overwrites no file.\n"
         "\n"
         "Exit codes: 0 done; 1 a file exists already or cannot be written; 2 the command line is wrong.\n";
}

int init(const InitOptions& options) {
  if (options.help) {
    fmt::print("{}", init_help_text());
    return base::kExitOk;
  }
  const std::string path = options.folder == "." ? std::string(kJobsFileName)
                                                 : (fs::path(options.folder) / kJobsFileName).string();
  auto written = prepare(options.folder, path);
  const auto found = written ? look_around({}) : Surroundings{};
  if (written) written = write_new(path, starter_jobs_file(found));
  if (!written) {
    base::write_to_stderr("driveshaft: " + written.error().message);
    return base::kExitNotWritten;
  }
  for (const auto& line : starter_text(found, path)) fmt::print("{}\n", line);
  return base::kExitOk;
}

}  // namespace driveshaft::cli
