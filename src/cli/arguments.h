// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

// Splits a command line into options, `--name value` or `--name=value`, and other arguments. Pure.
namespace driveshaft::cli {

// An option that a command line may have.
struct OptionName {
  std::string_view name;      // without its dashes
  std::string_view argument;  // name of its value in the help; empty: the option has no value
  bool may_repeat = false;
  bool may_have_value = false;  // without an argument: `--name` and `--name=value` are both right
};

inline constexpr OptionName kHelp{"help", ""};

// One option with its value, or an argument that belongs to no option.
struct Argument {
  const OptionName* option = nullptr;
  std::string text;
};

// Splits the arguments, in their order. In the name of an option `-` and `_` mean the same. An error names
// the mistake, what was probably meant, and `command`: "probe", or empty for the program itself. The results
// point into `options`.
base::Result<std::vector<Argument>> split_arguments(std::span<const char* const> arguments,
                                                    std::span<const OptionName> options,
                                                    std::string_view command);

// Whether the argument is `--name` or `--name=value`.
bool names_option(std::string_view argument, std::string_view name);

// The longest time that an option accepts.
inline constexpr std::chrono::seconds kLongestTime{1'000'000'000};

// Reads a number of seconds, or a time with a unit: "90", "0.5", "10m".
base::Result<std::chrono::milliseconds> read_time(
    const std::string& text, std::chrono::milliseconds least = std::chrono::milliseconds(1),
    std::chrono::milliseconds most = kLongestTime);

}  // namespace driveshaft::cli
