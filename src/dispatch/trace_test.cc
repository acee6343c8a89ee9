// SPDX-License-Identifier: MIT
#include "dispatch/trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace driveshaft::dispatch {
namespace {

constexpr int kMany = 10'000;

int sampled(double sampling) {
  int count = 0;
  for (int i = 0; i < kMany; ++i) count += new_trace(sampling).sampled;
  return count;
}

TEST(Trace, ParentIsWrittenAsTheSpecificationHasIt) {
  std::string out;
  append_traceparent(out, {0x4bf92f3577b34da6, 0xa3ce929d0e0e4736, true}, 0x00f067aa0ba902b7);
  EXPECT_EQ(out, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
  out.clear();
  append_traceparent(out, {0, 1, false}, 2);
  EXPECT_EQ(out, "00-00000000000000000000000000000001-0000000000000002-00");
}

TEST(Trace, IdsAndSpansDiffer) {
  std::set<std::string> ids;
  std::set<std::uint64_t> spans;
  for (int i = 0; i < kMany; ++i) {
    std::string id;
    append_trace_id(id, new_trace(1));
    ids.insert(id);
    spans.insert(new_span());
  }
  EXPECT_EQ(ids.size(), kMany + 0u);
  EXPECT_EQ(spans.size(), kMany + 0u);
  EXPECT_FALSE(spans.contains(0));
}

TEST(Trace, SamplesTheShareThatIsAskedFor) {
  EXPECT_EQ(sampled(1), kMany);
  EXPECT_EQ(sampled(0), 0);
  EXPECT_NEAR(sampled(0.25), kMany / 4, kMany / 40);  // more than five standard deviations
}

TEST(Trace, TheLast56BitsDecide) {
  for (int i = 0; i < 1000; ++i) {
    const Trace trace = new_trace(0.5);
    EXPECT_EQ(trace.sampled, (trace.low >> 55 & 1) == 0);
  }
}

}  // namespace
}  // namespace driveshaft::dispatch
