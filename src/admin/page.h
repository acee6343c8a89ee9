// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

namespace driveshaft::admin {

// A file of the page, embedded when the program is built.
struct PageFile {
  std::string_view content_type;
  std::string_view body;
};

// Finds the file at this path of the exporter address ("/" is the page itself); null: there is none.
const PageFile* find_page_file(std::string_view path);

}  // namespace driveshaft::admin
