// SPDX-License-Identifier: MIT
#include "net/exceptions.h"

#include "log/log.h"

namespace driveshaft::net {

void log_exception(const std::exception_ptr& bug, const std::string& where) {
  try {
    std::rethrow_exception(bug);
  } catch (const std::exception& known) {
    log::kMainLog.error("internal error in {}: {}", where, known.what());
  } catch (...) {
    log::kMainLog.error("internal error in {}: an exception of an unknown type", where);
  }
}

void run_past_exceptions(asio::io_context& loop, const std::string& where) {
  while (true) {
    try {
      loop.run();
      return;
    } catch (...) {
      log_exception(std::current_exception(), where);
    }
  }
}

}  // namespace driveshaft::net
