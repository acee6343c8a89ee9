// SPDX-License-Identifier: MIT
#include "gearman/dialect.h"

namespace driveshaft::gearman {

PacketType grab_packet(Dialect dialect) {
  return dialect == Dialect::perl ? PacketType::grab_job : PacketType::grab_job_uniq;
}

bool knows(Dialect dialect, PacketType type) {
  return dialect == Dialect::gearmand || (type != PacketType::work_data && type != PacketType::work_warning);
}

void append_end(std::string& out, Dialect dialect, std::string_view handle, Verdict verdict,
                std::string_view data) {
  switch (verdict) {
    case Verdict::complete:
      return append_packet(out, PacketType::work_complete, handle, data);
    case Verdict::exception:
      append_packet(out, PacketType::work_exception, handle, data);
      if (dialect == Dialect::gearmand) return;
      break;
    case Verdict::warning_and_fail:
      if (knows(dialect, PacketType::work_warning)) {
        append_packet(out, PacketType::work_warning, handle, data);
      }
      break;
    case Verdict::fail:
      break;
  }
  append_packet(out, PacketType::work_fail, handle);
}

}  // namespace driveshaft::gearman
