// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "dispatch/contract.h"
#include "gearman/link.h"

namespace driveshaft::dispatch {

// The bytes of a job: its function, handle, unique and workload. The memory of a small job is used again for
// the next one. Used on the loop's thread.
class JobBytes {
 public:
  // Copies the bytes of `assignment`, or takes over `storage`, which has them. Throws std::bad_alloc; then
  // fields() views the assignment's own bytes, which the caller owns.
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

  // Views of the bytes of the last keep(); empty after clear().
  const JobFields& fields() const { return fields_; }

  // Forgets the job, and gives back the memory that a big job took.
  void clear() {
    storage_.reset();
    fields_ = {};
    if (copy_.capacity() > kKeepCapacity) std::string().swap(copy_);
  }

 private:
  static constexpr std::size_t kKeepCapacity = 32 * 1024;

  std::string copy_;                 // of a small job
  std::unique_ptr<char[]> storage_;  // of a big one
  JobFields fields_;                 // views of copy_ or storage_
};

}  // namespace driveshaft::dispatch
