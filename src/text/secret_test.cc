// SPDX-License-Identifier: MIT
#include "text/secret.h"

#include <fmt/ostream.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string_view>
#include <type_traits>

namespace driveshaft::text {
namespace {

// clang-format off: its versions differ in the lines of a concept
template <class T>
concept CanBePrinted = requires(std::ostream& out, const T& value) {
  out << value;
};

template <class T>
concept CanBeAppended = requires(std::string& out, const T& value) {
  out += value;
};
// clang-format on

TEST(Secret, NothingShowsItByMistake) {
  static_assert(CanBePrinted<std::string> && CanBeAppended<std::string> &&
                fmt::is_formattable<std::string>());
  static_assert(!CanBePrinted<Secret> && !CanBeAppended<Secret> && !fmt::is_formattable<Secret>());
  static_assert(!std::is_convertible_v<Secret, std::string_view>);
  static_assert(!std::is_convertible_v<std::string, Secret>, "it is made on purpose");
}

TEST(Secret, RevealGivesItsBytes) {
  const Secret secret(std::string("a\0b", 3));
  EXPECT_EQ(secret.reveal(), std::string_view("a\0b", 3));
  EXPECT_FALSE(secret.empty());
  EXPECT_TRUE(Secret().empty());
  EXPECT_TRUE(secret == Secret(std::string("a\0b", 3)));
  EXPECT_FALSE(secret == Secret("a"));
}

}  // namespace
}  // namespace driveshaft::text
