// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "dispatch/context.h"
#include "dispatch/upstream.h"
#include "gearman/link.h"

namespace driveshaft::dispatch {

// The functions of a pool that share their links. One alone can be grabbed for, or not, without regard to the
// others: a grab brings a job of any function of its link.
struct LanePlan {
  std::string key;  // the function that it is for alone; empty: for all the others
  std::vector<std::string> functions;
};

// The lanes of a pool: functions with a limit or an endpoint of their own have one each, with
// Fairness::function all have.
std::vector<LanePlan> plan_lanes(const config::Pool& pool);

// One lane: links to every gearmand, the jobs that came by them, and how many more may come. The pool owns
// it, until it is empty(), and is told of its links as if they were its own; the loop's thread drives it.
class Lane final : private gearman::LinkOwner {
 public:
  Lane(Context& context, gearman::LinkOwner& pool, std::string key);
  Lane(const Lane&) = delete;
  ~Lane();

  const std::string& key() const { return key_; }

  // What it serves from now on; `most` jobs at once. Nothing at all: its links finish and go. Before
  // keep_links().
  void configure(std::vector<std::string> functions, Upstream* upstream, int most);
  // Makes the links `connections` to each server.
  void keep_links(const std::vector<config::Server>& servers, int connections);
  void stop_links();

  using Links = std::vector<std::shared_ptr<gearman::Link>>;
  const Links& links() const { return links_; }  // retiring ones among them
  bool serves() const { return !functions_.empty(); }
  // It serves nothing, and its last link is closed.
  bool empty() const { return !serves() && links_.empty(); }
  bool is_retiring() const;
  bool has_unsent() const;

  // A job of its functions has come, by whatever link, or is done.
  void job_begins() { ++running_; }
  void job_ends() { --running_; }
  void set_running(int jobs) { running_ = jobs; }
  // That run or are on their way.
  int jobs() const { return running_ + reserved_; }

  // How many jobs its links would ask for, if they had the slots.
  int wanted() const;
  // How many more jobs it may take, so far as its limit and its endpoint are concerned.
  int room() const;
  // Sends grabs, at most `most`, and says how many: its links take turns.
  int grab(int most);
  // Sends one grab for each retiring link that it helps, at most `most`, and says how many.
  int unsleep(int most);
  // When it was last given slots while they were scarce.
  std::uint64_t turn = 0;

  // Sends what its links have, each in one write.
  void flush();

 private:
  // LinkOwner
  bool job_assigned(gearman::Link& link, const gearman::Assignment& assignment,
                    std::unique_ptr<char[]> storage) override;
  void slots_released(int count) override;
  void turn_needed() override;
  void relieved(gearman::Link& link) override { pool_.relieved(link); }
  void input_begins() override { pool_.input_begins(); }
  void input_ends() override { pool_.input_ends(); }
  void link_changed(bool connected) override { pool_.link_changed(connected); }
  void result_refused() override { pool_.result_refused(); }
  void link_closed(gearman::Link& link) override;

  void reserve(int count);

  // Constant after construction.
  Context& context_;
  gearman::LinkOwner& pool_;
  const std::string key_;

  // Loop state.
  std::vector<std::string> functions_;
  Upstream* upstream_ = nullptr;  // of its functions; kept by the pool
  int most_ = 0;
  Links links_;
  std::size_t next_link_ = 0;  // whose turn it is for the next slot
  int reserved_ = 0;           // slots, for grabs that are unanswered
  int running_ = 0;
  bool has_to_send_ = false;
};

}  // namespace driveshaft::dispatch
