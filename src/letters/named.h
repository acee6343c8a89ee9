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

// What a first look has found of the letters and jobs that were named by their handles. Pure.
namespace driveshaft::letters {

// Whether letters have to be looked at before something is done with them, because a handle that is named may
// be of several: each gearmand gives out handles by itself, and those of jobs again after a restart.
bool is_look_needed(Action action, const Selection& selection, std::size_t servers);

class Named {
 public:
  explicit Named(Selection selection) : selection_(std::move(selection)) {}

  // A letter that is meant.
  void add(const Place& place, const Letter& letter);

  // For each handle that does not say which letter is meant, a sentence with the remedy. A handle of a letter
  // is of one letter. A handle of a job is of one job at one server, which may be in several letters: they
  // agree in function, unique and workload.
  std::vector<std::string> ambiguities() const;

  // The letters, each as its server and the handle that it has now.
  using Letters = std::set<std::pair<std::string, std::string>>;
  const Letters& letters() const { return letters_; }
  // What chooses those letters, of those that are named by `letters()`.
  Selection selection() const;

 private:
  struct Found {
    std::set<std::string> servers;
    // Function, unique and workload.
    std::optional<std::tuple<std::string, std::string, std::string>> job = {};
    bool several_jobs = false;
  };

  const Selection selection_;
  Letters letters_;
  std::map<std::string, Found> by_handle_;
  std::map<std::string, Found> by_job_;
};

}  // namespace driveshaft::letters
