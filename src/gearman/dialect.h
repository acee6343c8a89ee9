// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "gearman/packet.h"

// What a worker may say to a server, and how. Pure.
namespace driveshaft::gearman {

// How much of the protocol a server knows.
//
// The Perl Gearman::Server (measured: 1.130.1, which is Debian's gearman-server; its source is the same since
// 2017) does not know GRAB_JOB_UNIQ, WORK_DATA and WORK_WARNING: it answers each with ERROR. WORK_EXCEPTION
// ends no job there; WORK_FAIL has to follow. Jobs that run when their connection closes have failed: it
// gives them to no other worker.
enum class Dialect { gearmand, perl };

// How a job ended.
enum class Verdict {
  complete,
  // gearmand sends the text to clients that asked for exceptions, and makes a WORK_FAIL of it for the others.
  // That one carries the handle with a zero byte too many (measured: 1.1.20, unchanged in 2.0), so clients
  // made of libgearman that did not ask, the gearman command among them, wait for ever.
  exception,
  warning_and_fail,  // the text as WORK_WARNING, which every client gets, then WORK_FAIL
  fail,
};

// The packet that asks for a job.
PacketType grab_packet(Dialect dialect);

// Whether the server knows that packet of a running job.
bool knows(Dialect dialect, PacketType type);

// Appends the packets that end a job, the last of which is the terminal one. `data` is the result, or the
// text of the failure.
void append_end(std::string& out, Dialect dialect, std::string_view handle, Verdict verdict,
                std::string_view data);

}  // namespace driveshaft::gearman
