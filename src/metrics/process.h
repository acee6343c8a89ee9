// SPDX-License-Identifier: MIT
#pragma once

#include <mutex>

namespace prometheus {
class Counter;
class Gauge;
class Registry;
}  // namespace prometheus

namespace driveshaft::metrics {

// The process_… metrics that Prometheus's client libraries have in common. They are read from /proc.
class Process {
 public:
  explicit Process(prometheus::Registry& registry);

  // Reads the values anew. Called for each scrape, in any thread.
  void update();

 private:
  std::mutex mutex_;
  prometheus::Counter& cpu_seconds_;
  prometheus::Gauge& resident_bytes_;
  prometheus::Gauge& virtual_bytes_;
  prometheus::Gauge& open_files_;
  prometheus::Gauge& max_files_;
  prometheus::Gauge& threads_;
  prometheus::Gauge& start_time_;
};

}  // namespace driveshaft::metrics
