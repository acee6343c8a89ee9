// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace driveshaft::cli {

struct Key {
  enum class Name {
    character,
    up,
    down,
    page_up,
    page_down,
    home,
    end,
    enter,
    escape,
    backspace,
    tab,
  };
  Name name;
  std::string text = {};  // of a character: itself, in UTF-8

  bool operator==(const Key&) const = default;
};

// Finds the keys in what a terminal sends. Pure. Keys that nothing is said of above are left out.
class KeyDecoder {
 public:
  std::vector<Key> feed(std::string_view bytes);

  // Whether an escape character came last: it is the key Escape, or begins another key that is still to come.
  bool is_unsure() const { return !pending_.empty(); }
  // Nothing came for a while.
  std::vector<Key> give_up();

 private:
  std::string pending_;  // the beginning of a key
};

}  // namespace driveshaft::cli
