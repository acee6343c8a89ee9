// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "letters/account.h"
#include "letters/letter.h"

// Checks whether each handle that an operator names identifies one letter or job. Pure.
namespace driveshaft::letters {

// Whether all letters have to be read before one is changed, because several letters or jobs may have a named
// handle. Handles of two gearmands may be equal, and a gearmand that restarts may use the handles of earlier
// jobs again.
bool is_look_needed(Action action, const Selection& selection, std::size_t servers);

// Collects the selected letters that a first look finds, and says which named handles are ambiguous.
class Named {
 public:
  explicit Named(Selection selection) : selection_(std::move(selection)) {}

  // Adds a selected letter.
  void add(const Place& place, const Letter& letter);

  // Returns a sentence with the remedy for each ambiguous handle. The handle of a letter is ambiguous if
  // letters at several servers have it. The handle of a job is ambiguous if it occurs at several servers, or
  // with several jobs. Several letters may contain the same job: its function, unique and workload are equal.
  std::vector<std::string> ambiguities() const;

  // The letters that were added, each as its server and its current handle.
  using Letters = std::set<std::pair<std::string, std::string>>;
  const Letters& letters() const { return letters_; }
  // The selection that chooses the letters in letters() by their current handles.
  Selection selection() const;

 private:
  struct Found {
    std::set<std::string> servers;
    // Function, unique and workload of the last letter.
    std::optional<std::tuple<std::string, std::string, std::string>> job = {};
    bool several_jobs = false;
  };

  const Selection selection_;
  Letters letters_;
  std::map<std::string, Found> by_handle_;
  std::map<std::string, Found> by_job_;
};

}  // namespace driveshaft::letters
