// SPDX-License-Identifier: MIT
#include "config/keys.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

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
      {"tls", "/definitions/tls/then/properties"},
      {"retry", "/definitions/retry/properties"},
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

TEST(Keys, NoneIsListedTwice) {
  std::set<std::string_view> names;
  for (const KeyInfo& key : all_keys()) EXPECT_TRUE(names.insert(key.name).second) << key.name;
}

}  // namespace
}  // namespace driveshaft::config
