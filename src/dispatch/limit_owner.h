// SPDX-License-Identifier: MIT
#pragma once

namespace driveshaft::dispatch {

// The pool, as its endpoints and lanes know it. Called from within them.
class LimitOwner {
 public:
  // More or fewer jobs may be taken, or held jobs may go.
  virtual void limit_changed() = 0;

 protected:
  ~LimitOwner() = default;
};

}  // namespace driveshaft::dispatch
