// SPDX-License-Identifier: MIT
#include "config/parse.h"

#include <algorithm>

#include "config/advice.h"
#include "config/json_tree.h"
#include "config/keys.h"
#include "config/value.h"

namespace driveshaft::config {
namespace {

// Whether the key stands at the top level or in a pool.
bool names_key(const Node& root, std::string_view key) {
  const Node* pools = root.find("pools_list");
  return root.find(key) || (pools && std::any_of(pools->children.begin(), pools->children.end(),
                                                 [&](const Node& pool) { return pool.find(key); }));
}

}  // namespace

base::Result<Parsed, Rejected> parse(std::string_view text, const ReadFile& read_file) {
  const auto root = parse_json(text);
  if (!root) return Rejected{{"not valid JSON: " + root.error().message}, {}};

  Problems problems(read_file);
  Parsed parsed;
  const Value value(*root, problems);
  check_duplicate_names(value);
  read_top_level(value, parsed.config);
  if (problems.has_errors()) return Rejected{problems.errors(), problems.warnings()};
  parsed.warnings = problems.warnings();
  parsed.notes = advice(parsed.config, names_key(*root, "request_format"));
  parsed.notes.insert(parsed.notes.end(), problems.notes().begin(), problems.notes().end());
  return parsed;
}

}  // namespace driveshaft::config
