// SPDX-License-Identifier: MIT
#include "config/keys.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <fstream>
#include <set>
#include <sstream>

namespace driveshaft::config {
namespace {

std::string contents(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

std::set<std::string_view> names_of(const boost::json::object& object) {
  std::set<std::string_view> names;
  for (const auto& member : object) names.insert(member.key());
  return names;
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

TEST(Keys, TheManualListsNoOthers) {
  std::istringstream manual(contents(SOURCE_DIR "/docs/configuration.md"));
  std::size_t rows = 0;
  for (std::string line; std::getline(manual, line);) rows += line.starts_with("| `");
  EXPECT_EQ(rows, all_keys().size());
}

// What the schema says of a key, and the verdicts it comes to, are compared with --check in tests/.
TEST(Keys, TheSchemaListsEachOfThemInItsPlaceWithItsDefault) {
  const auto schema = boost::json::parse(contents(SOURCE_DIR "/docs/jobs.schema.json"));
  const auto& top = schema.at("properties").as_object();
  const auto& pool = schema.at_pointer("/definitions/pool/properties").as_object();
  std::set<std::string_view> top_names{"$schema"};
  std::set<std::string_view> pool_names;
  for (const KeyInfo& key : all_keys()) {
    if (key.at_top_level) top_names.insert(key.name);
    if (key.in_pool) pool_names.insert(key.name);
    const auto* said = (key.at_top_level ? top : pool).if_contains(key.name);
    ASSERT_TRUE(said) << key.name;
    if (const auto* reference = said->as_object().if_contains("$ref")) {
      said = &schema.at_pointer(reference->as_string().subview(1));
    }
    const auto* fallback = said->as_object().if_contains("default");
    ASSERT_EQ(fallback != nullptr, !key.default_text.empty()) << key.name;
    if (fallback) {
      EXPECT_EQ(*fallback, boost::json::parse(key.default_text)) << key.name;
    }
    EXPECT_TRUE(said->as_object().contains("description")) << key.name;
  }
  EXPECT_EQ(names_of(top), top_names);
  EXPECT_EQ(names_of(pool), pool_names);
}

TEST(Keys, NoneIsListedTwice) {
  const auto keys = all_keys();
  ASSERT_EQ(keys.size(), 26u);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) EXPECT_NE(keys[i].name, keys[j].name);
  }
}

TEST(Keys, DefaultsAreThoseOfTheStructs) {
  const std::vector<std::pair<std::string_view, std::string>> expected = {
      {"request_format", "\"json\""},
      {"failure_text", "\"exception\""},
      {"explain_failures", "false"},
      {"connections", "1"},
      {"connect_timeout", "5"},
      {"max_response_size", "67108864"},
      {"endpoint_down", "\"hold\""},
      {"hold_on", "[502, 503]"},
      {"breaker", "false"},
      {"retry", R"({"attempts": 1, "initial_delay": 0.2, "max_delay": 30, "attempt_timeout": 0, )"
                R"("on": ["timeout", "5xx", "429", "connection_lost"]})"},
      {"dead_letter_function", "\"\""},
      {"on_shutdown", "\"fail\""},
      {"max_rate", "0"},
      {"adaptive", "false"},
      {"headers", "{}"},
      {"signing_secret_file", "\"\""},
      {"trace_sampling", "1"},
      {"fairness", "\"none\""},
  };
  EXPECT_EQ(settings_text({}), expected);
}

}  // namespace
}  // namespace driveshaft::config
