// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/letters_options.h"
#include "cli/table.h"
#include "letters/account.h"
#include "letters/letter.h"

// Formats letters for people and for programs. Pure.
namespace driveshaft::cli {

using Time = std::chrono::system_clock::time_point;

// The table of `letters list`. It keeps no workloads, so many letters need little memory.
class LetterTable {
 public:
  explicit LetterTable(Time now) : now_(now) {}

  void add(const letters::Place& place, const letters::Letter& letter);
  // The newest letter comes last. Without letters there are no lines.
  std::vector<std::string> lines(const Style& style) const;

 private:
  struct Entry {
    letters::Place place;
    std::string handle;
    bool broken = false;
    std::string function = {};
    std::string job = {};  // handle of the job
    std::string attempts = {};
    std::optional<std::chrono::milliseconds> age = {};
    std::string error = {};
  };
  const Time now_;
  std::vector<Entry> entries_;
};

// The lines of `letters show`: everything that the letter contains.
std::vector<std::string> shown_letter(const letters::Place& place, const letters::Letter& letter);

// The letter as one JSON object on a line: first the letter's own fields, then "handle", "server" and
// "dead_letter_function", and "new_handle" if the job has a new handle. For a text that is no letter,
// "broken" says why, and "workload" has the bytes, in base64 if they are not valid UTF-8.
std::string json_line(const letters::Place& place, const letters::Letter& letter,
                      std::string_view new_handle);

// "dead letter H:vm:7 (Sum) of failed_jobs at 127.0.0.1:4730"
std::string name_of(const letters::Place& place, const letters::Letter& letter);

// What was done, in a sentence.
std::string summary(LettersOptions::Verb verb, bool dry_run, const letters::Account& account);

}  // namespace driveshaft::cli
