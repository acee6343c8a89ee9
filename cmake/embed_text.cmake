# SPDX-License-Identifier: MIT
# cmake -D OUT=FILE.cc -D FROM=FILE -D HEADER=FOLDER/NAME.h -D NAMESPACE=NAME -D FUNCTION=NAME -P embed_text.cmake: writes a
# source with that function, which returns the file as a std::string_view, as the header declares it.
file(READ "${FROM}" bytes HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${bytes}")
file(WRITE "${OUT}" "// Made by cmake/embed_text.cmake.
#include \"${HEADER}\"

namespace ${NAMESPACE} {
namespace {

constexpr char kText[] = {${bytes}'\\0'};

}  // namespace

std::string_view ${FUNCTION}() { return {kText, sizeof kText - 1}; }

}  // namespace ${NAMESPACE}
")
