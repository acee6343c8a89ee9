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
  std::string text = {};  // the character in UTF-8; empty for every other key

  bool operator==(const Key&) const = default;
};

// Finds the keys in the bytes that a terminal sends. Keys that have no name above are left out. Pure.
class KeyDecoder {
 public:
  std::vector<Key> feed(std::string_view bytes);

  // Whether the last bytes are no complete key. If they are an escape character, it is either the key Escape
  // or the beginning of another key.
  bool is_unsure() const { return !pending_.empty(); }
  // Is called when no more bytes have come for a while: returns the keys that the pending bytes make.
  std::vector<Key> give_up();

 private:
  std::string pending_;  // the beginning of a key
};

}  // namespace driveshaft::cli
