// SPDX-License-Identifier: MIT
#include "letters/named.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "text/printable.h"

namespace driveshaft::letters {

bool is_look_needed(Action action, const Selection& selection, std::size_t servers) {
  if (action == Action::look) return false;
  return !selection.jobs.empty() || (servers > 1 && !selection.handles.empty());
}

void Named::add(const Place& place, const Letter& letter) {
  letters_.emplace(place.server, letter.handle);
  if (!selection_.handles.empty()) by_handle_[letter.taken_as].servers.insert(place.server);
  if (selection_.jobs.empty() || !letter.content) return;
  auto& found = by_job_[letter.content->handle];
  found.servers.insert(place.server);
  std::tuple job(letter.content->function, letter.content->unique, letter.content->workload);
  found.several_jobs |= found.job && *found.job != job;
  found.job = std::move(job);
}

std::vector<std::string> Named::ambiguities() const {
  std::vector<std::string> sentences;
  const auto several_servers = [&](std::string_view what, const std::string& handle, const Found& found) {
    sentences.push_back(
        fmt::format("there are dead letters {}{} at {}; name the server that is meant with --server", what,
                    text::printable(handle, 128), fmt::join(found.servers, " and ")));
  };
  for (const auto& [handle, found] : by_handle_) {
    if (found.servers.size() > 1) several_servers("", handle, found);
  }
  for (const auto& [handle, found] : by_job_) {
    if (found.servers.size() > 1) {
      several_servers("of job ", handle, found);
    } else if (found.several_jobs) {
      sentences.push_back(
          fmt::format("there are dead letters of several jobs {} at {}; name the dead letters that are meant "
                      "by their own "
                      "handles, which driveshaft letters list has",
                      text::printable(handle, 128), fmt::join(found.servers, "")));
    }
  }
  return sentences;
}

Selection Named::selection() const {
  Selection selection = selection_;
  selection.handles.clear();
  for (const auto& [server, handle] : letters_) selection.handles.push_back(handle);
  std::erase_if(selection.jobs, [&](const std::string& job) { return !by_job_.contains(job); });
  return selection;
}

}  // namespace driveshaft::letters
