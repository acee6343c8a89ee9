// SPDX-License-Identifier: MIT
#include "letters/account.h"

#include <algorithm>

namespace driveshaft::letters {
namespace {

bool has(const std::vector<std::string>& list, const std::string& text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

// Whether only handles and a limit are given, or nothing. Every other condition is about what a letter says,
// so it cannot hold for a text that is no letter.
bool chooses_by_handle_alone(Selection selection) {
  selection.handles.clear();
  selection.limit = 0;
  return selection == Selection{};
}

}  // namespace

std::optional<std::chrono::milliseconds> age_of(const dispatch::ReadLetter& letter,
                                                std::chrono::system_clock::time_point now) {
  if (!letter.last) return std::nullopt;
  // The clock of the host that wrote the letter may be ahead.
  return std::max(std::chrono::duration_cast<std::chrono::milliseconds>(now - *letter.last),
                  std::chrono::milliseconds(0));
}

bool Account::is_meant(const dispatch::ReadLetter& letter) const {
  if (selection_.function && letter.function != *selection_.function) return false;
  if (letter.error.find(selection_.error) == std::string::npos) return false;
  if (!selection_.jobs.empty() && !has(selection_.jobs, letter.handle)) return false;
  if (!selection_.older_than && !selection_.newer_than) return true;
  const auto age = age_of(letter, now_);
  return age && (!selection_.older_than || *age >= *selection_.older_than) &&
         (!selection_.newer_than || *age < *selection_.newer_than);
}

Judgement Account::judge(const Letter& letter) {
  const bool named = has(selection_.handles, letter.handle);
  if (!selection_.handles.empty() && !named) return {Fate::passed_over};
  if (named) found_.insert(letter.handle);
  if (!letter.content) {
    if (!chooses_by_handle_alone(selection_)) return {Fate::passed_over};
    const bool may_be_done = action_ == Action::look || (action_ == Action::delete_it && named);
    if (!may_be_done) {
      ++(named ? stay_ : broken_);
      return {Fate::stays, "it is no dead letter: " + letter.content.error().message};
    }
  } else {
    if (!is_meant(*letter.content)) return {Fate::passed_over};
    found_jobs_.insert(letter.content->handle);
  }
  return {Fate::chosen};
}

std::vector<std::string> Account::missing() const {
  if (is_complete()) return {};
  std::vector<std::string> missing;
  for (const auto& handle : selection_.handles) {
    if (!found_.contains(handle)) missing.push_back(handle);
  }
  for (const auto& job : selection_.jobs) {
    if (!found_jobs_.contains(job)) missing.push_back("of job " + job);
  }
  return missing;
}

}  // namespace driveshaft::letters
