// SPDX-License-Identifier: MIT
#include "config/keys.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace driveshaft::config {
namespace {

std::string contents(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

TEST(Keys, TheManualListsEachOfThemAsTheTableHasIt) {
  const std::string manual = contents(SOURCE_DIR "/docs/configuration.md");
  for (const KeyInfo& key : all_keys()) {
    const auto place = !key.in_pool ? "top level" : key.at_top_level ? "both" : "pool";
    const auto fallback = key.default_text.empty() ? "" : fmt::format("`{}`", key.default_text);
    const auto row =
        fmt::format("| `{}` | {} | {} | {} | {} |\n", key.name, place, key.type, fallback, key.reload);
    EXPECT_NE(manual.find(row), std::string::npos) << "docs/configuration.md lacks this row:\n" << row;
  }
}

TEST(Keys, NoneIsListedTwice) {
  const auto keys = all_keys();
  ASSERT_EQ(keys.size(), 11u);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) EXPECT_NE(keys[i].name, keys[j].name);
  }
}

TEST(Keys, DefaultsAreThoseOfTheStructs) {
  const std::vector<std::pair<std::string_view, std::string>> expected = {
      {"request_format", "\"json\""}, {"failure_text", "\"exception\""}, {"connections", "1"},
      {"connect_timeout", "5"},       {"max_response_size", "67108864"},
  };
  EXPECT_EQ(settings_text({}), expected);
}

}  // namespace
}  // namespace driveshaft::config
