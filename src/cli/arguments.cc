// SPDX-License-Identifier: MIT
#include "cli/arguments.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/program_options.hpp>

#include "base/seconds.h"
#include "config/nearest.h"
#include "text/printable.h"
#include "text/units.h"

namespace driveshaft::cli {
namespace {

namespace po = boost::program_options;
using base::Error;
using base::Result;

const OptionName* find(std::span<const OptionName> options, std::string_view name) {
  const auto found =
      std::find_if(options.begin(), options.end(), [&](const auto& option) { return option.name == name; });
  return found == options.end() ? nullptr : &*found;
}

po::options_description describe(std::span<const OptionName> options) {
  po::options_description all;
  for (const auto& option : options) {
    const std::string name(option.name);
    if (option.may_have_value) {
      all.add_options()(name.c_str(), po::value<std::string>()->implicit_value(""), "");
    } else if (option.argument.empty()) {
      all.add_options()(name.c_str(), "");
    } else {
      all.add_options()(name.c_str(), po::value<std::string>(), "");
    }
  }
  return all;
}

void use_declared_name(std::string& token, std::span<const OptionName> options) {
  const auto option =
      std::ranges::find_if(options, [&](const OptionName& one) { return names_option(token, one.name); });
  if (option != options.end()) token.replace(2, option->name.size(), option->name);
}

// Makes the arguments acceptable to the library, which rejects `--name=` with an empty value.
std::vector<std::string> tokens_of(std::span<const char* const> arguments,
                                   std::span<const OptionName> options) {
  std::vector<std::string> tokens;
  for (std::string token : arguments) {
    use_declared_name(token, options);
    const bool empty_value = token.starts_with("--") && token.find('=') == token.size() - 1;
    if (empty_value) token.pop_back();
    tokens.push_back(std::move(token));
    if (empty_value) tokens.emplace_back();
  }
  return tokens;
}

std::string help(std::string_view command) {
  return command.empty() ? "--help" : fmt::format("driveshaft {} --help", command);
}

Error unknown_option(const std::string& name, std::span<const OptionName> options, std::string_view command) {
  std::vector<std::string_view> names;
  for (const auto& option : options) names.push_back(option.name);
  const std::string bare = name.substr(std::min(name.find_first_not_of('-'), name.size()));
  std::string_view close = config::nearest(bare, names);
  if (close.empty() && bare.size() > 1) {
    // An abbreviation is not accepted, because an option that is added later could begin with it too.
    const auto begins =
        std::find_if(names.begin(), names.end(), [&](std::string_view n) { return n.starts_with(bare); });
    if (begins != names.end()) close = *begins;
  }
  const std::string of = command.empty() ? "" : fmt::format(" of {}", command);
  return {fmt::format(
      "unknown option {}{}; {}", text::printable(name, 60), of,
      close.empty() ? help(command) + " lists them all" : fmt::format("did you mean --{}?", close))};
}

}  // namespace

// Some options have `-` in their names and others `_`, so users may write either in each name.
bool names_option(std::string_view argument, std::string_view name) {
  if (!argument.starts_with("--")) return false;
  const auto with_underscores = [](char c) { return c == '-' ? '_' : c; };
  return std::ranges::equal(argument.substr(2, argument.find('=') - 2), name, {}, with_underscores,
                            with_underscores);
}

Result<std::vector<Argument>> split_arguments(std::span<const char* const> arguments,
                                              std::span<const OptionName> options, std::string_view command) {
  namespace style = po::command_line_style;
  const po::options_description described = describe(options);
  std::vector<Argument> split;
  try {
    const auto parsed = po::command_line_parser(tokens_of(arguments, options))
                            .options(described)
                            .style(style::allow_long | style::long_allow_adjacent | style::long_allow_next)
                            .run();
    for (const auto& given : parsed.options) {
      const OptionName* option = find(options, given.string_key);
      const bool is_second = std::any_of(split.begin(), split.end(), [&](const Argument& other) {
        return option && other.option == option && !option->may_repeat && !option->argument.empty();
      });
      if (is_second) return Error{fmt::format("--{} is given twice", option->name)};
      if (option && option->may_have_value && !given.value.empty() && given.value.front().empty()) {
        return Error{fmt::format("--{}: unexpected argument \"\" behind it", option->name)};
      }
      const auto& texts = option ? given.value : given.original_tokens;
      split.push_back({option, texts.empty() ? std::string() : texts.front()});
    }
  } catch (const po::unknown_option& e) {
    return unknown_option(e.get_option_name().substr(0, e.get_option_name().find('=')), options, command);
  } catch (const po::invalid_command_line_syntax& e) {
    const std::string name = e.get_option_name();
    const OptionName* option = find(options, name.substr(std::min(name.find_first_not_of('-'), name.size())));
    if (option && e.kind() == po::invalid_syntax::missing_parameter) {
      return Error{fmt::format("--{}: its {} is missing", option->name, option->argument)};
    }
    return Error{fmt::format("{}; {} lists the options", e.what(), help(command))};
  } catch (const po::error& e) {
    return Error{fmt::format("{}; {} lists the options", e.what(), help(command))};
  }
  return split;
}

Result<std::chrono::milliseconds> read_time(const std::string& text, std::chrono::milliseconds least,
                                            std::chrono::milliseconds most) {
  const auto time = text::parse_duration(text, std::chrono::seconds(1));
  if (time && *time >= least && *time <= most) return *time;
  return Error{
      fmt::format("expected {}, got \"{}\"",
                  time ? fmt::format("a time from {} to {} s", base::seconds(least), base::seconds(most))
                       : text::kDurationForms,
                  text::printable(text, 60))};
}

}  // namespace driveshaft::cli
