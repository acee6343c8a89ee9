// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "base/error.h"
#include "dispatch/dead_letter.h"

namespace driveshaft::letters {

// Where letters wait: a dead letter function on a gearmand.
struct Place {
  std::string server;    // address of the gearmand
  std::string function;  // the dead letter function
};

// A job of a dead letter function as gearmand hands it out.
struct Letter {
  std::string handle;                          // handle of the letter; its failed job had another one
  std::string text;                            // workload of the letter, any bytes
  base::Result<dispatch::ReadLetter> content;  // what the text says, or why it is no letter
  // The handle with which gearmand handed the letter out. `handle` differs from it if the letter was
  // submitted again.
  std::string taken_as = {};
};

}  // namespace driveshaft::letters
