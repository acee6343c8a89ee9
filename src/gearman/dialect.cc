// SPDX-License-Identifier: MIT
#include "gearman/dialect.h"

namespace driveshaft::gearman {
namespace {

constexpr std::size_t kMaxFraming = 64;  // bytes of two packets, without their arguments

}  // namespace

PacketType grab_packet(Dialect dialect) {
  return dialect == Dialect::perl ? PacketType::grab_job : PacketType::grab_job_uniq;
}

bool knows(Dialect dialect, PacketType type) {
  return dialect == Dialect::gearmand || (type != PacketType::work_data && type != PacketType::work_warning);
}

void append_end(std::string& out, Dialect dialect, std::string_view handle, JobResult result,
                std::string_view data) {
  out.reserve(out.size() + kMaxFraming + 2 * handle.size() +
              data.size());  // so that all packets are appended, or none
  switch (result) {
    case JobResult::complete:
      return append_packet(out, PacketType::work_complete, handle, data);
    case JobResult::exception:
      append_packet(out, PacketType::work_exception, handle, data);
      if (dialect == Dialect::gearmand) return;
      break;
    case JobResult::warning_and_fail:
      if (knows(dialect, PacketType::work_warning)) {
        append_packet(out, PacketType::work_warning, handle, data);
      }
      break;
    case JobResult::fail:
      break;
  }
  append_packet(out, PacketType::work_fail, handle);
}

}  // namespace driveshaft::gearman
