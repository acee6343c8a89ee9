// SPDX-License-Identifier: MIT
#include "cli/letters_report.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "cli/figures.h"
#include "text/base64.h"
#include "text/printable.h"
#include "text/utf8.h"

namespace driveshaft::cli {
namespace {

namespace json = boost::json;
using letters::Letter;
using letters::Place;
using Verb = LettersOptions::Verb;

constexpr std::size_t kMostOfText = 2000;  // bytes, of a text in a table
constexpr std::size_t kUncut = static_cast<std::size_t>(-1);

std::string safe(std::string_view text) { return text::printable(text, kMostOfText); }

std::string age_text(std::optional<std::chrono::milliseconds> age) {
  return age ? seconds(static_cast<double>(age->count()) / 1000) : "-";
}

std::string time_text(const std::optional<Time>& time) {
  if (!time) return "-";
  return fmt::format("{:%Y-%m-%d %H:%M:%S} UTC", fmt::gmtime(std::chrono::system_clock::to_time_t(*time)));
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = text::utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string plural(std::size_t count, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", count, count == 1 ? one : many);
}

}  // namespace

void LetterTable::add(const Place& place, const Letter& letter) {
  Entry entry{.place = place, .handle = letter.handle};
  if (letter.content) {
    const auto& content = *letter.content;
    entry.function = content.function;
    entry.job = content.handle;
    entry.attempts = content.attempts > 0 ? fmt::format("{}", content.attempts) : "-";
    entry.age = letters::age_of(content, now_);
    entry.error = content.error.substr(0, kMostOfText);
  } else {
    entry.broken = true;
    entry.attempts = entry.job = "-";
    entry.error = letter.content.error().message;
  }
  entries_.push_back(std::move(entry));
}

std::vector<std::string> LetterTable::lines(const Style& style) const {
  if (entries_.empty()) return {};
  std::vector<const Entry*> sorted;
  sorted.reserve(entries_.size());
  for (const auto& entry : entries_) sorted.push_back(&entry);
  std::stable_sort(sorted.begin(), sorted.end(), [](const Entry* one, const Entry* other) {
    return one->age.value_or(std::chrono::milliseconds::max()) >
           other->age.value_or(std::chrono::milliseconds::max());
  });
  const bool several = std::any_of(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    return entry.place.function != entries_.front().place.function;
  });
  std::vector<Column> columns{{.head = "AGE"},
                              {.head = "FUNCTION", .left = true},
                              {.head = "ATTEMPTS"},
                              {.head = "HANDLE", .left = true},
                              {.head = "JOB", .left = true},
                              {.head = "SERVER", .left = true}};
  if (several) columns.push_back({.head = "DEAD_LETTER_FUNCTION", .left = true});
  columns.push_back({.head = "ERROR", .left = true});
  Table table(std::move(columns));
  for (const Entry* entry : sorted) {
    std::vector<Cell> row{
        {age_text(entry->age)},
        entry->broken ? Cell{"(no dead letter)", kYellow} : Cell{safe(entry->function), kBold},
        {entry->attempts},
        {safe(entry->handle)},
        {safe(entry->job)},
        {entry->place.server}};
    if (several) row.push_back({safe(entry->place.function)});
    row.push_back({safe(entry->error), kRed});
    table.add(std::move(row));
  }
  return table.lines(style);
}

std::vector<std::string> shown_letter(const Place& place, const Letter& letter) {
  std::vector<std::string> lines;
  const auto line = [&](std::string_view name, std::string_view value) {
    lines.push_back(fmt::format("{:<22}{}", name, text::printable(value, kUncut)));
  };
  const auto workload = [&](std::string_view bytes) {
    lines.push_back(fmt::format("{:<22}{}", "workload", plural(bytes.size(), "byte", "bytes")));
    if (!bytes.empty()) lines.push_back(text::printable(bytes, kUncut));
  };
  line("dead letter", letter.handle);
  line("server", place.server);
  line("dead_letter_function", place.function);
  if (!letter.content) {
    line("broken", "it is no dead letter: " + letter.content.error().message);
    workload(letter.text);
    return lines;
  }
  const auto& content = *letter.content;
  line("function", content.function);
  line("job", content.handle);
  line("unique", content.unique);
  line("error", content.error.empty() ? "-" : content.error);
  line("attempts", content.attempts > 0 ? fmt::format("{}", content.attempts) : "-");
  line("arrived", time_text(content.first));
  line("failed", time_text(content.last));
  line("pool", content.pool.empty() ? "-" : content.pool);
  line("host", content.host.empty() ? "-" : content.host);
  workload(content.workload);
  return lines;
}

std::string json_line(const Place& place, const Letter& letter, std::string_view new_handle) {
  json::object object;
  if (letter.content) {
    object = json::parse({letter.text.data(), letter.text.size()}).as_object();
  } else {
    object["broken"] = letter.content.error().message;
    const bool text = is_utf8(letter.text);
    object["workload"] = text ? letter.text : text::base64(letter.text);
    if (!text) object["workload_encoding"] = "base64";
  }
  object["handle"] = letter.handle;
  object["server"] = place.server;
  object["dead_letter_function"] = place.function;
  if (!new_handle.empty()) object["new_handle"] = new_handle;
  return json::serialize(object);
}

std::string name_of(const Place& place, const Letter& letter) {
  const std::string of = letter.content ? fmt::format(" ({})", safe(letter.content->function)) : "";
  return fmt::format("dead letter {}{} of {} at {}", safe(letter.handle), of, safe(place.function),
                     place.server);
}

std::string summary(Verb verb, bool dry_run, const letters::Account& account) {
  const std::size_t count = account.count();
  std::string text;
  if (verb == Verb::rerun) {
    text = plural(count, dry_run ? "dead letter would be run again" : "dead letter is run again",
                  dry_run ? "dead letters would be run again" : "dead letters are run again");
  } else {
    text = plural(count, dry_run ? "dead letter would be deleted" : "dead letter is deleted",
                  dry_run ? "dead letters would be deleted" : "dead letters are deleted");
  }
  if (account.stay_count() > 0)
    text += fmt::format(", {} stay{}", account.stay_count(), account.stay_count() == 1 ? "s" : "");
  if (account.broken_count() > 0) {
    text += fmt::format(", {}", plural(account.broken_count(), "job that is no dead letter stays",
                                       "jobs that are no dead letters stay"));
  }
  return text;
}

}  // namespace driveshaft::cli
