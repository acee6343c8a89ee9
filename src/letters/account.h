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

// What becomes of each letter, and what has become of all of them. Pure.
namespace driveshaft::letters {

enum class Action {
  look,       // letters are shown, and stay
  rerun,      // their jobs are submitted again, and the letters are removed
  delete_it,  // the letters are removed
};

// Which letters are meant: those for which everything holds that is given here.
struct Selection {
  std::optional<std::string> function = {};  // of the job
  // Since the job has finally failed.
  std::optional<std::chrono::milliseconds> older_than = {};
  std::optional<std::chrono::milliseconds> newer_than = {};
  std::string error = {};                 // the error contains this text
  std::vector<std::string> jobs = {};     // handles of jobs, as the log has them; empty: of any
  std::vector<std::string> handles = {};  // of letters; empty: of any
  std::size_t limit = 0;                  // at most so many letters; 0: all

  bool operator==(const Selection&) const = default;
};

// Since its job has finally failed; nothing where the letter does not say when that was.
std::optional<std::chrono::milliseconds> age_of(const dispatch::ReadLetter& letter,
                                                std::chrono::system_clock::time_point now);

// What is to be done with a letter.
enum class Fate {
  passed_over,  // it is not meant
  chosen,
  stays,  // nothing may be done with it; why is said
};

struct Judgement {
  Fate fate;
  std::string why = {};  // for `stays`: the reason only
};

// Of one command, over all servers.
class Account {
 public:
  Account(Action action, Selection selection, std::chrono::system_clock::time_point now)
      : action_(action), selection_(std::move(selection)), now_(now) {}

  Action action() const { return action_; }

  // Counts those that stay.
  Judgement judge(const Letter& letter);
  // What has become of a chosen letter: it was shown, run again or deleted, or it has to stay after all.
  void done() { ++done_; }
  void has_to_stay() { ++stay_; }
  // So many letters are done as were asked for.
  bool is_complete() const { return selection_.limit > 0 && done_ >= selection_.limit; }

  std::size_t count() const { return done_; }
  // Letters that stay although they were meant.
  std::size_t stay_count() const { return stay_; }
  // What stays because it is no letter, and was not named.
  std::size_t broken_count() const { return broken_; }
  // The handles that were named and of which there was no letter; those of jobs as "of job HANDLE". None
  // where the account is complete: the others were not looked for.
  std::vector<std::string> missing() const;

 private:
  bool is_meant(const dispatch::ReadLetter& letter) const;

  const Action action_;
  const Selection selection_;
  const std::chrono::system_clock::time_point now_;
  std::set<std::string, std::less<>> found_;       // named handles of letters
  std::set<std::string, std::less<>> found_jobs_;  // of the jobs of letters that were meant
  std::size_t done_ = 0;
  std::size_t stay_ = 0;
  std::size_t broken_ = 0;
};

}  // namespace driveshaft::letters
