// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "dispatch/contract.h"
#include "gearman/link.h"

namespace driveshaft::dispatch {

// The bytes of a job: its function, handle, unique and workload. The memory of a small job is used again for
// the next one. On the loop's thread.
class JobBytes {
 public:
  // Copies the bytes of `assignment`, or owns `storage`, where they already are. Throws std::bad_alloc; then
  // fields() view the assignment's own bytes.
  void keep(const gearman::Assignment& assignment, std::unique_ptr<char[]> storage) {
    fields_ = {assignment.function, assignment.handle, assignment.unique, assignment.workload};
    if (storage) {
      storage_ = std::move(storage);
      return;
    }
    copy_.assign(assignment.bytes);
    for (auto* field : {&fields_.function, &fields_.handle, &fields_.unique, &fields_.workload}) {
      *field = std::string_view(copy_.data() + (field->data() - assignment.bytes.data()), field->size());
    }
  }

  // Views of what was kept last; empty after clear().
  const JobFields& fields() const { return fields_; }

  // Gives memory back that a big job took.
  void clear() {
    storage_.reset();
    fields_ = {};
    if (copy_.capacity() > kKeepCapacity) std::string().swap(copy_);
  }

 private:
  static constexpr std::size_t kKeepCapacity = 32 * 1024;

  std::string copy_;                 // of a small job
  std::unique_ptr<char[]> storage_;  // of a big one
  JobFields fields_;                 // views into either
};

}  // namespace driveshaft::dispatch
