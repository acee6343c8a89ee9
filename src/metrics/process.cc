// SPDX-License-Identifier: MIT
#include "metrics/process.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace driveshaft::metrics {
namespace {

prometheus::Gauge& gauge(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
}

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

// Some fields of /proc/self/stat; proc(5) numbers them. The process name, field 2, may hold any characters
// but ends with the last ')', so the fields are counted from there.
struct Stat {
  double threads = 0;
  double start_ticks = 0;
  double virtual_bytes = 0;
  double resident_pages = 0;
};

Stat read_stat() {
  std::ifstream file("/proc/self/stat");
  const std::string text(std::istreambuf_iterator<char>(file), {});
  Stat stat;
  std::size_t at = text.rfind(')');
  for (int field = 3; at != text.npos && field <= 24; ++field) {
    at = text.find_first_not_of(' ', at + 1);
    if (at == text.npos) break;
    const auto value = [&] { return std::strtod(text.c_str() + at, nullptr); };
    if (field == 20) stat.threads = value();
    if (field == 22) stat.start_ticks = value();
    if (field == 23) stat.virtual_bytes = value();
    if (field == 24) stat.resident_pages = value();
    at = text.find(' ', at);
  }
  return stat;
}

double boot_time() {
  std::ifstream file("/proc/stat");
  for (std::string word; file >> word;) {
    double value = 0;
    if (word == "btime" && file >> value) return value;
  }
  return 0;
}

}  // namespace

Process::Process(prometheus::Registry& registry)
    : cpu_seconds_(prometheus::BuildCounter()
                       .Name("process_cpu_seconds_total")
                       .Help("User and system CPU time spent, in seconds.")
                       .Register(registry)
                       .Add({})),
      resident_bytes_(gauge(registry, "process_resident_memory_bytes", "Resident memory in bytes.")),
      virtual_bytes_(gauge(registry, "process_virtual_memory_bytes", "Virtual memory in bytes.")),
      open_files_(gauge(registry, "process_open_fds", "Open file descriptors.")),
      max_files_(gauge(registry, "process_max_fds", "File descriptors that may be open.")),
      threads_(gauge(registry, "process_threads", "Threads.")),
      start_time_(gauge(registry, "process_start_time_seconds",
                        "When the process started, in seconds since 1970.")) {}

void Process::update() {
  // A counter only takes increments, so two threads must not compute one at the same time.
  const std::lock_guard lock(mutex_);
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  cpu_seconds_.Increment(seconds(usage.ru_utime) + seconds(usage.ru_stime) - cpu_seconds_.Value());

  const Stat stat = read_stat();
  resident_bytes_.Set(stat.resident_pages * static_cast<double>(::sysconf(_SC_PAGESIZE)));
  virtual_bytes_.Set(stat.virtual_bytes);
  threads_.Set(stat.threads);
  start_time_.Set(boot_time() + stat.start_ticks / static_cast<double>(::sysconf(_SC_CLK_TCK)));

  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  max_files_.Set(static_cast<double>(files.rlim_cur));
  std::error_code unreadable;
  const std::filesystem::directory_iterator open("/proc/self/fd", unreadable);
  // The descriptor of the directory itself does not count.
  if (!unreadable) open_files_.Set(static_cast<double>(std::distance(begin(open), end(open)) - 1));
}

}  // namespace driveshaft::metrics
