// SPDX-License-Identifier: MIT
#pragma once

namespace driveshaft::dispatch {

// The pool, as its endpoints and lanes see it. They call this function.
class LimitOwner {
 public:
  // More or fewer jobs may be taken now, or held jobs may be sent.
  virtual void limit_changed() = 0;

 protected:
  ~LimitOwner() = default;
};

}  // namespace driveshaft::dispatch
