// SPDX-License-Identifier: MIT
#include "cli/top_state.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "text/utf8.h"

namespace driveshaft::cli {
namespace {

using List = TopState::List;
using Name = Key::Name;

constexpr std::size_t kLongestFilter = 200;  // bytes

void show_pools(TopState& state) {
  state.list = List::pools;
  state.first = 0;
}

void set_filter(TopState& state, std::string filter) {
  state.filter = std::move(filter);
  show_pools(state);
}

void type(TopState& state, const Key& key) {
  std::string filter = state.filter;
  if (key.name == Name::enter) {
    state.is_typing = false;
  } else if (key.name == Name::character && filter.size() + key.text.size() <= kLongestFilter) {
    set_filter(state, filter + key.text);
  } else if (key.name == Name::backspace && !filter.empty()) {
    while (text::is_continuation(filter.back())) filter.pop_back();
    filter.pop_back();
    set_filter(state, std::move(filter));
  }
}

std::optional<Sort> sort_of(std::string_view key) {
  if (key == "t") return Sort::trouble;
  if (key == "n") return Sort::name;
  if (key == "b") return Sort::busy;
  if (key == "f") return Sort::failed;
  if (key == "w") return Sort::waiting;
  return std::nullopt;
}

// Scrolls, if the key is one for that. Returns whether it is.
bool scroll(TopState& state, Name key) {
  const std::size_t page = std::max<std::size_t>(state.room, 1);
  switch (key) {
    case Name::up:
      state.first -= std::min<std::size_t>(state.first, 1);
      return true;
    case Name::down:
      ++state.first;
      return true;
    case Name::page_up:
      state.first -= std::min(state.first, page);
      return true;
    case Name::page_down:
      state.first += page;
      return true;
    case Name::home:
      state.first = 0;
      return true;
    case Name::end:
      state.first = std::numeric_limits<std::size_t>::max() / 2;
      return true;
    default:
      return false;
  }
}

}  // namespace

List next(List list) {
  return list == List::pools ? List::servers : list == List::servers ? List::problems : List::pools;
}

bool press(TopState& state, const Key& key) {
  if (scroll(state, key.name)) return true;
  if (key.name == Name::escape) {
    state.is_typing = false;
    if (!state.filter.empty()) set_filter(state, "");
  } else if (state.is_typing) {
    type(state, key);
  } else if (key.name == Name::tab) {
    state.list = next(state.list);
    state.first = 0;
  } else if (key.name == Name::character) {
    if (key.text == "q" || key.text == "Q") return false;
    if (key.text == "/") {
      state.is_typing = true;
      show_pools(state);
    } else if (key.text == "e") {
      state.backends = !state.backends;
      show_pools(state);
    } else if (const auto sort = sort_of(key.text)) {
      state.sort = *sort;
      show_pools(state);
    }
  }
  return true;
}

}  // namespace driveshaft::cli
