// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "config/config.h"
#include "config/value.h"

// The key fastcgi_document_root.
namespace driveshaft::config {

inline constexpr std::string_view kDocumentRootType =
    "the absolute path of a folder, or \"\" for that of the script";

// The absolute path of a folder as requests have it, without '/' at its end. Nothing: it is none.
std::optional<std::string> document_root_of(std::string_view text);

struct DocumentRoot {
  static bool read(const Value& value, std::string& folder);
  static std::string show(const std::string& folder);
};

// That it is of use to the pool's URI, or one of its functions', and right for each of them. They have been
// read.
void check_document_root(const Value& pool_value, const Pool& pool);

}  // namespace driveshaft::config
