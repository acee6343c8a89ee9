// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "letters/letter.h"

// Decides what is done with each letter, and counts what was done. Pure.
namespace driveshaft::letters {

enum class Action {
  look,       // letters are shown, and stay
  rerun,      // their jobs are submitted again, and the letters are removed
  delete_it,  // the letters are removed
};

// Selects letters. A letter is selected if every condition that is given here holds for it.
struct Selection {
  std::optional<std::string> function = {};  // function of the job
  // The time since the job finally failed.
  std::optional<std::chrono::milliseconds> older_than = {};
  std::optional<std::chrono::milliseconds> newer_than = {};
  std::string error = {};                 // the error contains this text
  std::vector<std::string> jobs = {};     // handles of the jobs, as in the log; empty: any job
  std::vector<std::string> handles = {};  // handles of the letters; empty: any letter
  std::size_t limit = 0;                  // the most letters that are selected; 0: no limit

  bool operator==(const Selection&) const = default;
};

// The time since the letter's job finally failed; nothing if the letter does not say when that was.
std::optional<std::chrono::milliseconds> age_of(const dispatch::ReadLetter& letter,
                                                std::chrono::system_clock::time_point now);

// What is to be done with a letter.
enum class Fate {
  passed_over,  // the letter is not selected
  chosen,       // the action is carried out
  stays,        // the letter is selected, but the action is not possible; the reason is reported
};

struct Judgement {
  Fate fate;
  std::string why = {};  // of `stays`: the reason, without the letter's name
};

// The decisions and counts of one command, over all servers.
class Account {
 public:
  Account(Action action, Selection selection, std::chrono::system_clock::time_point now)
      : action_(action), selection_(std::move(selection)), now_(now) {}

  Action action() const { return action_; }

  // Decides what is done with the letter. A letter that stays is counted here.
  Judgement judge(const Letter& letter);
  // The caller reports what has become of each chosen letter. done(): it was shown, run again or deleted.
  // has_to_stay(): the action was not possible after all.
  void done() { ++done_; }
  void has_to_stay() { ++stay_; }
  // Whether as many letters are done as the limit allows.
  bool is_complete() const { return selection_.limit > 0 && done_ >= selection_.limit; }

  std::size_t count() const { return done_; }
  // Selected letters that stay. A text that is no letter counts if its handle was named.
  std::size_t stay_count() const { return stay_; }
  // Texts that stay because they are no letters, and whose handles were not named.
  std::size_t broken_count() const { return broken_; }
  // The named handles for which no letter was found; the handle of a job as "of job HANDLE". Empty if the
  // account is complete, because the search ends at the limit.
  std::vector<std::string> missing() const;

 private:
  bool is_meant(const dispatch::ReadLetter& letter) const;

  const Action action_;
  const Selection selection_;
  const std::chrono::system_clock::time_point now_;
  std::set<std::string, std::less<>> found_;       // named handles for which there was a letter
  std::set<std::string, std::less<>> found_jobs_;  // handles of the selected letters' jobs
  std::size_t done_ = 0;
  std::size_t stay_ = 0;
  std::size_t broken_ = 0;
};

}  // namespace driveshaft::letters
