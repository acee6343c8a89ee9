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

// Letters as people and programs read them. Pure.
namespace driveshaft::cli {

using Time = std::chrono::system_clock::time_point;

// The table of `letters list`. Keeps no workloads.
class LetterTable {
 public:
  explicit LetterTable(Time now) : now_(now) {}

  void add(const letters::Place& place, const letters::Letter& letter);
  // The newest letter comes last. Empty without a letter.
  std::vector<std::string> lines(const Style& style) const;

 private:
  struct Entry {
    letters::Place place;
    std::string handle;
    bool broken = false;
    std::string function = {};
    std::string job = {};  // its handle
    std::string attempts = {};
    std::optional<std::chrono::milliseconds> age = {};
    std::string error = {};
  };
  const Time now_;
  std::vector<Entry> entries_;
};

// Everything that the letter says, with its workload.
std::vector<std::string> shown_letter(const letters::Place& place, const letters::Letter& letter);

// The letter as one JSON object on a line: its own fields, and behind them "handle", "server" and
// "dead_letter_function" of the letter, and with a new handle "new_handle". What is no letter has "broken",
// and its bytes as "workload", in base64 if they are no UTF-8.
std::string json_line(const letters::Place& place, const letters::Letter& letter,
                      std::string_view new_handle);

// "letter H:vm:7 (Sum) of failed_jobs at 127.0.0.1:4730"
std::string name_of(const letters::Place& place, const letters::Letter& letter);

// What was done, in a sentence.
std::string summary(LettersOptions::Verb verb, bool dry_run, const letters::Account& account);

}  // namespace driveshaft::cli
