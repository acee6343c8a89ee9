// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
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
  bool may_have_value = false;  // without an argument: `--name` and `--name=value` are both right
};

// One option with its value, or an argument that belongs to none.
struct Argument {
  const OptionName* option = nullptr;
  std::string text;
};

// Splits the arguments, in their order. In the name of an option `-` and `_` mean the same. Errors name the mistake and what was probably meant. `command` is
// named in them: "probe", or empty for the program itself.
base::Result<std::vector<Argument>> split_arguments(std::span<const char* const> arguments,
                                                    std::span<const OptionName> options,
                                                    std::string_view command);

// The longest time that a command line takes.
inline constexpr std::chrono::seconds kLongestTime{1'000'000'000};

// A number of seconds, or a time with a unit: "90", "0.5", "10m".
base::Result<std::chrono::milliseconds> read_time(
    const std::string& text, std::chrono::milliseconds least = std::chrono::milliseconds(1),
    std::chrono::milliseconds most = kLongestTime);

}  // namespace driveshaft::cli
