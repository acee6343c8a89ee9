// SPDX-License-Identifier: MIT
#include "gearman/admin_text.h"

#include <gmock/gmock.h>

#include <vector>

namespace driveshaft::gearman {
namespace {

using testing::ElementsAre;

std::vector<std::string> lines(LineReader& reader, std::string_view bytes) {
  std::vector<std::string> found;
  reader.feed(bytes, [&](std::string_view line) { found.emplace_back(line); });
  return found;
}

TEST(LineReader, CutsAtLineEndsHoweverTheBytesCome) {
  LineReader reader;
  EXPECT_THAT(lines(reader, "a\nbc"), ElementsAre("a"));
  EXPECT_THAT(lines(reader, ""), ElementsAre());
  EXPECT_THAT(lines(reader, "d\n\n.\n"), ElementsAre("bcd", "", "."));
}

TEST(LineReader, CutsALongLineAndReadsTheNext) {
  LineReader reader;
  const std::string half(LineReader::kMost - 1, 'x');
  EXPECT_THAT(lines(reader, half), ElementsAre());
  EXPECT_THAT(lines(reader, half), ElementsAre());
  EXPECT_THAT(lines(reader, half + "\ny\n"), ElementsAre(half + "x", "y"));
}

TEST(AdminText, AStatusLine) {
  const auto queue = parse_status_line("resize\t10\t3\t2");
  ASSERT_TRUE(queue);
  EXPECT_EQ(queue->function, "resize");
  EXPECT_EQ(queue->queued, 7U);
  EXPECT_EQ(queue->running, 3U);
  EXPECT_EQ(queue->workers, 2U);
}

TEST(AdminText, NamesOfAnyKind) {
  EXPECT_EQ(parse_status_line("a b\t1\t0\t0")->function, "a b");
  EXPECT_EQ(parse_status_line("tab\tbed\t1\t0\t0")->function, "tab\tbed");
  EXPECT_EQ(parse_status_line("\t1\t0\t0")->function, "");
}

TEST(AdminText, MoreRunningThanInAllMeansNoneQueued) {
  EXPECT_EQ(parse_status_line("f\t1\t2\t0")->queued, 0U);
}

TEST(AdminText, RefusesWhatIsNotAStatusLine) {
  for (const char* line : {"", ".", "f", "f\t1", "f\t1\t2", "f\t1\t2\t", "f\t1\t2\tx", "f\t-1\t0\t0",
                           "f\t1\t99999999999999999999\t0", "ERR unknown_command Unknown+server+command"}) {
    EXPECT_FALSE(parse_status_line(line)) << line;
  }
}

TEST(AdminText, AWorkerLine) {
  const auto worker = parse_worker_line("33 127.0.0.1 driveshaft/h/12 : f g");
  ASSERT_TRUE(worker);
  EXPECT_EQ(worker->client_id, "driveshaft/h/12");
  EXPECT_TRUE(worker->has_functions);
  EXPECT_FALSE(parse_worker_line("33 127.0.0.1 - :")->has_functions);
  EXPECT_FALSE(parse_worker_line("33 127.0.0.1 - : ")->has_functions);
}

TEST(AdminText, RefusesWhatIsNotAWorkerLine) {
  for (const char* line : {"", ".", "33", "33 127.0.0.1", "33 127.0.0.1 id", "33 127.0.0.1 id f"}) {
    EXPECT_FALSE(parse_worker_line(line)) << line;
  }
}

}  // namespace
}  // namespace driveshaft::gearman
