// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "config/json_tree.h"

namespace driveshaft::config {

// The content of a file that the jobs file names, or why it cannot be had.
using ReadFile = std::function<base::Result<std::string>(const std::string& path)>;

// The errors and warnings of a jobs file, collected while it is read, and the function that reads the files
// that it names.
class Problems {
 public:
  // Without `read_file` the files that the jobs file names are not read.
  explicit Problems(ReadFile read_file = {}) : read_file_(std::move(read_file)) {}

  const ReadFile& read_file() const { return read_file_; }
  void error(int line, std::string message) { errors_.add(line, std::move(message)); }
  void warning(int line, std::string message) { warnings_.add(line, std::move(message)); }
  // Notes that the file uses a key's former name. Only the first place of each key is noted.
  void renamed(std::string_view former, std::string_view name, std::string_view place);

  bool has_errors() const { return !errors_.entries.empty(); }

  // One text each, in the order of their lines: "message (line 14)".
  std::vector<std::string> errors() const { return errors_.texts(); }
  std::vector<std::string> warnings() const { return warnings_.texts(); }
  // The messages that are neither errors nor warnings, in the order of reading.
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  struct Entry {
    int line;
    std::string message;
  };
  struct List {
    void add(int line, std::string message);
    std::vector<std::string> texts() const;

    std::vector<Entry> entries;
    std::size_t left_out = 0;  // how many more there were, beyond the limit
  };

  const ReadFile read_file_;
  List errors_;
  List warnings_;
  std::vector<std::string> notes_;
  std::set<std::string, std::less<>> renamed_;  // former names
};

// A place in the jobs file: a node, the path that leads to it, and the list of problems to which messages are
// added. The tree and the problems outlive it.
class Value {
 public:
  Value(const Node& node, Problems& problems) : Value(node, "", problems) {}

  const Node& node() const { return *node_; }
  bool is(Node::Kind kind) const { return node_->kind == kind; }
  bool is_root() const { return path_.empty(); }

  Value member(const Node& child) const;   // path.key
  Value element(std::size_t index) const;  // path[index]

  // "path: message (line N)", at the line of the value.
  void error(std::string_view message) const;
  // The error "expected …, got …", with a hint if only the quotes are wrong. Returns true: a reader returns
  // that when it has reported an error itself.
  bool expected(std::string_view what) const;
  void warning(std::string_view message) const;
  // These are at the line of the value's name.
  void key_error(std::string_view message) const;
  void key_warning(std::string_view message) const;
  // Notes that this member stands under its key's former name.
  void renamed(std::string_view name) const;
  // "path.key: message", for a member that is not there; at the line of the value.
  void missing(std::string_view key, std::string_view message) const;

  // Reads the files that the jobs file names; may be empty.
  const ReadFile& read_file() const { return problems_->read_file(); }

  // The value as a message shows it: `"ten"`, `1.5`, `an empty array`.
  std::string shown() const;

 private:
  Value(const Node& node, std::string path, Problems& problems)
      : node_(&node), path_(std::move(path)), problems_(&problems) {}
  std::string placed(std::string_view message) const;

  const Node* node_;
  std::string path_;  // empty at the root
  Problems* problems_;
};

// A text as the file would write it: a string of JSON.
std::string quoted_json(std::string_view text);

// Adds an error for every name that an object anywhere below `value` (or itself) gives twice.
void check_duplicate_names(const Value& value);

}  // namespace driveshaft::config
