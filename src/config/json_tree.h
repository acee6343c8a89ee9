// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

// Reads strict JSON (RFC 8259) into a tree that knows the line of each value, so that messages can name it.
namespace driveshaft::config {

struct Node {
  enum class Kind { null, boolean, number, string, array, object };

  Kind kind = Kind::null;
  int line = 1;                // of the value's first character, counted from 1
  int key_line = 1;            // of `key`
  double number = 0;           // the nearest double of a number
  std::string key;             // the name, decoded, when the node is a member of an object
  std::string text;            // a string decoded, without its quotes; a number or boolean as it is written
  std::vector<Node> children;  // elements of an array, members of an object, in the file's order

  // The member of that name, the first if there are several; null if there is none. Lives as long as the
  // tree is neither changed nor moved.
  const Node* find(std::string_view name) const;
};

// Limits of what is read. They are far above any real jobs file.
inline constexpr int kMaxJsonDepth = 32;               // values within values
inline constexpr std::size_t kMaxJsonNodes = 500'000;  // values in all

// One leading UTF-8 byte order mark is skipped; comments and trailing commas are errors. Names given twice
// are both kept: the caller knows the path for the message.
// The error says what is wrong, what was found and where: "(line 7, column 3)", in characters from 1.
base::Result<Node> parse_json(std::string_view text);

}  // namespace driveshaft::config
