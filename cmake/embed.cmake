# SPDX-License-Identifier: MIT
# cmake -D OUT=FILE.cc -P embed.cmake PATH=TYPE=FILE … : writes a source that holds the files, as src/admin/page.h
# declares them.
set(arrays "")
set(rows "")
math(EXPR last "${CMAKE_ARGC} - 1")
set(count 0)
foreach(i RANGE 1 ${last})
  set(argument "${CMAKE_ARGV${i}}")
  if(NOT argument MATCHES "^(/[^=]*)=(.+)=([^=]+)$")
    continue()
  endif()
  set(path "${CMAKE_MATCH_1}")
  set(type "${CMAKE_MATCH_2}")
  file(READ "${CMAKE_MATCH_3}" bytes HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${bytes}")
  string(APPEND arrays "constexpr char kFile${count}[] = {${bytes}'\\0'};\n")
  string(APPEND rows "    {\"${path}\", {\"${type}\", {kFile${count}, sizeof kFile${count} - 1}}},\n")
  math(EXPR count "${count} + 1")
endforeach()
file(WRITE "${OUT}" "// Made by cmake/embed.cmake.
#include \"admin/page.h\"

namespace driveshaft::admin {
namespace {

${arrays}
struct Row {
  std::string_view path;
  PageFile file;
};

constexpr Row kRows[] = {
${rows}};

}  // namespace

const PageFile* find_page_file(std::string_view path) {
  for (const Row& row : kRows) {
    if (row.path == path) return &row.file;
  }
  return nullptr;
}

}  // namespace driveshaft::admin
")
