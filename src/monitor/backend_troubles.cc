// SPDX-License-Identifier: MIT
#include "monitor/backend_troubles.h"

#include <fmt/format.h>

#include <algorithm>

#include "dispatch/endpoint_status.h"
#include "monitor/verdict.h"

namespace driveshaft::monitor {
namespace {

using namespace std::chrono_literals;
using dispatch::BackendStatus;

constexpr std::size_t kNamed = 3;

std::string_view in_words(BackendStatus::State state) {
  return state == BackendStatus::State::paused    ? "paused"
         : state == BackendStatus::State::failing ? "failing"
                                                  : "down";
}

}  // namespace

std::string next_try(const std::optional<dispatch::SteadyTime>& at, dispatch::SteadyTime now) {
  if (!at) return {};
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(*at - now);
  return fmt::format("next try in {}", in_words(std::max<std::chrono::nanoseconds>(seconds, 1s)));
}

std::string in_brackets(std::initializer_list<std::string> facts) {
  std::string text;
  for (const auto& fact : facts) {
    if (!fact.empty()) text += (text.empty() ? " (" : "; ") + fact;
  }
  return text.empty() ? text : text + ')';
}

std::string backend_troubles(const dispatch::EndpointStatus& endpoint, dispatch::SteadyTime now,
                             std::string_view facts) {
  if (dispatch::count_of_lasting(endpoint.backends) < 2) return {};
  std::size_t all = 0;
  std::size_t away = 0;
  std::string named;
  for (const auto& backend : endpoint.backends) {
    if (backend.weight == 0) continue;
    ++all;
    // A few failures in a row may be the jobs' own: the next job may succeed.
    if (dispatch::works(backend) || backend.suspected || ++away > kNamed) continue;
    named += fmt::format("{}{} has been {} for {}{}: {}", away == 1 ? "" : "; ", backend.name,
                         in_words(backend.state), in_words(now - backend.since),
                         in_brackets({next_try(backend.next_try, now)}), backend.why);
  }
  if (away == 0) return {};
  if (away > kNamed) named += fmt::format("; and {} more", away - kNamed);
  if (away == all) return fmt::format("none of its {} backends works{}: {}", all, facts, named);
  return fmt::format("{} of {} backends {} not work{}: {}", away, all, away == 1 ? "does" : "do", facts,
                     named);
}

}  // namespace driveshaft::monitor
