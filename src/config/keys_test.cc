// SPDX-License-Identifier: MIT
#include "config/keys.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <fstream>
#include <map>
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

// The last column of a row says what the key does.
TEST(Keys, TheManualListsEachOfThemAsTheTableHasIt) {
  const std::string manual = contents(SOURCE_DIR "/docs/configuration.md");
  for (const KeyInfo& key : all_keys()) {
    const auto place = !key.in_pool ? "top level" : key.at_top_level ? "both" : "pool";
    const auto fallback = key.default_text.empty() ? "" : fmt::format("`{}`", key.default_text);
    const auto row = fmt::format("\n| `{}` | {} | {} | {} | ", key.name, place, key.type, fallback);
    const auto at = manual.find(row);
    ASSERT_NE(at, manual.npos) << "docs/configuration.md lacks a row that begins so:" << row;
    EXPECT_NE(manual[at + row.size()], '\n') << "docs/configuration.md does not say what it does:" << row;
  }
}

// Those that hold at once are the rule; the manual's table has the others.
TEST(Keys, TheManualSaysFromWhenANewValueHolds) {
  const std::string manual = contents(SOURCE_DIR "/docs/configuration.md");
  EXPECT_NE(manual.find("New values hold at once, but for these:"), manual.npos);
  std::set<std::string> rows;
  for (const KeyInfo& key : all_keys()) {
    if (key.reload == "at once") continue;
    const auto start = manual.find(fmt::format("\n| {} | `", key.reload));
    ASSERT_NE(start, manual.npos) << "docs/configuration.md lacks a row for \"" << key.reload << '"';
    const auto& row = *rows.insert(manual.substr(start, manual.find('\n', start + 1) - start)).first;
    EXPECT_NE(row.find(fmt::format("`{}`", key.name)), row.npos)
        << "docs/configuration.md lacks " << key.name << " in this row:" << row;
  }
  std::size_t named = 0;
  for (const auto& row : rows) named += static_cast<std::size_t>(std::ranges::count(row, '`')) / 2;
  const auto later =
      std::ranges::count_if(all_keys(), [](const KeyInfo& key) { return key.reload != "at once"; });
  EXPECT_EQ(named, static_cast<std::size_t>(later)) << "docs/configuration.md names keys that hold at once";
}

TEST(Keys, TheManualListsNoOthers) {
  std::istringstream manual(contents(SOURCE_DIR "/docs/configuration.md"));
  std::size_t rows = 0;
  for (std::string line; std::getline(manual, line);)
    for (const char* place : {"` | top level | ", "` | pool | ", "` | both | "})
      rows += line.starts_with("| `") && line.find(place) != line.npos;
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
    for (const auto name : {key.name, key.former_name}) {
      if (name.empty()) continue;
      if (key.at_top_level) top_names.insert(name);
      if (key.in_pool) pool_names.insert(name);
    }
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

TEST(Keys, TheSchemaMarksFormerNames) {
  const auto schema = boost::json::parse(contents(SOURCE_DIR "/docs/jobs.schema.json"));
  for (const KeyInfo& key : all_keys()) {
    if (key.former_name.empty()) continue;
    const auto& said = schema.at_pointer(fmt::format("/definitions/former_{}", key.former_name));
    EXPECT_EQ(said.at("deprecated"), true) << key.former_name;
    EXPECT_EQ(said.at("description").as_string(),
              fmt::format("Is now called {}; both are accepted.", key.name));
  }
}

TEST(Keys, TheManualNamesFormerNames) {
  const std::string manual = contents(SOURCE_DIR "/docs/configuration.md");
  for (const KeyInfo& key : all_keys()) {
    if (key.former_name.empty()) continue;
    EXPECT_NE(manual.find(fmt::format("(`{}`)", key.name)), manual.npos) << key.former_name;
    EXPECT_NE(manual.find(fmt::format("`{}`", key.former_name)), manual.npos) << key.former_name;
  }
}

// Each of them, in the object that `pointer` leads to.
void expect_nested(const boost::json::value& schema, const std::string& pointer, const NestedKeys& nested) {
  const auto& object = schema.at_pointer(pointer).as_object();
  std::set<std::string_view> names;
  for (const KeyInfo& key : nested.keys) {
    names.insert(key.name);
    const auto* said = object.if_contains(key.name);
    ASSERT_TRUE(said) << nested.of << ": " << key.name;
    const auto* fallback = said->as_object().if_contains("default");
    if (fallback) {
      EXPECT_EQ(*fallback, boost::json::parse(key.default_text)) << nested.of << ": " << key.name;
    }
  }
  if (nested.of == "jobs_list") names.insert("function");
  EXPECT_EQ(names_of(object), names) << nested.of;
}

TEST(Keys, TheSchemaListsTheKeysOfNestedObjects) {
  const auto schema = boost::json::parse(contents(SOURCE_DIR "/docs/jobs.schema.json"));
  const std::map<std::string_view, std::string> pointers = {
      {"gearman_servers_list", "/properties/gearman_servers_list/items/then/properties"},
      {"jobs_list", "/definitions/pool/properties/jobs_list/items/then/properties"},
      {"endpoint_tls", "/definitions/tls/then/properties"},
      {"retry", "/definitions/retry/then/properties"},
      {"breaker", "/definitions/breaker/oneOf/1/properties"},
  };
  for (const NestedKeys& nested : nested_keys()) expect_nested(schema, pointers.at(nested.of), nested);
}

TEST(Keys, TheManualNamesTheKeysOfNestedObjects) {
  const std::string manual = contents(SOURCE_DIR "/docs/configuration.md");
  for (const NestedKeys& nested : nested_keys()) {
    for (const KeyInfo& key : nested.keys) {
      const bool is_there = manual.find(fmt::format("`{}`", key.name)) != manual.npos ||
                            manual.find(fmt::format("\"{}\": ", key.name)) != manual.npos;
      EXPECT_TRUE(is_there) << nested.of << ": " << key.name;
    }
  }
}

// GET /api/v1/config shows every key; its description names those that are always there or have a form of
// their own, and the entries of lists in full.
TEST(Keys, TheApiShowsEachOfThem) {
  const PoolConfig pool{"P", *net::parse_uri("https://h/"), 1, {"f"}, {}};
  std::set<std::string_view> shown;
  for (const auto& [name, text] : pool_texts(pool)) {
    shown.insert(name);
    EXPECT_NO_THROW(boost::json::parse(text)) << name;
  }
  for (const KeyInfo& key : all_keys()) {
    const bool is_for_another_scheme = key.name == "fastcgi_document_root";
    EXPECT_EQ(shown.contains(key.name), key.in_pool && !is_for_another_scheme) << key.name;
  }
  const std::string described = contents(SOURCE_DIR "/docs/openapi.yaml");
  for (const NestedKeys& nested : nested_keys()) {
    if (nested.of == "retry" || nested.of == "breaker") continue;  // described by the schema of the jobs file
    for (const KeyInfo& key : nested.keys) {
      EXPECT_NE(described.find(fmt::format(" {}: ", key.name)), described.npos)
          << nested.of << ": " << key.name;
    }
  }
}

TEST(Keys, NoKeyIsListedTwice) {
  std::set<std::string_view> names;
  for (const KeyInfo& key : all_keys()) {
    EXPECT_TRUE(names.insert(key.name).second) << key.name;
    EXPECT_TRUE(key.former_name.empty() || names.insert(key.former_name).second) << key.former_name;
  }
}

}  // namespace
}  // namespace driveshaft::config
