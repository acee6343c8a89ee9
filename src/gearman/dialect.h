// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "gearman/packet.h"

// Which packets a worker may send to a server. Pure.
namespace driveshaft::gearman {

// How much of the protocol a server knows.
//
// The Perl Gearman::Server (measured: 1.130.1, which is Debian's gearman-server; the source has not changed
// since 2017) does not know GRAB_JOB_UNIQ, WORK_DATA and WORK_WARNING: it answers each with ERROR. There,
// WORK_EXCEPTION does not end a job; WORK_FAIL has to follow. When a connection closes, its running jobs have
// failed: the server does not give them to another worker.
enum class Dialect { gearmand, perl };

// How a job ended.
enum class JobResult {
  complete,
  // gearmand sends the text to clients that asked for exceptions, and WORK_FAIL to the others. That WORK_FAIL
  // has a zero byte too many behind the handle (measured: 1.1.20, unchanged in 2.0). So a client that uses
  // libgearman and did not ask for exceptions, such as the gearman command, waits for ever.
  exception,
  warning_and_fail,  // the text as WORK_WARNING, which every client gets, then WORK_FAIL
  fail,
};

// The packet that asks for a job.
PacketType grab_packet(Dialect dialect);

// Whether the server knows this packet, which a worker sends while a job runs.
bool knows(Dialect dialect, PacketType type);

// Appends the packets that end a job; the last of them is the terminal packet. `data` is the result, or the
// text of the failure. Without memory it throws std::bad_alloc and appends nothing.
void append_end(std::string& out, Dialect dialect, std::string_view handle, JobResult result,
                std::string_view data);

}  // namespace driveshaft::gearman
