// SPDX-License-Identifier: MIT
#pragma once

#include "cli/letters_options.h"

namespace driveshaft::cli {

// Lists, shows, runs again or deletes dead letters. Returns the exit code.
int run(const LettersOptions& options);

}  // namespace driveshaft::cli
