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

// The absolute path of a folder as requests have it, without '/' at its end. Nothing: the text is not such a
// path.
std::optional<std::string> document_root_of(std::string_view text);

struct DocumentRoot {
  static bool read(const Value& value, std::string& folder);
  static std::string show(const std::string& folder);
};

// Adds an error if no URI of the pool or of its functions is of FastCGI, or if the folder does not contain
// the script of one that is. The URIs have been read before.
void check_document_root(const Value& pool_value, const PoolConfig& pool);

}  // namespace driveshaft::config
