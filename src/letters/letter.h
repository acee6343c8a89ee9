// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "base/error.h"
#include "dispatch/dead_letter.h"

namespace driveshaft::letters {

// Where letters wait: a dead letter function on a gearmand.
struct Place {
  std::string server;    // its address
  std::string function;  // the dead letter function
};

// A job of a dead letter function as gearmand hands it out.
struct Letter {
  std::string handle;                          // of the letter, not of its job
  std::string text;                            // its workload, any bytes
  base::Result<dispatch::ReadLetter> content;  // or why the text is no letter
  // The handle that it was handed out by; `handle` is another one once the letter is submitted anew.
  std::string taken_as = {};
};

}  // namespace driveshaft::letters
