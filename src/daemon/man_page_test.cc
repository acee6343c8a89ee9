// SPDX-License-Identifier: MIT
// The man page and docs/command-line.md have exactly what the tables of the program have.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/exit_codes.h"
#include "config/keys.h"
#include "daemon/options.h"

namespace driveshaft::daemon {
namespace {

using testing::HasSubstr;

std::string contents(const std::string& path) {
  std::ifstream file(SOURCE_DIR + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The text between `begin` and `end`; empty if `begin` is not there.
std::string between(const std::string& text, const std::string& begin, const std::string& end) {
  const auto from = text.find(begin);
  if (from == text.npos) return {};
  const auto to = text.find(end, from + begin.size());
  return text.substr(from, to == text.npos ? to : to - from);
}

std::string man_section(const std::string& title) {
  return between(contents("/docs/driveshaft.1"), "\n.Sh " + title + "\n", "\n.Sh ") + "\n";
}

// The lines of a text that begin with `mark`, without the mark.
std::vector<std::string> items(const std::string& text, const std::string& mark) {
  std::vector<std::string> found;
  for (auto at = text.find("\n" + mark); at != text.npos; at = text.find("\n" + mark, at + 1)) {
    const auto begin = at + 1 + mark.size();
    found.push_back(text.substr(begin, text.find('\n', begin) - begin));
  }
  return found;
}

// The text of a macro's line as it is shown: a quote that begins an argument is not shown, unless something
// stands before it.
std::string macro_text(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '"' && (escaped.empty() || escaped.back() == ' ')) escaped += "\\&";
    escaped += c;
  }
  return escaped;
}

std::string default_sentence(const std::string& value) { return "Default:\n.Ql " + value + " .\n"; }

TEST(ManPage, ListsTheOptionsInTheirOrderWithArgumentAndDefault) {
  const std::string section = man_section("OPTIONS");
  std::vector<std::string> expected;
  for (const OptionRow& row : option_table()) {
    std::string item(row.name);
    if (!row.argument.empty()) item += fmt::format(" Ar {}", row.argument);
    const std::string shown = row.value({});
    const std::string said = between(section, "\n.It Fl Fl " + item + "\n", "\n.It ") + "\n";
    if (shown.empty()) {
      EXPECT_THAT(said, testing::Not(HasSubstr("Default:"))) << item;
    } else {
      EXPECT_THAT(said, HasSubstr(default_sentence(shown))) << item;
    }
    expected.push_back(std::move(item));
  }
  EXPECT_EQ(items(section, ".It Fl Fl "), expected);
}

TEST(ManPage, ListsTheKeysOfTheJobsFileWithTheirDefaults) {
  const std::string section = man_section("JOBS FILE");
  std::vector<std::string> expected;
  for (const auto& key : config::all_keys()) {
    const std::string said = between(section, fmt::format("\n.It Cm {}\n", key.name), "\n.It ") + "\n";
    if (!key.default_text.empty()) {
      EXPECT_THAT(said, HasSubstr(default_sentence(macro_text(std::string(key.default_text))))) << key.name;
    }
    expected.emplace_back(key.name);
  }
  EXPECT_EQ(items(section, ".It Cm "), expected);
}

TEST(ManPage, NamesTheKeysOfFunctionsAndOfTls) {
  const std::string section = man_section("JOBS FILE");
  for (const auto& nested : config::nested_keys()) {
    if (nested.of != "jobs_list" && nested.of != "endpoint_tls") continue;
    const std::string said = between(section, fmt::format("\n.It Cm {}\n", nested.of), "\n.It ") + "\n";
    for (const auto& key : nested.keys) {
      EXPECT_THAT(said, HasSubstr(fmt::format("\n.Cm {}", key.name))) << nested.of;
    }
  }
}

TEST(ManPage, ListsTheExitCodesOfTheCommandLineManual) {
  const std::string table = between(contents("/docs/command-line.md"), "\n## Exit codes\n", "\n## ");
  std::vector<std::string> codes;
  for (const auto& row : items(table, "| ")) {
    const std::string code = row.substr(0, row.find(' '));
    if (code.find_first_not_of("0123456789") == code.npos) codes.push_back(code);
  }
  EXPECT_EQ(items(man_section("EXIT STATUS"), ".It "), codes);
  EXPECT_EQ(codes.back(), std::to_string(base::kExitNoAnswer));
}

TEST(CommandLineManual, ListsNoOtherOptions) {
  const auto section = between(contents("/docs/command-line.md"), "# Command line\n", "\n## ");
  const auto rows = items(section, "| `--");
  EXPECT_EQ(rows.size(), option_table().size());
}

}  // namespace
}  // namespace driveshaft::daemon
