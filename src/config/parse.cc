// SPDX-License-Identifier: MIT
#include "config/parse.h"

#include "config/json_tree.h"
#include "config/keys.h"
#include "config/value.h"

namespace driveshaft::config {

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
  return parsed;
}

}  // namespace driveshaft::config
