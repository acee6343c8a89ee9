# SPDX-License-Identifier: MIT
# Installs the document FROM as TO with the paths of an installation in it instead of those of the source folder:
#   cmake -D FROM=docs/operations.md -D TO=/…/operations.md -P packaging/install_document.cmake
# Debian wants some compressed, without the time of their making: those whose names end in .gz.

file(READ "${FROM}" text)
foreach(change IN ITEMS
    "../../packaging/driveshaft.service=/usr/lib/systemd/system/driveshaft.service"
    "../../packaging/=/usr/share/driveshaft/"
    "../../examples/=/usr/share/doc/driveshaft/examples/"
    "../packaging/driveshaft.service=/usr/lib/systemd/system/driveshaft.service"
    "[packaging/driveshaft.service]=[/usr/lib/systemd/system/driveshaft.service]"
    "../packaging/=/usr/share/driveshaft/"
    "[packaging/=[/usr/share/driveshaft/"
    "(jobs.schema.json=(/usr/share/driveshaft/jobs.schema.json"
    "../examples/=examples/"
    "](docs/=]("
    ".Pa docs/=.Pa /usr/share/doc/driveshaft/"
    "/usr/local/share/=/usr/share/")
  string(FIND "${change}" "=" at)
  string(SUBSTRING "${change}" 0 ${at} here)
  math(EXPR at "${at} + 1")
  string(SUBSTRING "${change}" ${at} -1 there)
  string(REPLACE "${here}" "${there}" text "${text}")
endforeach()

# A man page's date is that of its installation, or $SOURCE_DATE_EPOCH: mdoc's own word for today stands in the source.
string(TIMESTAMP day "%d" UTC)
math(EXPR day "${day}")
string(TIMESTAMP month_year "%B %Y" UTC)
string(REPLACE " " " ${day}, " date "${month_year}")
string(REPLACE "$Mdocdate$" "${date}" text "${text}")

string(REGEX REPLACE "\\.gz$" "" plain "${TO}")
file(WRITE "${plain}" "${text}")
if(NOT plain STREQUAL TO)
  execute_process(COMMAND gzip -9nf "${plain}" COMMAND_ERROR_IS_FATAL ANY)
endif()
file(CHMOD "${TO}" PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
