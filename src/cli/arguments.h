// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

// Command lines of options, `--name value` or `--name=value`, and of other arguments.
namespace driveshaft::cli {

// An option that a command line may have.
struct OptionName {
  std::string_view name;      // without its dashes
  std::string_view argument;  // what its value is called; empty: it has none
  bool may_repeat = false;
};

// One option with its value, or an argument that belongs to none.
struct Argument {
  const OptionName* option = nullptr;
  std::string text;
};

// Splits the arguments, in their order. Errors name the mistake and what was probably meant. `command` is
// named in them: "probe", or empty for the program itself.
base::Result<std::vector<Argument>> split_arguments(std::span<const char* const> arguments,
                                                    std::span<const OptionName> options,
                                                    std::string_view command);

}  // namespace driveshaft::cli
